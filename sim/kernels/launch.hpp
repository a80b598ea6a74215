// SPDX-License-Identifier: Apache-2.0
// One launch: its argument bytes, and running its groups.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "kernels/image.hpp"

namespace xhal::sim {

struct Place;

// Of a launch, beside its operation's slot when there are more.
inline constexpr uint32_t kInlineArgumentBytes = 128;
inline constexpr uint32_t kInlineArgumentAlignment = 16;

struct Launch {
  const Image* image;  // stays loaded while work is pending
  const KernelCode* kernel;
  uint32_t group_count[3];
  uint32_t group_size[3];
  std::byte* large_arguments;  // null: they are in `arguments`
  alignas(16) std::byte arguments[kInlineArgumentBytes];
};

// What a launch borrows from where it runs.
struct LaunchPlace {
  Place& place;
  const std::atomic<bool>& abandoned;
  uint64_t window_base;
  uint64_t window_size;
  uint64_t backing_distance;
};

enum class LaunchEnd { kDone, kTrapped, kAbandoned };

struct LaunchOutcome {
  LaunchEnd end = LaunchEnd::kDone;
  uint32_t group[3] = {};  // where it ended, unless done
};

LaunchOutcome run_launch(const Launch& launch, const LaunchPlace& place);

}  // namespace xhal::sim
