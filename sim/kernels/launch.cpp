// SPDX-License-Identifier: Apache-2.0
#include "kernels/launch.hpp"

#include <algorithm>
#include <cstring>

#include "engine/scheduler.hpp"
#include "xhal/kernel.h"

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

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
void place_arguments(const KernelCode& kernel, const std::byte* bytes, std::byte* local, const void** out) {
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

LaunchFrame::LaunchFrame(const Launch& launch, const LaunchPlace& where, Place& place) {
  place_arguments(*launch.kernel, where.arguments, place.local_memory.get(), arguments);
  place.scratch.use(*launch.kernel->image);
  native.window_base = where.window_base;
  native.window_size = where.window_size;
  native.backing_distance = where.backing_distance;
  for (int d = 0; d < 3; ++d) {
    native.group_count[d] = launch.group_count[d];
    native.group_size[d] = launch.group_size[d];
  }
  native.arguments = arguments;
  native.scratch = &place.scratch.scratch;
  native.scratch_free = &place.scratch.free;
  native.globals = launch.kernel->globals;
}

#if defined(__SANITIZE_THREAD__)
UnseenOrder::~UnseenOrder() {
  for (const KernelCode::Parameter& parameter : kernel_.parameters) {
    if (parameter.argument_kind != XHAL_ARGUMENT_MEMORY) continue;
    void* memory = nullptr;
    std::memcpy(&memory, arguments_ + parameter.offset, sizeof(memory));
    if (memory != nullptr) __tsan_acquire(memory);
  }
}
#endif

LaunchOutcome run_launch(const Launch& launch, const LaunchPlace& place) {
  if (launch.flags != 0) [[unlikely]]
    return run_groups_together(launch, place);
  [[maybe_unused]] const UnseenOrder order(*launch.kernel, place.arguments);
  LaunchFrame whole(launch, place, place.place);
  xhal_native_frame& frame = whole.native;
  Relaxing relaxing(place);
  frame.relax = &Relaxing::relax;
  frame.relax_context = &relaxing;

  const Denormals denormals(place.place.scheduler.odd.has(Oddity::kFlushDenormals));

  // The launch was checked: a group has 1 to the device's most items.
  const uint32_t group_items = uint32_t{launch.group_size[0]} * launch.group_size[1] * launch.group_size[2];
  const uint32_t groups_per_call =
      launch.group_count[0] == 1 ? 1 : std::max(kItemsPerCall / group_items, 1u);  // spares a division

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
