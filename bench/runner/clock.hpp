// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

namespace xhal::bench {

using Clock = std::chrono::steady_clock;

[[nodiscard]] inline double since(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

template <class Body>
[[nodiscard]] double nanoseconds_of(Body&& body) {
  const Clock::time_point start = Clock::now();
  body();
  return since(start);
}

// Of one of so many.
template <class Body>
[[nodiscard]] double nanoseconds_each(uint64_t times, Body&& body) {
  return nanoseconds_of([&] {
           for (uint64_t i = 0; i < times; ++i) body();
         }) /
         static_cast<double>(times);
}

}  // namespace xhal::bench
