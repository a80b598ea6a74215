// SPDX-License-Identifier: Apache-2.0
// A lock that mostly one thread takes, over and over: for that thread it costs two plain stores. A locked instruction would not only
// take its own time, it would wait until another processor has let go of all that was written before it.
//
// The lock belongs to the thread that has taken it many times in a row. Who else wants it takes it away from that thread, at the price of
// some microseconds; from then on it is an ordinary lock, until it has become one thread's again.
//
// A thread that found the lock to be its own may be held up before it says that it is inside, until long after the lock became another's.
// So each thread that may own it has a place of its own to say so, for good: what a late one writes there says nothing of who is
// inside now. There are few places; to a thread that came after they were given away, the lock is an ordinary one.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>

#include "engine/asymmetric.hpp"
#include "engine/spin_lock.hpp"

namespace xhal::sim {

class BiasedLock {
 public:
  BiasedLock() = default;
  BiasedLock(const BiasedLock&) = delete;
  BiasedLock& operator=(const BiasedLock&) = delete;

  void lock() {
    const uint64_t me = this_thread;
    const uint64_t owner = owner_.load(std::memory_order_relaxed);
    if (const uint64_t place = owner - me; place < kPlaces) [[likely]] {
      std::atomic<bool>& inside = owner_inside_[place];
      inside.store(true, std::memory_order_relaxed);
      light_fence();
      if (owner_.load(std::memory_order_relaxed) == owner) [[likely]] {
        held_by_owner_ = &inside;
        return;
      }
      inside.store(false, std::memory_order_release);
    }
    lock_as_anybody();
  }
  void unlock() {
    if (held_by_owner_ != nullptr) [[likely]] {
      std::exchange(held_by_owner_, nullptr)->store(false, std::memory_order_release);
    } else {
      lock_.unlock();
    }
  }

 private:
  static constexpr uint64_t kNobody = 0;
  static constexpr uint32_t kFirstStreak = 8;
  static constexpr uint32_t kLongestStreak = 1024;

  void lock_as_anybody();
  // Lets the calling thread own the lock when it has a place, or gets one.
  void make_own();

  // A number of its own for each thread there ever was, so that a new thread is never taken for one that has ended: a multiple of
  // kPlaces, to which an owner's place is added. Not kNobody, even before the thread has its number.
  static constexpr uint64_t kPlaces = 4;
  static constexpr uint64_t kUnnumbered = UINT64_MAX - (kPlaces - 1);
  // Initial-exec: one load instead of a call into the dynamic linker.
  [[gnu::tls_model("initial-exec")]] static constinit thread_local uint64_t this_thread;

  std::atomic<uint64_t> owner_{kNobody};
  std::atomic<bool> owner_inside_[kPlaces] = {};
  std::atomic<bool>* held_by_owner_ = nullptr;  // of whoever holds the lock
  SpinLock lock_;                               // everybody else's
  // Of whoever holds lock_.
  uint32_t streak_ = 0;
  uint32_t wanted_streak_ = kFirstStreak;
  uint64_t last_ = kNobody;
  uint64_t threads_[kPlaces] = {};  // whose places they are
};

}  // namespace xhal::sim
