// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "bench/limits/other_side.hpp"
#include "bench/limits/raw_costs.hpp"
#include "bench/runner/clock.hpp"
#include "bench/runner/spin_pause.hpp"

namespace xhal::bench {
namespace {

struct alignas(64) Slot {
  std::array<uint64_t, 8> words;
};

// One hands, one takes. Slot number n, from 1 on, lies at place n - 1, modulo the number of places.
class Ring {
 public:
  explicit Ring(uint64_t places) : slots_(places), places_(places) {}

  void hand(uint64_t number) {
    if (number - taken_when_looked_ > places_) look_for_room(number);
    slots_[place_to_hand_].words.fill(number);
    if (++place_to_hand_ == places_) place_to_hand_ = 0;
    handed_.store(number, std::memory_order_release);
  }
  void take(uint64_t first, uint64_t last) {
    uint64_t sum = 0;
    for (uint64_t next = first; next <= last;) {
      const uint64_t handed = handed_.load(std::memory_order_acquire);
      if (handed < next) spin_pause();
      for (; next <= handed; ++next) {
        for (const uint64_t word : slots_[place_to_take_].words) sum += word;
        if (++place_to_take_ == places_) place_to_take_ = 0;
        taken_.store(next, std::memory_order_release);
      }
    }
    benchmark::DoNotOptimize(sum);
  }
  [[nodiscard]] uint64_t taken() const { return taken_.load(std::memory_order_acquire); }
  void wait_until_taken(uint64_t last) const {
    while (taken() != last) spin_pause();
  }

 private:
  void look_for_room(uint64_t number) {
    do {
      taken_when_looked_ = taken_.load(std::memory_order_acquire);
    } while (number - taken_when_looked_ > places_);
  }

  std::vector<Slot> slots_;
  const uint64_t places_;
  uint64_t taken_when_looked_ = 0;
  uint64_t place_to_hand_ = 0;
  alignas(64) std::atomic<uint64_t> handed_{0};
  alignas(64) std::atomic<uint64_t> taken_{0};
  uint64_t place_to_take_ = 0;
};

// Nanoseconds a slot, and whether the reader kept up.
std::pair<double, bool> hand_all(uint64_t places, uint64_t before, int slots, Reader reader, Until until) {
  const auto ring = std::make_unique<Ring>(places);
  const uint64_t last = before + static_cast<uint64_t>(slots);
  std::atomic<bool> reads{reader == Reader::kRuns};
  std::atomic<bool> ready{false};
  std::thread taker([&] {
    ring->take(1, before);
    ready.store(true);
    while (!reads.load()) spin_pause();
    ring->take(before + 1, last);
  });
  for (uint64_t number = 1; number <= before; ++number) ring->hand(number);
  while (!ready.load()) spin_pause();
  bool reader_ran = false;
  const double ns = nanoseconds_of([&] {
    for (uint64_t number = before + 1; number <= last; ++number) ring->hand(number);
    reader_ran =
        reader == Reader::kIsHeld || ring->taken() > before + static_cast<uint64_t>(slots) / kKeptUpPart;
    if (until == Until::kTaken) ring->wait_until_taken(last);
  });
  reads.store(true);
  taker.join();
  return {ns / slots, reader_ran};
}

double measure(uint64_t places, uint64_t before, int slots, Reader reader, Until until) {
  return while_the_other_runs([&] { return hand_all(places, before, slots, reader, until); });
}

}  // namespace

double raw_ring(int slots, Reader reader, Until until) {
  return measure(kRingSlots, kRingSlots, slots, reader, until);
}

double raw_slot_row(int slots, Until until) {
  return measure(static_cast<uint64_t>(slots), 0, slots, Reader::kRuns, until);
}

}  // namespace xhal::bench
