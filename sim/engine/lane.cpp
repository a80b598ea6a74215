// SPDX-License-Identifier: Apache-2.0
#include "engine/lane.hpp"

#include "engine/scheduler.hpp"

namespace xhal::sim {

bool Lane::change(uint64_t mask, uint64_t expected, State to) {
  uint64_t word = word_.load(std::memory_order_relaxed);
  while ((word & mask) == expected) {
    if (word_.compare_exchange_weak(word, with_state(word, to), std::memory_order_acq_rel,
                                    std::memory_order_relaxed))
      return true;
  }
  return false;
}

void Lane::wake_idle(Scheduler& scheduler) {
  if (change(kStateMask, kIdle, kReady)) scheduler.ready(*this);
}

void Lane::signal(Scheduler& scheduler) {
  uint64_t word = word_.load(std::memory_order_relaxed);
  for (;;) {
    const uint64_t state = state_of(word);
    if (state == kRetired) return;
    const bool sleeps = state == kIdle || state == kAsleep;
    const uint64_t wanted = sleeps ? with_state(word, kReady) : word | kSignalled;
    if (word_.compare_exchange_weak(word, wanted, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      if (sleeps) scheduler.ready(*this);
      return;
    }
  }
}

bool Lane::try_take() {
  uint64_t word = word_.load(std::memory_order_relaxed);
  for (;;) {
    const uint64_t state = state_of(word);
    if ((word & kSignalled) != 0 || (state != kIdle && state != kWatched)) return false;
    const State to = state == kIdle ? kRunning : kTaken;
    if (word_.compare_exchange_weak(word, with_state(word, to), std::memory_order_acq_rel,
                                    std::memory_order_relaxed))
      return true;
  }
}

// What was pushed meanwhile is the watching worker's, when it has not noticed that it lost the lane, or some other one's.
void Lane::give_back(Scheduler& scheduler) {
  uint64_t word = word_.load(std::memory_order_relaxed);
  for (;;) {
    State to = kIdle;
    if (state_of(word) == kTaken) {
      to = kWatched;
    } else if (word >> kCountShift != taken() || (word & kSignalled) != 0) {
      to = kReady;
    }
    if (word_.compare_exchange_weak(word, with_state(word, to), std::memory_order_acq_rel,
                                    std::memory_order_relaxed)) {
      if (to == kReady) scheduler.ready(*this);
      return;
    }
  }
}

// Pushed to and not woken yet: somebody will run it.
bool Lane::try_retire() {
  uint64_t word = word_.load(std::memory_order_acquire);
  while ((word & (kStateMask | kSignalled)) == kIdle && word >> kCountShift == taken()) {
    if (word_.compare_exchange_weak(word, with_state(word, kRetired), std::memory_order_acq_rel,
                                    std::memory_order_acquire))
      return true;
  }
  return false;
}

}  // namespace xhal::sim
