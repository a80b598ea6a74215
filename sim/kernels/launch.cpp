// SPDX-License-Identifier: Apache-2.0
#include "kernels/launch.hpp"

#include <algorithm>
#include <cstring>

namespace xhal::sim {
namespace {

struct Relax {
  const LaunchPlace& place;
  uint64_t turn = 0;
};

uint32_t relax(void* context) {
  auto& state = *static_cast<Relax*>(context);
  if (state.place.abandoned.load(std::memory_order_relaxed)) return 1;
  state.place.scheduler.relax(state.turn++);
  return state.place.abandoned.load(std::memory_order_relaxed) ? 1 : 0;
}

// A call runs whole groups of about so many items: enough that entering the image costs nothing beside them, and few enough that a
// launch that is given up ends soon.
constexpr uint32_t kItemsPerCall = 32768;
static_assert(kItemsPerCall <= XHAL_NATIVE_MAX_ROW_GROUPS);

// One pointer a parameter, as the frame wants them.
void place_arguments(Launch& launch, std::byte* local, const void** out) {
  const KernelCode& kernel = *launch.kernel;
  std::byte* bytes = launch.arguments.data();
  for (size_t i = 0; i < kernel.params.size(); ++i) {
    std::byte* argument = bytes + kernel.offsets[i];
    out[i] = argument;
    if (kernel.params[i].kind != XHAL_NATIVE_PARAM_LOCAL) continue;
    uint64_t size = 0;
    std::memcpy(&size, argument, sizeof(size));
    out[i] = local;
    local += (size + kLocalAlignment - 1) / kLocalAlignment * kLocalAlignment;
  }
}

}  // namespace

LaunchOutcome run_launch(Launch& launch, const LaunchPlace& place) {
  const void* arguments[kMaxArguments];
  place_arguments(launch, place.local_memory, arguments);
  place.scratch.use(launch.image);
  Relax relaxing = {place};

  xhal_native_frame frame = {};
  frame.window_base = place.window_base;
  frame.window_size = place.window_size;
  frame.backing_distance = place.backing_distance;
  std::memcpy(frame.group_count, launch.group_count, sizeof(frame.group_count));
  std::memcpy(frame.group_size, launch.group_size, sizeof(frame.group_size));
  frame.arguments = arguments;
  frame.relax = &relax;
  frame.relax_context = &relaxing;
  frame.scratch = &place.scratch.scratch;
  frame.scratch_free = &place.scratch.free;

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
        relaxing.turn = 0;
        launch.kernel->run_groups(&frame);
        if (frame.trapped != 0) return ended(LaunchEnd::kTrapped);
        if (place.abandoned.load(std::memory_order_relaxed)) return ended(LaunchEnd::kAbandoned);
      }
    }
  }
  return {};
}

}  // namespace xhal::sim
