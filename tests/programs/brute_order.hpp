// SPDX-License-Identifier: Apache-2.0
// Happens-before of a program, the slow way: a graph of moments and who reaches whom. Shares nothing with order.h but the model.
#pragma once

#include <cstdint>
#include <vector>

#include "programs/model.h"

namespace xhal::test {

// Pairs of operations (the earlier first) of which an access of one conflicts with one of the other and is not ordered before it.
// `left_out`: a wait that has no effect.
struct BrutePair {
  uint32_t first, second;
  bool lifetime;
};
std::vector<BrutePair> brute_races(const programs::Program& program, uint32_t left_out = programs::kNone);

}  // namespace xhal::test
