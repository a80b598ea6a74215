// SPDX-License-Identifier: Apache-2.0
// Launches whose groups wait for one another: a thread for each group that others may wait for.
#include <algorithm>
#include <atomic>

#include "engine/scheduler.hpp"
#include "kernels/launch.hpp"
#include "xhal/kernel.h"

namespace xhal::sim {
namespace {

// The groups in boxes; all of a box at the same time, a part for each place in it. A part takes its place's group of box after box, so that
// the groups of the first box that has not ended are all at work or done: whatever they wait for comes.
class Groups final : public Together {
 public:
  Groups(const Launch& launch, const LaunchPlace& where) : launch_(launch), where_(where) {
    for (int d = 0; d < 3; ++d) {
      const bool whole = (launch.flags & XHAL_LAUNCH_COOPERATIVE) != 0;
      box_[d] = whole ? launch.group_count[d] : launch.cluster_size[d];
      boxes_[d] = launch.group_count[d] / box_[d];
    }
  }

  [[nodiscard]] uint32_t parts() const { return box_[0] * box_[1] * box_[2]; }

  void run_part(uint32_t part, Place& place) override {
    [[maybe_unused]] const UnseenOrder order(*launch_.kernel, where_.arguments);
    const Denormals denormals(place.scheduler.odd.has(Oddity::kFlushDenormals));
    LaunchFrame frame(launch_, where_, place);
    xhal_native_frame& native = frame.native;
    Polling polling = {*this, 0};
    native.relax = &Polling::relax;
    native.relax_context = &polling;
    native.row_groups = 1;
    const uint32_t x = part % box_[0];
    const uint32_t y = part / box_[0] % box_[1];
    const uint32_t z = part / box_[0] / box_[1];
    for (uint32_t k = 0; k < boxes_[2]; ++k) {
      for (uint32_t j = 0; j < boxes_[1]; ++j) {
        for (uint32_t i = 0; i < boxes_[0]; ++i) {
          if (is_over()) return;
          native.group_id[0] = i * box_[0] + x;
          native.group_id[1] = j * box_[1] + y;
          native.group_id[2] = k * box_[2] + z;
          polling.turn = 0;
          launch_.kernel->run_groups(&native);
          place.beat();
          if (native.trapped != 0) return trap(native.group_id);
        }
      }
    }
  }

  // When all parts have ended.
  [[nodiscard]] LaunchOutcome outcome() const {
    if (trapped_.load(std::memory_order_relaxed))
      return {LaunchEnd::kTrapped, {trap_group_[0], trap_group_[1], trap_group_[2]}};
    const bool abandoned = where_.abandoned.load(std::memory_order_relaxed);
    return {abandoned ? LaunchEnd::kAbandoned : LaunchEnd::kDone, {}};
  }

 private:
  struct Polling {
    const Groups& groups;
    uint64_t turn;
    // The frame's callback.
    static uint32_t relax(void* context) {
      auto& polling = *static_cast<Polling*>(context);
      if (!polling.groups.is_over()) polling.groups.where_.place.scheduler.relax(polling.turn++);
      return polling.groups.is_over() ? 1 : 0;
    }
  };

  [[nodiscard]] bool is_over() const {
    return trapped_.load(std::memory_order_relaxed) || where_.abandoned.load(std::memory_order_relaxed);
  }
  // The first one counts.
  void trap(const uint32_t (&group)[3]) {
    if (!trapped_.exchange(true, std::memory_order_relaxed)) std::copy_n(group, 3, trap_group_);
  }

  const Launch& launch_;
  const LaunchPlace& where_;
  uint32_t box_[3];
  uint32_t boxes_[3];
  std::atomic<bool> trapped_{false};
  uint32_t trap_group_[3] = {};
};

}  // namespace

uint64_t groups_together(uint32_t flags, const uint32_t (&group_count)[3],
                         const uint32_t (&cluster_size)[3]) {
  const auto& box = (flags & XHAL_LAUNCH_COOPERATIVE) != 0 ? group_count : cluster_size;
  return uint64_t{box[0]} * box[1] * box[2];  // legal counts are below 2^31, 2^16 and 2^16
}

LaunchOutcome run_groups_together(const Launch& launch, const LaunchPlace& place) {
  Groups groups(launch, place);
  place.place.scheduler.run_together(place.place, groups, groups.parts());
  return groups.outcome();
}

}  // namespace xhal::sim
