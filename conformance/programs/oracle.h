// SPDX-License-Identifier: Apache-2.0
// What a program's memories hold, by doing its operations one after the other in plain C++. Links and includes nothing of the project.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "programs/model.h"

namespace xhal::programs {

using Contents = std::vector<std::vector<unsigned char>>;  // of each memory; empty where it lives no more

// The contents when the program has ended. Throws std::out_of_range where an operation leaves its memory or touches a dead one.
Contents expected_contents(const Program& program);

// The first byte that is not as it should be: of all that differ, one that the earliest operation should have written.
struct Difference {
  uint32_t memory = 0;
  uint32_t offset = 0;
  uint64_t expected = 0, got = 0;  // up to eight bytes from there
  uint32_t count = 0;              // how many bytes they are
  uint32_t differing = 0;          // bytes that differ, in all memories
  uint32_t writer =
      kNone;  // the operation that should have written it; kNone: the first contents were to stay
};
std::optional<Difference> first_difference(const Program& program, const Contents& expected,
                                           const Contents& got);
std::string text_of(const Program& program, const Difference& difference);

}  // namespace xhal::programs
