// SPDX-License-Identifier: Apache-2.0
// The user's wish to stop, as a descriptor.
#pragma once

#include <array>
#include <csignal>
#include <cstdint>

namespace xhal::conformance {

// Nanoseconds of a clock that only moves forward. Called by a signal handler.
using SignalClock = int64_t (*)();
int64_t monotonic_now();

// SIGINT, SIGTERM and the terminal's end turn into a readable descriptor while it lives; one of them at a time. A signal that the program
// was started to ignore, as by nohup(1) or in the background of a script, stays ignored.
class Interrupts {
 public:
  explicit Interrupts(SignalClock clock = monotonic_now);  // throws std::system_error
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  [[nodiscard]] int fd() const { return pipe_[0]; }

  // timeout(1) sends its signal twice in a row, to its child and to its group: signals this close to the first are one wish. Whoever insists
  // later gets out at once, by the signal itself.
  static constexpr int64_t kOneWish = 500'000'000;

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};

  std::array<int, 2> pipe_{};
  std::array<struct sigaction, kSignals.size()> former_{};
};

}  // namespace xhal::conformance
