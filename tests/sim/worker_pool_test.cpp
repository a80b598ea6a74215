// SPDX-License-Identifier: Apache-2.0
// Who runs which lane, and when there are more workers than units.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "engine_harness.hpp"

namespace xhal::sim {
namespace {

// What an operation's worker does as its own work, between no begin_blocking and end_blocking: an attachment goes when its operation is
// done. (A host function would give the unit away.)
class AtTheEnd final : public Attachment {
 public:
  explicit AtTheEnd(std::function<void()> work) : work_(std::move(work)) {}
  ~AtTheEnd() override { work_(); }

 private:
  const std::function<void()> work_;
};
xhal_result_t submit_work(Stream& stream, std::function<void()> work) {
  return stream.submit([&](Op& op) {
    op.make(WaitOp{Position{}});
    op.attachment = std::make_unique<AtTheEnd>(std::move(work));
  });
}

// The order in which work was done.
class Order {
 public:
  void note(Stream& stream, int number) {
    ASSERT_EQ(submit_work(stream,
                          [this, number] {
                            const std::lock_guard lock(mutex_);
                            seen.push_back(number);
                          }),
              XHAL_SUCCESS);
  }
  std::vector<int> seen;

 private:
  std::mutex mutex_;
};

// Keeps a unit without telling anybody, as a kernel does that spins on memory by itself.
class Silent {
 public:
  explicit Silent(Stream& stream) {
    EXPECT_EQ(submit_work(stream,
                          [this] {
                            entered_.store(true);
                            while (!open_.load()) std::this_thread::yield();
                          }),
              XHAL_SUCCESS);
    while (!entered_.load()) std::this_thread::yield();
  }
  void release() { open_.store(true); }

 private:
  std::atomic<bool> entered_{false};
  std::atomic<bool> open_{false};
};

TEST(WorkerPool, TheMostUrgentLaneThatWaitsGoesFirst) {
  FakeHost host(1);
  Streams streams(host);
  Silent silent(streams.make());
  Order order;
  std::vector<Stream*> lanes;
  for (const int priority : {0, -1, 0, -2, -1}) {
    lanes.push_back(&streams.make(priority));
    order.note(*lanes.back(), priority);
  }
  silent.release();
  for (Stream* lane : lanes) ASSERT_EQ(synchronize(*lane, host.scheduler()), XHAL_SUCCESS);
  EXPECT_EQ(order.seen.size(), lanes.size());
  EXPECT_EQ(order.seen.front(), -2);
}

TEST(WorkerPool, ABlockedOperationGivesItsUnitAway) {
  std::vector<std::unique_ptr<Hold>> holds;  // their functions return before the streams have left
  FakeHost host(1);
  Streams streams(host);
  for (int i = 0; i < 8; ++i) {
    holds.push_back(std::make_unique<Hold>());
    ASSERT_EQ(call(streams.make(), &Hold::wait, holds.back().get()), XHAL_SUCCESS);
  }
  for (const auto& hold : holds) hold->entered.wait(false);
  EXPECT_GE(host.scheduler().workers(), holds.size());
  Stream& free = streams.make();
  int ran = 0;
  ASSERT_EQ(call(
                free, [](void* user, xhal_result_t) { ++*static_cast<int*>(user); }, &ran),
            XHAL_SUCCESS);
  EXPECT_EQ(synchronize(free, host.scheduler()), XHAL_SUCCESS);
  EXPECT_EQ(ran, 1);
  for (const auto& hold : holds) hold->release();
}

TEST(WorkerPool, WhoKeepsAUnitWithoutTellingStopsNobodyForLong) {
  FakeHost host(1);
  Streams streams(host);
  Silent silent(streams.make());
  Stream& free = streams.make();
  int ran = 0;
  ASSERT_EQ(call(
                free, [](void* user, xhal_result_t) { ++*static_cast<int*>(user); }, &ran),
            XHAL_SUCCESS);
  EXPECT_EQ(synchronize(free, host.scheduler()), XHAL_SUCCESS);
  EXPECT_EQ(ran, 1);
  silent.release();
}

// The worker that ends its blocked operation is one too many and goes to sleep; the lane that it has made ready must not be forgotten while
// the only unit is kept by somebody who waits for that lane.
TEST(WorkerPool, WhatAWorkerTooManyMadeReadyIsRun) {
  Hold hold;
  FakeHost host(1);
  Streams streams(host);
  Stream& first = streams.make();
  ASSERT_EQ(call(first, &Hold::wait, &hold), XHAL_SUCCESS);
  hold.entered.wait(false);
  Position held;
  ASSERT_EQ(first.mark(held), XHAL_SUCCESS);
  Stream& second = streams.make();
  ASSERT_EQ(second.wait(held), XHAL_SUCCESS);
  Stream& keeper = streams.make();
  std::atomic<bool> ran{false};
  ASSERT_EQ(submit_work(second, [&] { ran.store(true); }), XHAL_SUCCESS);
  std::atomic<bool> spins{false};
  ASSERT_EQ(submit_work(keeper,
                        [&] {
                          spins.store(true);
                          while (!ran.load()) std::this_thread::yield();
                        }),
            XHAL_SUCCESS);
  while (!spins.load()) std::this_thread::yield();
  hold.release();
  EXPECT_EQ(synchronize(second, host.scheduler()), XHAL_SUCCESS);
  EXPECT_EQ(synchronize(keeper, host.scheduler()), XHAL_SUCCESS);
}

// What waits for one event becomes ready by one worker, which runs only one of them; the others must not wait for that one.
TEST(WorkerPool, EachOfSeveralThatBecomeReadyAtOnceIsTaken) {
  for (const uint32_t units : {1u, 2u, 4u}) {
    FakeHost host(units);
    Streams streams(host);
    Stream& first = streams.make();
    Hold hold;
    ASSERT_EQ(call(first, &Hold::wait, &hold), XHAL_SUCCESS);
    hold.entered.wait(false);
    Position held;
    ASSERT_EQ(first.mark(held), XHAL_SUCCESS);
    constexpr int kWaiters = 4;
    std::atomic<int> inside{0};
    std::vector<Stream*> waiters;
    for (int i = 0; i < kWaiters; ++i) {
      waiters.push_back(&streams.make());
      ASSERT_EQ(waiters.back()->wait(held), XHAL_SUCCESS);
      ASSERT_EQ(submit_work(*waiters.back(),
                            [&] {
                              inside.fetch_add(1);
                              while (inside.load() != kWaiters) std::this_thread::yield();
                            }),
                XHAL_SUCCESS);
    }
    // Whoever is awake would take one by himself: all but the one that is held sleep.
    while (host.scheduler().sleepers() + 1 != host.scheduler().workers()) std::this_thread::yield();
    hold.release();
    for (Stream* waiter : waiters) EXPECT_EQ(synchronize(*waiter, host.scheduler()), XHAL_SUCCESS);
  }
}

TEST(WorkerPool, ThreadsThatAreNotNeededLeave) {
  std::vector<std::unique_ptr<Hold>> holds;  // their functions return before the streams have left
  FakeHost host(2);
  Streams streams(host);
  for (int i = 0; i < 64; ++i) {
    holds.push_back(std::make_unique<Hold>());
    ASSERT_EQ(call(streams.make(), &Hold::wait, holds.back().get()), XHAL_SUCCESS);
  }
  for (const auto& hold : holds) hold->entered.wait(false);
  EXPECT_GE(host.scheduler().workers(), 64u);
  for (const auto& hold : holds) hold->release();
  while (host.scheduler().workers() > 32) std::this_thread::yield();
}

TEST(WorkerPool, ALaneWithMuchToDoLetsOthersOfItsUrgencyGoOn) {
  FakeHost host(1);
  Streams streams(host);
  Stream& busy = streams.make();
  Stream& other = streams.make();
  Silent silent(busy);
  Order order;
  for (int i = 0; i < 300; ++i) order.note(busy, 1);
  order.note(other, 2);
  silent.release();
  ASSERT_EQ(synchronize(busy, host.scheduler()), XHAL_SUCCESS);
  ASSERT_EQ(synchronize(other, host.scheduler()), XHAL_SUCCESS);
  EXPECT_NE(order.seen.back(), 2) << "it came last of all";
}

// Threads submit, take the lane themselves and signal it, all at once: each operation runs once and none is lost.
TEST(Lane, HandsOverWithoutLoss) {
  FakeHost host(2);
  Streams streams(host);
  Stream& stream = streams.make();
  uint64_t counter = 0;  // of whoever has the lane
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        Stream::Here here;
        if (t % 2 == 0 && stream.begin_here(here)) {
          ++counter;
          stream.end_here(here);
          continue;
        }
        ASSERT_EQ(call(
                      stream, [](void* user, xhal_result_t) { ++*static_cast<uint64_t*>(user); }, &counter),
                  XHAL_SUCCESS);
        if (i % 16 == 0) stream.signal(host.scheduler());
        if (i % 64 == 0) {
          ASSERT_EQ(synchronize(stream, host.scheduler()), XHAL_SUCCESS);
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  ASSERT_EQ(synchronize(stream, host.scheduler()), XHAL_SUCCESS);
  EXPECT_EQ(counter, 8000u);
}

}  // namespace
}  // namespace xhal::sim
