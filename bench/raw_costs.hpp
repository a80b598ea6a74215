// SPDX-License-Identifier: Apache-2.0
// The least that this machine's threads can do for what a stream does: the references of the simulator's benchmarks.
#pragma once

#include <chrono>

namespace xhal::bench {

template <class Body>
double nanoseconds_once(Body&& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
}

template <class Body>
double nanoseconds_each(int times, Body&& body) {
  return nanoseconds_once([&] {
           for (int i = 0; i < times; ++i) body();
         }) /
         times;
}

// All give nanoseconds for one operation. Threads are started before, and joined after, what is counted.

// Hands 64-byte slots to a thread that spins for them: the handing alone, and until the thread has seen the last one.
double raw_ring_submit(int slots);
double raw_ring_through(int slots);
// A word to a thread that spins for it, and back; to one that sleeps on a futex, and back.
double raw_spin_round_trip(int times);
double raw_futex_round_trip(int times);
// An uncontended mutex, locked and unlocked; an acquire load of a word that nobody changes.
double raw_lock(int times);
double raw_load(int times);
// A fixed amount of arithmetic, split among `threads` threads.
double raw_work(int threads);

}  // namespace xhal::bench
