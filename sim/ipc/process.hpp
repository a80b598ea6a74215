// SPDX-License-Identifier: Apache-2.0
// Which process it was: a process id is used again, a process id with its start time is not.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace xhal::sim {

class ProcessId {
 public:
  constexpr ProcessId() = default;
  explicit constexpr ProcessId(uint64_t word) : word_(word) {}
  static ProcessId own();

  [[nodiscard]] pid_t pid() const { return static_cast<pid_t>(word_ & kPidMask); }
  [[nodiscard]] uint64_t word() const { return word_; }
  // False once it has ended, collected by its parent or not. True where that cannot be found out.
  [[nodiscard]] bool is_alive() const;
  friend bool operator==(ProcessId, ProcessId) = default;

 private:
  // Linux's largest process id is 2^22 - 1; the rest is for the clock ticks since the machine's start.
  static constexpr uint32_t kPidBits = 22;
  static constexpr uint64_t kPidMask = (uint64_t{1} << kPidBits) - 1;

  uint64_t word_ = 0;
};

}  // namespace xhal::sim
