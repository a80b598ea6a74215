// SPDX-License-Identifier: Apache-2.0
#include "kernels/launch.hpp"

#include <algorithm>
#include <cstring>

#include "engine/scheduler.hpp"
#include "xhal/kernel.h"

namespace xhal::sim {
namespace {

// A kernel that polls for longer than a moment waits for something, as a host function may: other lanes get another worker.
class Relaxing {
 public:
  explicit Relaxing(const LaunchPlace& place) : place_(place) {}
  ~Relaxing() {
    if (blocking_) scheduler().end_blocking(place_.place);
  }
  Relaxing(const Relaxing&) = delete;
  Relaxing& operator=(const Relaxing&) = delete;

  void group_begins() { turn_ = 0; }

  // The frame's callback.
  static uint32_t relax(void* context) { return static_cast<Relaxing*>(context)->relax_once() ? 1 : 0; }

 private:
  static constexpr uint64_t kMoment = 64;

  [[nodiscard]] Scheduler& scheduler() const { return place_.place.scheduler; }
  bool relax_once() {
    if (place_.abandoned.load(std::memory_order_relaxed)) return true;
    if (turn_ == kMoment && !blocking_) {
      blocking_ = true;
      scheduler().begin_blocking(place_.place);
    }
    scheduler().relax(turn_++);
    return place_.abandoned.load(std::memory_order_relaxed);
  }

  const LaunchPlace& place_;
  uint64_t turn_ = 0;
  bool blocking_ = false;
};

// A call runs whole groups of about so many items: enough that entering the image costs nothing beside them, and few enough that a
// launch that is given up ends soon.
constexpr uint32_t kItemsPerCall = 32768;
static_assert(kItemsPerCall <= XHAL_NATIVE_MAX_ROW_GROUPS);

// One pointer a parameter, as the frame wants them.
void place_arguments(const Launch& launch, std::byte* local, const void** out) {
  const KernelCode& kernel = *launch.kernel;
  const std::byte* const bytes =
      launch.large_arguments != nullptr ? launch.large_arguments : launch.arguments;
  for (const KernelCode::Parameter& parameter : kernel.parameters) {
    const std::byte* const argument = bytes + parameter.offset;
    *out++ = argument;
    if (parameter.argument_kind != XHAL_ARGUMENT_LOCAL) continue;
    uint64_t size = 0;
    std::memcpy(&size, argument, sizeof(size));
    out[-1] = local;
    local += (size + kLocalAlignment - 1) / kLocalAlignment * kLocalAlignment;
  }
}

}  // namespace

LaunchOutcome run_launch(const Launch& launch, const LaunchPlace& place) {
  const void* arguments[kMaxArguments];
  ImageScratch& scratch = place.place.scratch;
  place_arguments(launch, place.place.local_memory.get(), arguments);
  scratch.use(*launch.image);
  Relaxing relaxing(place);

  xhal_native_frame frame = {};
  frame.window_base = place.window_base;
  frame.window_size = place.window_size;
  frame.backing_distance = place.backing_distance;
  std::memcpy(frame.group_count, launch.group_count, sizeof(frame.group_count));
  std::memcpy(frame.group_size, launch.group_size, sizeof(frame.group_size));
  frame.arguments = arguments;
  frame.relax = &Relaxing::relax;
  frame.relax_context = &relaxing;
  frame.scratch = &scratch.scratch;
  frame.scratch_free = &scratch.free;

  // The launch was checked: a group has 1 to the device's most items.
  const uint32_t group_items = launch.group_size[0] * launch.group_size[1] * launch.group_size[2];
  const uint32_t groups_per_call = std::max(kItemsPerCall / group_items, 1u);

  const auto ended = [&](LaunchEnd end) {
    return LaunchOutcome{end, {frame.group_id[0], frame.group_id[1], frame.group_id[2]}};
  };
  for (uint32_t z = 0; z < launch.group_count[2]; ++z) {
    for (uint32_t y = 0; y < launch.group_count[1]; ++y) {
      for (uint32_t x = 0; x < launch.group_count[0]; x += frame.row_groups) {
        frame.group_id[0] = x;
        frame.group_id[1] = y;
        frame.group_id[2] = z;
        frame.row_groups = std::min(groups_per_call, launch.group_count[0] - x);
        relaxing.group_begins();
        launch.kernel->run_groups(&frame);
        place.place.beat();
        if (frame.trapped != 0) return ended(LaunchEnd::kTrapped);
        if (place.abandoned.load(std::memory_order_relaxed)) return ended(LaunchEnd::kAbandoned);
      }
    }
  }
  return {};
}

}  // namespace xhal::sim
