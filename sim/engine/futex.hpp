// SPDX-License-Identifier: Apache-2.0
// Sleeping on a word of memory, with deadlines on the monotonic clock.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace xhal::sim {

// A point in time that never comes.
inline constexpr uint64_t kNever = UINT64_MAX;

inline uint64_t monotonic_ns() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

// Sleeps while `word` is `expected`, at most until `deadline_ns`. Wakes without a reason as well: callers look again.
inline void futex_wait(const std::atomic<uint32_t>& word, uint32_t expected, uint64_t deadline_ns) {
  timespec deadline = {};
  deadline.tv_sec = static_cast<time_t>(deadline_ns / 1'000'000'000u);
  deadline.tv_nsec = static_cast<long>(deadline_ns % 1'000'000'000u);
  // FUTEX_WAIT_BITSET takes an absolute time, plain FUTEX_WAIT a relative one that each early wake would stretch.
  syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
          deadline_ns == kNever ? nullptr : &deadline, nullptr, FUTEX_BITSET_MATCH_ANY);
}

inline void futex_wake(const std::atomic<uint32_t>& word) {
  syscall(SYS_futex, &word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT32_MAX, nullptr, nullptr, 0);
}

}  // namespace xhal::sim
