// SPDX-License-Identifier: Apache-2.0
// How long a sleeping thread takes to run again once a running one is told to wake it.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <thread>

#include "bench/runner/clock.hpp"
#include "bench/runner/other_threads.hpp"
#include "bench/runner/row.hpp"
#include "bench/runner/spin_pause.hpp"

namespace xhal::bench {

// What keeps the waiter waiting: a thread that spins until it is told to go, then ends the wait.
struct SpinningGate {
  std::atomic<bool> entered{false};
  std::atomic<bool> go{false};
  void pass() {
    entered.store(true, std::memory_order_release);
    while (!go.load(std::memory_order_acquire)) spin_pause();
  }
};

// Nanoseconds a trip. `hold` lets some thread pass() the gate, `wait`, on a thread of its own, returns soon after the gate was passed, and
// `clean_up` is called when it has. Throws NotHere when the waiter does not sleep.
inline double wake_trips(int times, const std::function<void(SpinningGate&)>& hold,
                         const std::function<void()>& wait, const std::function<void()>& clean_up) {
  double sum = 0;
  for (int i = 0; i < times; ++i) {
    SpinningGate gate;
    hold(gate);
    while (!gate.entered.load(std::memory_order_acquire)) spin_pause();
    std::atomic<pid_t> waiter_id{0};
    Clock::time_point end;
    std::exception_ptr failed;
    std::thread waiter([&] {
      waiter_id.store(this_thread());
      try {
        wait();
      } catch (...) {
        failed = std::current_exception();
      }
      end = Clock::now();
    });
    while (waiter_id.load() == 0) spin_pause();
    const bool sleeps = falls_asleep(waiter_id.load());
    const Clock::time_point start = Clock::now();
    gate.go.store(true, std::memory_order_release);
    waiter.join();  // asleep: a processor is free for the waiter
    clean_up();
    if (failed) std::rethrow_exception(failed);
    if (!sleeps) throw NotHere("a thread that waits does not fall asleep");
    sum += std::chrono::duration<double, std::nano>(end - start).count();
  }
  return sum / times;
}

}  // namespace xhal::bench
