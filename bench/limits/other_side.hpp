// SPDX-License-Identifier: Apache-2.0
// Timing, and measurements in which another thread has a part.
#pragma once

#include <chrono>
#include <functional>
#include <limits>
#include <utility>

namespace xhal::bench {

template <class Body>
double nanoseconds_once(Body&& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
}

template <class Body>
double nanoseconds_each(int times, Body&& body) {
  return nanoseconds_once([&] {
           for (int i = 0; i < times; ++i) body();
         }) /
         times;
}

// Stands for a measurement that did not succeed; not counted.
inline constexpr double kUnmeasured = std::numeric_limits<double>::quiet_NaN();

// What is handed over to somebody who runs is not measured while he does not, as when both sides share a processor. Tries a few times. `body` gives the
// nanoseconds, and whether the other side had done a kKeptUp-th part of it when the handing was over.
inline constexpr int kKeptUp = 10;
double while_the_other_runs(const std::function<std::pair<double, bool>()>& body);

}  // namespace xhal::bench
