// SPDX-License-Identifier: Apache-2.0
// How much memory of the process a stream and an event take. No times: the same in every run but for what the system itself does with pages.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xhal::bench {

// Never used, or used once and done with it.
enum class Use { kNone, kOnce };

// Bytes an object.
struct ObjectMemory {
  double heap = 0;      // given out by malloc, its own overhead included
  double resident = 0;  // of the whole process
};

// A use is a launch with eight arguments; a record. What is measured is kept until the end of the process: the places of handles that have ended
// serve the next ones, which would cost nothing there.
[[nodiscard]] ObjectMemory memory_of_streams(size_t count, Use use);
[[nodiscard]] ObjectMemory memory_of_events(size_t count, uint32_t flags, Use use);

// What the simulator promises.
inline constexpr double kMostBytesOfStream = 64 * 1024;
inline constexpr double kMostBytesOfEvent = 256;

}  // namespace xhal::bench
