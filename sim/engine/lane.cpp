// SPDX-License-Identifier: Apache-2.0
#include "engine/lane.hpp"

#include "engine/scheduler.hpp"

namespace xhal::sim {

bool Lane::change(uint32_t mask, uint32_t expected, State to) {
  uint32_t word = state_.load(std::memory_order_relaxed);
  while ((word & mask) == expected) {
    if (state_.compare_exchange_weak(word, with_state(word, to), std::memory_order_seq_cst,
                                     std::memory_order_relaxed))
      return true;
  }
  return false;
}

// A second store of the same number, which is a fence as well: it and the look at the state are in one order with what leave_empty() does.
bool Lane::push_to_cold(uint64_t number) {
  pushed_.exchange(number, std::memory_order_seq_cst);
  const uint32_t state = state_of(state_.load(std::memory_order_seq_cst));
  return state == kIdle || state == kLeaving;
}

void Lane::heat() {
  if (has_heavy_fence()) state_.fetch_or(kHot, std::memory_order_seq_cst);
}

// A push that saw the lane hot did so before the state below was written, so the heavy fence brings its number here.
bool Lane::leave_empty() {
  const uint64_t taken = this->taken();
  uint32_t word = state_.load(std::memory_order_relaxed);
  while (
      !state_.compare_exchange_weak(word, kLeaving, std::memory_order_seq_cst, std::memory_order_relaxed)) {
  }
  if ((word & kHot) != 0) heavy_fence();
  uint32_t leaving = kLeaving;
  if ((word & kSignalled) == 0 && pushed_.load(std::memory_order_seq_cst) == taken &&
      state_.compare_exchange_strong(leaving, kIdle, std::memory_order_seq_cst))
    return true;
  change(kStateMask, kLeaving, kRunning);
  return false;
}

void Lane::signal(Scheduler& scheduler) {
  uint32_t word = state_.load(std::memory_order_relaxed);
  for (;;) {
    const uint32_t state = state_of(word);
    if (state == kRetired) return;
    const bool sleeps = state == kIdle || state == kAsleep;
    const uint32_t wanted = sleeps ? with_state(word, kReady) : word | kSignalled;
    if (state_.compare_exchange_weak(word, wanted, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      if (!sleeps) return;
      resumes_ = state == kAsleep;
      scheduler.ready(*this);
      return;
    }
  }
}

// Nobody pushes meanwhile, and all former pushes are seen: what is taken needs not be hot.
bool Lane::try_take() {
  uint32_t word = state_.load(std::memory_order_relaxed);
  for (;;) {
    const uint32_t state = state_of(word);
    if ((word & kSignalled) != 0 || (state != kIdle && state != kWatched)) return false;
    const State to = state == kIdle ? kRunning : kTaken;
    if (state_.compare_exchange_weak(word, to, std::memory_order_acq_rel, std::memory_order_relaxed))
      return true;
  }
}

// What was pushed meanwhile is the watching worker's, when it has not noticed that it lost the lane, or some other one's.
void Lane::give_back(Scheduler& scheduler) {
  if (change(kStateMask, kTaken, kWatched) || leave_empty()) return;
  change(kStateMask, kRunning, kReady);
  scheduler.ready(*this);
}

// Pushed to and not woken yet: somebody will run it.
bool Lane::try_retire() {
  uint32_t word = state_.load(std::memory_order_acquire);
  return word == kIdle && pushed() == taken() &&
         state_.compare_exchange_strong(word, kRetired, std::memory_order_acq_rel, std::memory_order_acquire);
}

}  // namespace xhal::sim
