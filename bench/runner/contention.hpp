// SPDX-License-Identifier: Apache-2.0
// How much of the processors others used meanwhile.
#pragma once

namespace xhal::bench {

// In seconds of processors, since the system started, or this process.
struct ProcessorTime {
  double used = 0;    // by everybody, the host of a virtual machine included
  double own = 0;     // by this process, and those of its children that have ended
  double passed = 0;  // of all processors
};
// Zeros where the system does not tell.
[[nodiscard]] ProcessorTime processor_time();

struct Contention {
  double others_s = 0;  // used by others
  double passed_s = 0;

  Contention& operator+=(const Contention& other) {
    others_s += other.others_s;
    passed_s += other.passed_s;
    return *this;
  }
  // More than this part of all processors' time, beyond what the system's clock ticks leave open.
  [[nodiscard]] bool is_above(double part) const { return others_s > part * passed_s + kUnsure; }

  static constexpr double kUnsure = 0.03;
};
[[nodiscard]] Contention contention_since(const ProcessorTime& begin);

}  // namespace xhal::bench
