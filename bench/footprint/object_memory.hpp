// SPDX-License-Identifier: Apache-2.0
// How much memory of the process a stream and an event take. No times: the same in every run but for what the system itself does with pages.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "bench/runner/bench.hpp"

namespace xhal::bench {

// Never used, or used once and done with it.
enum class Use { kNone, kOnce };

// Bytes an object.
struct ObjectMemory {
  double heap = 0;      // given out by malloc, its own overhead included
  double resident = 0;  // of the whole process
  [[nodiscard]] double larger() const { return std::max(heap, resident); }
};

// A use is a launch with eight arguments; a record.
[[nodiscard]] ObjectMemory memory_of_streams(Bench& bench, size_t count, Use use);
[[nodiscard]] ObjectMemory memory_of_events(Bench& bench, size_t count, uint32_t flags, Use use);

// What the simulator promises.
inline constexpr double kMostBytesOfStream = 64 * 1024;
inline constexpr double kMostBytesOfEvent = 256;

}  // namespace xhal::bench
