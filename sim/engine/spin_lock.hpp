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
  // The holder may have lost its processor, so that waiting must give one up soon.
  [[gnu::noinline]] void lock_slowly() {
    for (uint32_t turn = 0;; ++turn) {
      if (!taken_.load(std::memory_order_relaxed) && !taken_.exchange(true, std::memory_order_acquire))
        return;
      if (turn < 64) {
        cpu_pause();
      } else if (turn < 128) {
        sched_yield();
      } else {
        const timespec nap = {0, 50'000};
        nanosleep(&nap, nullptr);
      }
    }
  }

  std::atomic<bool> taken_{false};
};

}  // namespace xhal::sim
