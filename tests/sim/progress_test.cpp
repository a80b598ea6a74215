// SPDX-License-Identifier: Apache-2.0
#include "engine/progress.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "engine/worker_pool.hpp"

namespace xhal::sim {
namespace {

const Fault kFault = {XHAL_ERROR_LAUNCH_FAILED, "xhal_kernel_launch", 7, 1, "it failed"};

TEST(Progress, PositionsAreDoneInOrderAndForEver) {
  Progress progress;
  EXPECT_EQ(progress.status(0), XHAL_SUCCESS);
  progress.submit(2);
  EXPECT_EQ(progress.status(1), XHAL_NOT_READY);
  progress.retire(1);
  EXPECT_EQ(progress.status(1), XHAL_SUCCESS);
  EXPECT_EQ(progress.status(2), XHAL_NOT_READY);
  progress.retire(2);
  EXPECT_EQ(progress.status(1), XHAL_SUCCESS);
  EXPECT_EQ(progress.status(2), XHAL_SUCCESS);
}

TEST(Progress, AFailureIsToldFromItsNumberOnAndOnlyOnceThatIsDone) {
  Progress progress;
  progress.submit(3);
  progress.retire(1);
  progress.fail(2, &kFault);
  EXPECT_EQ(progress.status(1), XHAL_SUCCESS);
  EXPECT_EQ(progress.status(2), XHAL_NOT_READY);
  progress.retire(2);
  EXPECT_EQ(progress.status(1), XHAL_SUCCESS);
  EXPECT_EQ(progress.status(2), XHAL_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(progress.status(3), XHAL_NOT_READY);
  progress.retire(3);
  EXPECT_EQ(progress.status(3), XHAL_ERROR_LAUNCH_FAILED);
}

class Counting final : public Waiter {
 public:
  void reached() override { ++count; }
  int count = 0;
};

TEST(Progress, TellsAWaiterOnceAndNotBeforeItsNumber) {
  Progress progress;
  Counting first;
  Counting second;
  ASSERT_TRUE(progress.add(first, 1));
  ASSERT_TRUE(progress.add(second, 3));
  progress.retire(1);
  EXPECT_EQ(first.count, 1);
  EXPECT_EQ(second.count, 0);
  progress.retire(2);
  EXPECT_EQ(second.count, 0);
  progress.retire(3);
  progress.retire(4);
  EXPECT_EQ(first.count, 1);
  EXPECT_EQ(second.count, 1);
  EXPECT_FALSE(progress.add(first, 4));
}

TEST(Progress, ARemovedWaiterIsNotTold) {
  Progress progress;
  Counting low;
  Counting high;
  ASSERT_TRUE(progress.add(low, 1));
  ASSERT_TRUE(progress.add(high, 2));
  progress.remove(low);
  progress.retire(1);
  progress.retire(2);
  EXPECT_EQ(low.count, 0);
  EXPECT_EQ(high.count, 1);
}

TEST(Progress, AwaitTellsTimeOutAndLeavesNothingBehind) {
  WorkerPool scheduler{2};
  Progress progress;
  progress.submit(1);
  EXPECT_EQ(await(progress, 1, deadline_after(scheduler, 0), scheduler), XHAL_TIMEOUT);
  EXPECT_EQ(await(progress, 1, deadline_after(scheduler, 1), scheduler), XHAL_TIMEOUT);
  EXPECT_EQ(await(progress, 1, deadline_after(scheduler, 2'000'000), scheduler), XHAL_TIMEOUT);
  progress.retire(1);  // would reach a waiter that stayed
  EXPECT_EQ(await(progress, 1, deadline_after(scheduler, 0), scheduler), XHAL_SUCCESS);
}

TEST(Progress, DeadlinesNeverOverflow) {
  WorkerPool scheduler{2};
  EXPECT_EQ(deadline_after(scheduler, XHAL_WAIT_FOREVER), kNever);
  EXPECT_EQ(deadline_after(scheduler, XHAL_WAIT_FOREVER - 1), kNever);
  EXPECT_EQ(deadline_after(scheduler, 0), 0u);
  EXPECT_GT(deadline_after(scheduler, uint64_t{1} << 62), uint64_t{1} << 62);
}

// A waiter that comes at the very moment of the last retirement must not sleep for ever.
TEST(Progress, NoWakeIsLost) {
  WorkerPool scheduler{2};
  constexpr uint64_t kRounds = 3000;
  Progress progress;
  std::atomic<uint64_t> released{0};
  std::thread worker([&] {
    for (uint64_t i = 1; i <= kRounds; ++i) {
      while (released.load(std::memory_order_acquire) < i) std::this_thread::yield();
      progress.retire(i);
    }
  });
  for (uint64_t i = 1; i <= kRounds; ++i) {
    progress.submit(i);
    released.store(i, std::memory_order_release);
    ASSERT_EQ(await(progress, i, kNever, scheduler), XHAL_SUCCESS);
  }
  worker.join();
}

TEST(Progress, ManyWaitersOfManyNumbersAllReturn) {
  WorkerPool scheduler{2};
  Progress progress;
  progress.submit(64);
  std::vector<std::thread> threads;
  std::atomic<int> returned{0};
  for (uint64_t number = 1; number <= 16; ++number) {
    threads.emplace_back([&, number] {
      EXPECT_EQ(await(progress, number * 4, kNever, scheduler), XHAL_SUCCESS);
      returned.fetch_add(1);
    });
  }
  for (uint64_t i = 1; i <= 64; ++i) progress.retire(i);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(returned.load(), 16);
}

TEST(ProgressPool, AFailedOneIsNotUsedAgainAHealthyOneGoesOnCounting) {
  ProgressPool pool;
  Progress* failed = pool.take();
  failed->submit(1);
  failed->fail(1, &kFault);
  failed->retire(1);
  pool.give_back(failed);
  Progress* healthy = pool.take();
  EXPECT_NE(healthy, failed);
  healthy->submit(5);
  for (uint64_t i = 1; i <= 5; ++i) healthy->retire(i);
  pool.give_back(healthy);
  Progress* again = pool.take();
  EXPECT_EQ(again, healthy);
  EXPECT_EQ(again->submitted(), 5u);
  EXPECT_EQ(failed->status(1), XHAL_ERROR_LAUNCH_FAILED);
}

// A stream's progress after one operation that was done and one that failed.
struct FailedStream {
  explicit FailedStream(ProgressPool& pool) : progress(pool.take()), done(progress->submitted() + 1) {
    progress->submit(done + 1);
    progress->retire(done);
    fault = faults.add(kFault);
    progress->fail(done + 1, fault);
    progress->retire(done + 1);
  }
  FaultLog faults;
  Progress* progress;
  uint64_t done;
  const Fault* fault = nullptr;
};

TEST(ProgressPool, AFailureThatNobodyCanAskForIsForgotten) {
  ProgressPool pool;
  FailedStream gone(pool);
  gone.progress->name(gone.done);  // an event before the failure
  pool.give_back_of_gone_stream(gone.progress, gone.faults, gone.fault);
  EXPECT_EQ(pool.take(), gone.progress);
  EXPECT_EQ(gone.progress->fault(), nullptr);
  EXPECT_EQ(gone.progress->submitted(), gone.done + 1);
  EXPECT_EQ(gone.faults.add({}), gone.fault) << "the record is used again";
  gone.progress->submit(gone.done + 2);
  gone.progress->fail(gone.done + 2, gone.fault);
  gone.progress->retire(gone.done + 2);
  EXPECT_EQ(gone.progress->status(gone.done), XHAL_SUCCESS) << "whatever becomes of the next stream";
}

TEST(ProgressPool, AFailureThatAPositionTellsStays) {
  ProgressPool pool;
  FailedStream gone(pool);
  gone.progress->name(gone.done + 1);
  gone.progress->name(gone.done);
  pool.give_back_of_gone_stream(gone.progress, gone.faults, gone.fault);
  EXPECT_NE(pool.take(), gone.progress);
  EXPECT_NE(gone.faults.add({}), gone.fault);
  EXPECT_EQ(gone.progress->status(gone.done + 1), XHAL_ERROR_LAUNCH_FAILED);
}

TEST(ProgressPool, ARecordThatOthersTellStays) {
  ProgressPool pool;
  FailedStream gone(pool);
  pool.give_back_of_gone_stream(gone.progress, gone.faults, nullptr);
  EXPECT_EQ(pool.take(), gone.progress);
  EXPECT_NE(gone.faults.add({}), gone.fault);
}

TEST(ProgressPool, AFailureStaysWhileSomebodyLooks) {
  ProgressPool pool;
  FailedStream gone(pool);
  {
    const ProgressPool::Look first(pool);
    {
      const ProgressPool::Look second(pool);
      pool.give_back_of_gone_stream(gone.progress, gone.faults, gone.fault);
    }
    EXPECT_NE(pool.take(), gone.progress);
    EXPECT_EQ(gone.progress->status(gone.done + 1), XHAL_ERROR_LAUNCH_FAILED);
    EXPECT_EQ(gone.progress->fault(), gone.fault);
  }
  EXPECT_EQ(pool.take(), gone.progress);
  EXPECT_EQ(gone.progress->fault(), nullptr);
}

}  // namespace
}  // namespace xhal::sim
