// SPDX-License-Identifier: Apache-2.0
#include "bench/limits/limits.hpp"

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>

#include "bench/runner/other_threads.hpp"

namespace xhal::bench {
namespace {

// Handing over costs threads of its own in each block, so that a block is long.
constexpr uint64_t kSlots = 1000;
constexpr uint64_t kFewTrips = 200;
constexpr uint64_t kParkedTrips = 5;
constexpr uint64_t kWakeTrips = 2;  // each with threads of its own

int count(uint64_t units) { return static_cast<int>(units); }

Side exactly(const char* name, uint64_t units, std::function<double(uint64_t)> block) {
  return {name, std::move(block), units, units};
}

}  // namespace

Side indirect_call_limit() {
  using Call = int (*)(const void*, unsigned);
  static const Call volatile call = [](const void* one, unsigned two) {
    return static_cast<int>(one == nullptr && two == 7);
  };
  return {"indirect_call",
          [](uint64_t units) {
            const Call target = call;
            return nanoseconds_each(units, [&] { benchmark::DoNotOptimize(target(&target, 3)); });
          },
          1, 1'000'000};
}

Side ring_limit(Reader reader, Until until) {
  return exactly("ring", kSlots, [=](uint64_t units) { return raw_ring(count(units), reader, until); });
}

Side slot_row_limit(Until until) {
  return exactly("slot_row", kSlots, [=](uint64_t units) { return raw_slot_row(count(units), until); });
}

Side spin_limit() {
  return exactly("spin", kFewTrips, [](uint64_t units) { return raw_spin_round_trip(count(units)); });
}

Side futex_limit() {
  return exactly("futex", kParkedTrips, [](uint64_t units) { return raw_futex_round_trip(count(units)); });
}

Side parked_limit(Back back) {
  return exactly(back == Back::kAsleep ? "futex" : "futex_and_spin", kParkedTrips, [back](uint64_t units) {
    return raw_parked_round_trip(count(units), back, wait_until_others_sleep);
  });
}

Side wake_limit() {
  return exactly("futex_wake", kWakeTrips, [](uint64_t units) { return raw_wake(count(units)); });
}

Side lock_limit() {
  return {"lock", [](uint64_t units) { return raw_lock(count(units)); }, 1, 1'000'000};
}

Side load_limit() {
  return {"load", [](uint64_t units) { return raw_load(count(units)); }, 1, 1'000'000};
}

Side malloc_limit(uint64_t size) {
  return {"malloc",
          [size](uint64_t units) {
            return nanoseconds_each(units, [size] {
              void* const block = std::malloc(size);
              benchmark::DoNotOptimize(block);
              std::free(block);
            });
          },
          1, 100'000};
}

Side memcpy_limit(void* to, const void* from, uint64_t size) {
  return {"memcpy",
          [=](uint64_t units) {
            return nanoseconds_each(units, [=] {
              std::memcpy(to, from, size);
              benchmark::ClobberMemory();
            });
          },
          1, 100'000};
}

Side memcpy_by_thread_limit(void* to, const void* from, uint64_t size) {
  // Each takes two time slices where the threads share a processor.
  constexpr uint64_t kMostHandings = 8;
  return {"thread",
          [=](uint64_t units) {
            return raw_by_another_thread(count(units), [=] {
              std::memcpy(to, from, size);
              benchmark::ClobberMemory();
            });
          },
          1, kMostHandings};
}

}  // namespace xhal::bench
