// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "bench/limits/raw_costs.hpp"
#include "bench/limits/wake_trips.hpp"
#include "bench/runner/clock.hpp"
#include "bench/runner/other_threads.hpp"
#include "bench/runner/spin_pause.hpp"

namespace xhal::bench {
namespace {

uint64_t count(int times) { return static_cast<uint64_t>(times); }

// A word that one side sets and the other one waits for.
class SpinWord {
 public:
  void set(uint32_t value) { word_.store(value, std::memory_order_release); }
  void wait_for(uint32_t value) {
    while (word_.load(std::memory_order_acquire) != value) spin_pause();
  }

 private:
  alignas(64) std::atomic<uint32_t> word_{0};
};

// Threads that spin until all are there and told to go; they have ended when this has.
class SpinningThreads {
 public:
  SpinningThreads(int count, std::function<void(int)> body) : body_(std::move(body)) {
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([this, i] {
        ready_.fetch_add(1);
        while (!go_.load()) spin_pause();
        body_(i);
      });
    }
    while (ready_.load() < count) spin_pause();
  }
  ~SpinningThreads() {
    for (std::thread& thread : threads_) thread.join();
  }
  SpinningThreads(const SpinningThreads&) = delete;
  SpinningThreads& operator=(const SpinningThreads&) = delete;
  void go() { go_.store(true); }

 private:
  std::function<void(int)> body_;
  std::atomic<int> ready_{0};
  std::atomic<bool> go_{false};
  std::vector<std::thread> threads_;
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

// `measure` makes trips by calling what it is given. The first one, which brings the other thread to life, is none of its.
template <class There, class Back, class Measure>
double with_echo(
    Measure&& measure, const std::function<void()>& on_the_way = [] {}) {
  There there;
  Back back;
  std::atomic<uint32_t> last{UINT32_MAX};
  std::thread other([&] {
    for (uint32_t i = 1; i <= last.load(); ++i) {
      there.wait_for(i);
      on_the_way();
      back.set(i);
    }
  });
  uint32_t number = 0;
  const auto once = [&] {
    there.set(++number);
    back.wait_for(number);
  };
  once();
  const double ns = measure(once);
  // One trip more, after which the other thread leaves.
  last.store(number + 1);
  once();
  other.join();
  return ns;
}

}  // namespace

double raw_spin_round_trip(int times) {
  constexpr uint64_t kFew = 10;
  constexpr double kNoTimeSlice = 20'000;
  return with_echo<SpinWord, SpinWord>([&](const auto& once) {
    const double few = nanoseconds_each(kFew, once);
    return few > kNoTimeSlice ? few : nanoseconds_each(count(times), once);
  });
}

double raw_futex_round_trip(int times) {
  return with_echo<FutexWord, FutexWord>(
      [&](const auto& once) { return nanoseconds_each(count(times), once); });
}

double raw_parked_round_trip(int times, Back back, const std::function<void()>& rest) {
  const auto measure = [&](const auto& once) {
    double sum = 0;
    for (int i = 0; i < times; ++i) {
      rest();
      sum += nanoseconds_of(once);
    }
    return sum / times;
  };
  return back == Back::kAsleep ? with_echo<FutexWord, FutexWord>(measure)
                               : with_echo<FutexWord, SpinWord>(measure);
}

double raw_wake(int times) {
  std::unique_ptr<FutexWord> word;
  std::thread waker;
  return wake_trips(
      times,
      [&](SpinningGate& gate) {
        word = std::make_unique<FutexWord>();
        waker = std::thread([&gate, &word] {
          gate.pass();
          word->set(1);
        });
      },
      [&] { word->wait_for(1); }, [&] { waker.join(); });
}

double raw_by_another_thread(int times, const std::function<void()>& work) {
  return with_echo<SpinWord, SpinWord>([&](const auto& once) { return nanoseconds_each(count(times), once); },
                                       work);
}

double raw_lock(int times) {
  static std::mutex mutex;
  return nanoseconds_each(count(times), [] { const std::lock_guard lock(mutex); });
}

double raw_load(int times) {
  static std::atomic<uint64_t> word{1};
  return nanoseconds_each(count(times),
                          [] { benchmark::DoNotOptimize(word.load(std::memory_order_acquire)); });
}

double raw_calls(int nodes) {
  struct alignas(64) Node {
    void (*call)(const Node&);
    uint64_t words[7];
  };
  static std::vector<Node> chain;
  chain.resize(static_cast<size_t>(nodes),
               Node{[](const Node& node) { benchmark::DoNotOptimize(node.words[0]); }, {}});
  return nanoseconds_of([] {
           for (const Node& node : chain) node.call(node);
         }) /
         nodes;
}

double raw_parallel(int threads, const std::function<void(int)>& share) {
  std::atomic<int> done{0};
  SpinningThreads others(threads - 1, [&](int i) {
    share(i + 1);
    done.fetch_add(1);
  });
  return nanoseconds_of([&] {
    others.go();
    share(0);
    while (done.load() < threads - 1) spin_pause();
  });
}

double raw_parallel_pieces(int threads, int pieces, const std::function<void(int)>& piece) {
  std::atomic<int> next{0};
  std::atomic<int> done{0};
  const auto take = [&] {
    for (int i = 0; (i = next.fetch_add(1)) < pieces;) {
      piece(i);
      done.fetch_add(1);
    }
  };
  SpinningThreads others(threads - 1, [&](int) { take(); });
  return nanoseconds_of([&] {
    others.go();
    take();
    while (done.load() < pieces) spin_pause();
  });
}

void spin_arithmetic(uint64_t steps) {
  uint64_t value = steps;
  for (uint64_t i = 0; i < steps; ++i) {
    value = value * 6364136223846793005u + 1442695040888963407u;
    benchmark::DoNotOptimize(value);
  }
}

}  // namespace xhal::bench
