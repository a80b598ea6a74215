// SPDX-License-Identifier: Apache-2.0
#include "engine/biased_lock.hpp"

namespace xhal::sim {

constinit thread_local uint64_t BiasedLock::this_thread = kUnnumbered;

void BiasedLock::lock_as_anybody() {
  if (this_thread == kUnnumbered) {
    static std::atomic<uint64_t> last_number{kNobody};
    this_thread = last_number.fetch_add(kPlaces, std::memory_order_relaxed) + kPlaces;
  }
  lock_.lock();
  if (const uint64_t owner = owner_.load(std::memory_order_relaxed); owner != kNobody) {
    owner_.store(kNobody, std::memory_order_relaxed);
    heavy_fence();
    Backoff backoff;
    while (owner_inside_[owner % kPlaces].load(std::memory_order_acquire)) backoff.wait();
    wanted_streak_ = std::min(2 * wanted_streak_, kLongestStreak);
  }
  streak_ = last_ == this_thread ? streak_ + 1 : 1;
  last_ = this_thread;
  if (streak_ >= wanted_streak_ && has_heavy_fence()) {
    streak_ = 0;
    make_own();
  }
}

// The lock is still held by lock_, this time.
void BiasedLock::make_own() {
  for (uint64_t place = 0; place < kPlaces; ++place) {
    if (threads_[place] != kNobody && threads_[place] != this_thread) continue;
    threads_[place] = this_thread;
    owner_.store(this_thread + place, std::memory_order_relaxed);
    return;
  }
}

}  // namespace xhal::sim
