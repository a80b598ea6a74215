// SPDX-License-Identifier: Apache-2.0
// How a worker runs a lane, whoever schedules it.
#pragma once

#include "engine/lane.hpp"
#include "engine/scheduler.hpp"

namespace xhal::sim {

class Runner {
 public:
  // Runs a lane that was given to Scheduler::ready() until it has ended, or others go first, or it has nothing to do. `Watch` says
  // whether to stay with an empty lane that may soon be pushed to. First glance(0), glance(1), ... -> bool, as long as it looks while the
  // lane still counts as running; then begin() -> bool, keep_on() -> bool as long as it stays, and end(resumed) once after a begin that was
  // true.
  template <class Watch>
  static void run(Lane& lane, Place& place, Watch&& watch) {
    set_running(lane);
    lane.arrivals_ = 0;
    for (;;) {
      switch (lane.run(place)) {
        case Lane::End::kFinished:
          lane.finished();
          return;
        case Lane::End::kYielded:
          lane.change(Lane::kStateMask, Lane::kRunning, Lane::kReady);
          place.scheduler.ready(lane);
          return;
        case Lane::End::kStalled:
          if (lane.change(Lane::kStateMask | Lane::kSignalled, Lane::kRunning, Lane::kAsleep)) return;
          break;
        case Lane::End::kEmpty:
          if (!is_pushed_to_soon(lane, watch) && leave(lane, watch)) return;
          break;
      }
      // Told to look again: it has been told once this is cleared.
      if ((lane.state_.load(std::memory_order_relaxed) & Lane::kSignalled) != 0) set_running(lane);
    }
  }

 private:
  static void set_running(Lane& lane) {
    uint32_t word = lane.state_.load(std::memory_order_relaxed);
    while (!lane.state_.compare_exchange_weak(word,
                                              Lane::with_state(word & ~Lane::kSignalled, Lane::kRunning),
                                              std::memory_order_acq_rel, std::memory_order_relaxed)) {
    }
  }

  // Whoever submits one operation after the other is at it again before anything else would be worth while.
  template <class Watch>
  static bool is_pushed_to_soon(Lane& lane, Watch& watch) {
    const uint64_t taken = lane.taken();
    for (uint32_t look = 0; watch.glance(look); ++look) {
      if (lane.pushed() != taken) {
        lane.note_arrival();
        return true;
      }
      if ((lane.state_.load(std::memory_order_relaxed) & Lane::kSignalled) != 0) return true;
    }
    return false;
  }

  // True when the lane is somebody else's or nobody's now; false when there is something to run.
  template <class Watch>
  static bool leave(Lane& lane, Watch& watch) {
    if (!watch.begin()) return lane.leave_empty();
    bool gone = false;
    if (lane.change(Lane::kStateMask | Lane::kSignalled, Lane::kRunning, Lane::kWatched))
      gone = stay(lane, watch);
    watch.end(!gone);
    return gone;
  }

  template <class Watch>
  static bool stay(Lane& lane, Watch& watch) {
    const uint64_t taken = lane.taken();
    for (;;) {
      const uint32_t word = lane.state_.load(std::memory_order_acquire);
      if (Lane::state_of(word) == Lane::kTaken) {
        if (lane.change(Lane::kStateMask, Lane::kTaken, Lane::kRunning)) return true;
      } else if ((word & Lane::kSignalled) != 0 || lane.pushed() != taken) {
        if (lane.change(Lane::kStateMask, Lane::kWatched, Lane::kRunning)) return false;
      } else if (!watch.keep_on()) {
        if (lane.change(Lane::kStateMask, Lane::kWatched, Lane::kRunning)) return lane.leave_empty();
      }
    }
  }
};

}  // namespace xhal::sim
