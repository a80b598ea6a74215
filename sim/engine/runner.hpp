// SPDX-License-Identifier: Apache-2.0
// How a worker runs a lane, whoever schedules it.
#pragma once

#include "engine/lane.hpp"
#include "engine/scheduler.hpp"

namespace xhal::sim {

class Runner {
 public:
  // Runs a lane that was given to Scheduler::ready() until it has ended, or others go first, or it has nothing to do. `Watch` says
  // whether to stay with an empty lane that may soon be pushed to: begin() -> bool, keep_on() -> bool as long as it stays, and
  // end(resumed) once after a begin that was true.
  template <class Watch>
  static void run(Lane& lane, Place& place, Watch&& watch) {
    set(lane, Lane::kRunning);
    for (;;) {
      switch (lane.run(place)) {
        case Lane::End::kFinished:
          lane.finished();
          return;
        case Lane::End::kYielded:
          set(lane, Lane::kReady);
          place.scheduler.ready(lane);
          return;
        case Lane::End::kStalled:
          if (lane.change(Lane::kStateMask | Lane::kSignalled, Lane::kRunning, Lane::kAsleep)) return;
          break;
        case Lane::End::kEmpty:
          if (leave_empty(lane, watch)) return;
          break;
      }
      // Told to look again: it has been told once this is cleared.
      set(lane, Lane::kRunning);
    }
  }

 private:
  // The state, without a signal that is answered by what comes now.
  static void set(Lane& lane, Lane::State state) {
    uint64_t word = lane.word_.load(std::memory_order_relaxed);
    while (!lane.word_.compare_exchange_weak(word, Lane::with_state(word & ~Lane::kSignalled, state),
                                             std::memory_order_acq_rel, std::memory_order_relaxed)) {
    }
  }

  // True when the lane is somebody else's or nobody's now; false when there is something to run.
  template <class Watch>
  static bool leave_empty(Lane& lane, Watch& watch) {
    uint64_t word = lane.taken() << Lane::kCountShift | Lane::kRunning;
    if (!watch.begin()) {
      return lane.word_.compare_exchange_strong(word, Lane::with_state(word, Lane::kIdle),
                                                std::memory_order_acq_rel);
    }
    bool gone = false;
    if (lane.word_.compare_exchange_strong(word, Lane::with_state(word, Lane::kWatched),
                                           std::memory_order_acq_rel))
      gone = stay(lane, Lane::with_state(word, Lane::kWatched), watch);
    watch.end(!gone);
    return gone;
  }

  // `watched`: the word as long as nothing happens.
  template <class Watch>
  static bool stay(Lane& lane, const uint64_t watched, Watch& watch) {
    for (;;) {
      uint64_t word = lane.word_.load(std::memory_order_acquire);
      if (Lane::state_of(word) == Lane::kTaken) {
        if (lane.change(Lane::kStateMask, Lane::kTaken, Lane::kRunning)) return true;
      } else if (word != watched) {
        if (lane.change(Lane::kStateMask, Lane::kWatched, Lane::kRunning)) return false;
      } else if (!watch.keep_on()) {
        if (lane.word_.compare_exchange_strong(word, Lane::with_state(watched, Lane::kIdle),
                                               std::memory_order_acq_rel))
          return true;
      }
    }
  }
};

}  // namespace xhal::sim
