// SPDX-License-Identifier: Apache-2.0
#include "raw_costs.hpp"

#include <benchmark/benchmark.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace xhal::bench {
namespace {

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

struct alignas(64) Slot {
  std::array<uint64_t, 8> words;
};

// Room for every slot of a measurement, so that the one who hands never waits.
class Ring {
 public:
  explicit Ring(int slots) : slots_(static_cast<size_t>(slots)) {}

  void hand(uint64_t number) {
    slots_[number - 1].words.fill(number);
    handed_.store(number, std::memory_order_release);
  }
  void take_until(uint64_t last) {
    ready_.store(true, std::memory_order_release);
    uint64_t sum = 0;
    for (uint64_t taken = 0; taken < last;) {
      const uint64_t handed = handed_.load(std::memory_order_acquire);
      if (handed == taken) pause();
      for (; taken < handed; ++taken) {
        for (const uint64_t word : slots_[taken].words) sum += word;
        taken_.store(taken + 1, std::memory_order_release);
      }
    }
    benchmark::DoNotOptimize(sum);
  }
  void wait_until_ready() const {
    while (!ready_.load(std::memory_order_acquire)) pause();
  }
  void wait_until_taken(uint64_t last) const {
    while (taken_.load(std::memory_order_acquire) != last) pause();
  }

 private:
  std::vector<Slot> slots_;
  alignas(64) std::atomic<uint64_t> handed_{0};
  alignas(64) std::atomic<uint64_t> taken_{0};
  alignas(64) std::atomic<bool> ready_{false};
};

double ring(int slots, bool until_taken) {
  const auto last = static_cast<uint64_t>(slots);
  const auto ring = std::make_unique<Ring>(slots);
  std::thread taker([&] { ring->take_until(last); });
  ring->wait_until_ready();
  const double ns = nanoseconds_once([&] {
    for (uint64_t i = 1; i <= last; ++i) ring->hand(i);
    if (until_taken) ring->wait_until_taken(last);
  });
  taker.join();
  return ns / slots;
}

// A word that one side sets and the other one waits for.
class SpinWord {
 public:
  void set(uint32_t value) { word_.store(value, std::memory_order_release); }
  void wait_for(uint32_t value) {
    while (word_.load(std::memory_order_acquire) != value) pause();
  }

 private:
  alignas(64) std::atomic<uint32_t> word_{0};
};

class FutexWord {
 public:
  void set(uint32_t value) {
    word_.store(value, std::memory_order_release);
    syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
  void wait_for(uint32_t value) {
    for (uint32_t now = 0; (now = word_.load(std::memory_order_acquire)) != value;)
      syscall(SYS_futex, &word_, FUTEX_WAIT_PRIVATE, now, nullptr, nullptr, 0);
  }

 private:
  alignas(64) std::atomic<uint32_t> word_{0};
};

template <class Word>
double round_trips(int times) {
  Word there;
  Word back;
  const auto last = static_cast<uint32_t>(times) + 1;
  std::thread other([&] {
    for (uint32_t i = 1; i <= last; ++i) {
      there.wait_for(i);
      back.set(i);
    }
  });
  uint32_t number = 0;
  const auto once = [&] {
    there.set(++number);
    back.wait_for(number);
  };
  once();  // from here on the other thread runs
  const double ns = nanoseconds_each(times, once);
  other.join();
  return ns;
}

void spin_arithmetic(uint64_t steps) {
  uint64_t value = steps;
  for (uint64_t i = 0; i < steps; ++i) {
    value = value * 6364136223846793005u + 1442695040888963407u;
    benchmark::DoNotOptimize(value);
  }
}

}  // namespace

double raw_ring_submit(int slots) { return ring(slots, false); }
double raw_ring_through(int slots) { return ring(slots, true); }
double raw_spin_round_trip(int times) { return round_trips<SpinWord>(times); }
double raw_futex_round_trip(int times) { return round_trips<FutexWord>(times); }

double raw_lock(int times) {
  static std::mutex mutex;
  return nanoseconds_each(times, [] { const std::lock_guard lock(mutex); });
}

double raw_load(int times) {
  static std::atomic<uint64_t> word{1};
  return nanoseconds_each(times, [] { benchmark::DoNotOptimize(word.load(std::memory_order_acquire)); });
}

double raw_work(int threads) {
  constexpr uint64_t kSteps = 4'000'000;
  const uint64_t share = kSteps / static_cast<uint64_t>(threads);
  std::atomic<int> ready{1};
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) {
    others.emplace_back([&] {
      ready.fetch_add(1);
      while (ready.load() <= threads) pause();
      spin_arithmetic(share);
    });
  }
  while (ready.load() < threads) pause();
  return nanoseconds_once([&] {
    ready.fetch_add(1);
    spin_arithmetic(share);
    for (std::thread& other : others) other.join();
  });
}

}  // namespace xhal::bench
