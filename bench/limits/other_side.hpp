// SPDX-License-Identifier: Apache-2.0
// Measurements in which another thread has a part.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

namespace xhal::bench {

// What is handed over to somebody who runs counts when he had done this part of it at its end.
inline constexpr uint64_t kKeptUpPart = 10;

// What is handed over to somebody who runs is not measured while he does not, as when both sides share a processor. Tries a few times, and gives
// kUncounted then. `body` gives the nanoseconds, and whether the other side had kept up.
double while_the_other_runs(const std::function<std::pair<double, bool>()>& body);

}  // namespace xhal::bench
