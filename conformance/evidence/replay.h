// SPDX-License-Identifier: Apache-2.0
// Tests of a bundle once more, on the simulator with the claims of the bundle's device: what is read back must be the same, bit by bit.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "frame/session.h"
#include "report/report.h"

namespace xhal::conformance {

struct Replay {
  size_t compared = 0;
  size_t possible = 0;  // tests of the bundle that the simulator can run
  bool interrupted = false;
  std::vector<std::string> findings;
  std::vector<std::string> notes;
};

// `wanted` tests, drawn by `draw`. Stops where the simulator cannot be loaded.
Replay replay(const Report& bundle, size_t wanted, uint64_t draw, Target target, double entry_deadline_s);

}  // namespace xhal::conformance
