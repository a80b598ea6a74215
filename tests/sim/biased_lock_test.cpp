// SPDX-License-Identifier: Apache-2.0
#include "engine/biased_lock.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <mutex>
#include <thread>
#include <vector>

#include "engine_harness.hpp"

namespace xhal::sim {
namespace {

// Often enough in a row that the lock is this thread's own.
void make_own(BiasedLock& lock) {
  for (int i = 0; i < 5000; ++i) const std::lock_guard guard(lock);
}

TEST(BiasedLock, KeepsThreadsApartWhosoeverItIs) {
  BiasedLock lock;
  uint64_t counter = 0;
  bool inside = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20'000; ++i) {
        {
          const std::lock_guard guard(lock);
          ASSERT_FALSE(inside);
          inside = true;
          ++counter;
          inside = false;
        }
        // In runs of its own, so that the lock becomes this thread's and is taken away from it again.
        if (i % (100 * (t + 1)) == 0) std::this_thread::yield();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counter, 120'000u);
}

TEST(BiasedLock, IsTakenAwayFromItsOwnerOnlyOnceThatOneHasLeft) {
  BiasedLock lock;
  make_own(lock);
  lock.lock();
  std::atomic<bool> wants{false};
  std::atomic<bool> has{false};
  std::thread other([&] {
    wants.store(true);
    const std::lock_guard guard(lock);
    has.store(true);
  });
  while (!wants.load()) std::this_thread::yield();
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
  EXPECT_FALSE(has.load());
  lock.unlock();
  other.join();
  EXPECT_TRUE(has.load());
  // It is nobody's own now, and then its first owner's again.
  make_own(lock);
}

TEST(BiasedLock, OfAThreadThatIsGoneGoesToTheNextOne) {
  BiasedLock lock;
  // Also once there were more of them than can own it.
  for (int i = 0; i < 10; ++i) std::thread([&] { make_own(lock); }).join();
  const std::lock_guard guard(lock);
}

// What the test below shares with its signal handler.
std::atomic<bool> holding_up{false};
std::atomic<bool> held_up{false};

// Returns by itself after a while: where the thread was stopped inside the lock, nobody else could get on.
void hold_up(int) {
  held_up.store(true);
  for (int i = 0; i < 500 && holding_up.load(); ++i) sched_yield();
}

// A thread is stopped anywhere on its way through the lock, also where it has just seen that the lock is its own. Meanwhile the lock
// becomes another thread's, who is inside it when the first one goes on.
TEST(BiasedLock, AThreadThatFindsItsLockTakenDoesNotOpenItForOthers) {
  struct sigaction action {};
  action.sa_handler = hold_up;
  struct sigaction before {};
  ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
  BiasedLock lock;
  std::atomic<bool> over{false};
  std::atomic<bool> other_is_inside{false};
  uint64_t together = 0;
  std::atomic<uint64_t> times{0};
  std::thread first([&] {
    for (uint64_t i = 1; !over.load(std::memory_order_relaxed); ++i) {
      const std::lock_guard guard(lock);
      together += other_is_inside.load(std::memory_order_relaxed) ? 1 : 0;
      times.store(i, std::memory_order_relaxed);
    }
  });
  // Each round is a dozen changes of threads, which take a slice of time each where others want the processors, too: then fewer must do.
  const auto enough = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  for (int round = 0; round < 1000; ++round) {
    if (round >= 30 && std::chrono::steady_clock::now() > enough) break;
    // It has made the lock its own again.
    for (const uint64_t since = times.load(); times.load() < since + 3000;) sched_yield();
    held_up.store(false);
    holding_up.store(true);
    ASSERT_EQ(pthread_kill(first.native_handle(), SIGUSR1), 0);
    while (!held_up.load()) sched_yield();
    make_own(lock);
    const std::lock_guard guard(lock);
    other_is_inside.store(true);
    holding_up.store(false);
    for (int i = 0; i < 20; ++i) sched_yield();
    other_is_inside.store(false);
  }
  over.store(true);
  first.join();
  ASSERT_EQ(sigaction(SIGUSR1, &before, nullptr), 0);
  EXPECT_EQ(together, 0u);
}

// Each thread stores its word and looks at the other's, at the same time as well as two threads can. Without either fence both find nothing
// in some of the rounds.
TEST(Asymmetric, OneOfTheTwoSeesTheOther) {
  if (!has_heavy_fence()) GTEST_SKIP() << "the system puts no fences into other threads";
  struct alignas(64) Word {
    std::atomic<uint32_t> value{0};
  };
  Word often, rarely, begun[2];
  constexpr uint32_t kRounds = 3000;
  std::vector<char> saw_rarely(kRounds + 1), saw_often(kRounds + 1);
  const auto meet = [&](int me, uint32_t round) {
    begun[me].value.store(round);
    for (Backoff backoff; begun[1 - me].value.load() < round;) backoff.wait();
  };
  std::thread other([&] {
    for (uint32_t round = 1; round <= kRounds; ++round) {
      meet(1, round);
      often.value.store(round, std::memory_order_relaxed);
      light_fence();
      saw_rarely[round] = rarely.value.load(std::memory_order_relaxed) >= round;
    }
  });
  for (uint32_t round = 1; round <= kRounds; ++round) {
    meet(0, round);
    rarely.value.store(round, std::memory_order_relaxed);
    heavy_fence();
    saw_often[round] = often.value.load(std::memory_order_relaxed) >= round;
  }
  other.join();
  uint32_t neither = 0;
  for (uint32_t round = 1; round <= kRounds; ++round)
    neither += saw_rarely[round] == 0 && saw_often[round] == 0 ? 1 : 0;
  EXPECT_EQ(neither, 0u);
}

// The submitter pauses for about as long as a worker looks at an empty lane before it leaves, so that pushes meet the leaving at every point
// of it; a push that nobody saw would leave synchronize() waiting for ever.
TEST(Lane, APushIsSeenWheneverTheWorkerLeaves) {
  FakeHost host(1);
  Streams streams(host);
  Stream& stream = streams.make();
  uint64_t ran = 0;
  constexpr uint64_t kBursts = 3000;
  constexpr uint64_t kBurst = 20;  // makes the lane hot
  for (uint64_t i = 0; i < kBursts; ++i) {
    for (uint64_t n = 0; n < kBurst; ++n) {
      ASSERT_EQ(call(
                    stream, [](void* user, xhal_result_t) { ++*static_cast<uint64_t*>(user); }, &ran),
                XHAL_SUCCESS);
    }
    ASSERT_EQ(synchronize(stream, host.scheduler()), XHAL_SUCCESS);
    const uint64_t until = host.scheduler().now_ns() + 18'000 + i % 97 * 50;
    while (host.scheduler().now_ns() < until) cpu_pause();
  }
  EXPECT_EQ(ran, kBursts * kBurst);
}

}  // namespace
}  // namespace xhal::sim
