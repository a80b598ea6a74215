// SPDX-License-Identifier: Apache-2.0
// A lock for sections of some tens of nanoseconds that rarely meet: one locked instruction to take it, a plain store to leave it.
#pragma once

#include <sched.h>
#include <time.h>

#include <atomic>
#include <cstdint>

namespace xhal::sim {

inline void cpu_pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Between the looks at a word that another thread is about to change. That thread may have lost its processor, so that waiting must give
// one up soon.
class Backoff {
 public:
  void wait() {
    if (turn_ < kPauses) {
      cpu_pause();
    } else if (turn_ < kYields) {
      sched_yield();
    } else {
      const timespec nap = {0, 50'000};
      nanosleep(&nap, nullptr);
    }
    ++turn_;
  }

 private:
  static constexpr uint32_t kPauses = 64;
  static constexpr uint32_t kYields = 128;
  uint32_t turn_ = 0;
};

class SpinLock {
 public:
  SpinLock() = default;
  SpinLock(const SpinLock&) = delete;
  SpinLock& operator=(const SpinLock&) = delete;

  void lock() {
    if (!taken_.exchange(true, std::memory_order_acquire)) [[likely]]
      return;
    lock_slowly();
  }
  void unlock() { taken_.store(false, std::memory_order_release); }

 private:
  [[gnu::noinline]] void lock_slowly() {
    for (Backoff backoff;; backoff.wait()) {
      if (!taken_.load(std::memory_order_relaxed) && !taken_.exchange(true, std::memory_order_acquire))
        return;
    }
  }

  std::atomic<bool> taken_{false};
};

}  // namespace xhal::sim
