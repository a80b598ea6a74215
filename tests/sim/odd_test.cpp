// SPDX-License-Identifier: Apache-2.0
// The engine's legal but unusual ways, without a device: who goes first, what starts when, and that each is counted.
#include "engine/odd.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <thread>
#include <vector>

#include "engine_harness.hpp"

namespace xhal::sim {
namespace {

uint64_t counted(Oddity one) { return g_oddness_counts[static_cast<size_t>(one)].load(); }

Oddness odd(Oddity one) { return {uint32_t{1} << static_cast<uint32_t>(one), 0}; }

void set(void* user, xhal_result_t) { static_cast<std::atomic<bool>*>(user)->store(true); }

TEST(Odd, TheLastLaneGoesFirstAndNoneIsOvertakenForEver) {
  FakeHost host;
  Streams streams(host);
  std::vector<Lane*> lanes;
  ReadyLanes ready;
  for (int i = 0; i < 12; ++i) {
    lanes.push_back(&streams.make());
    ready.push(*lanes.back());
  }
  const uint64_t before = counted(Oddity::kLastFirst);
  std::vector<size_t> order;
  while (Lane* lane = ready.pop_last())
    order.push_back(static_cast<size_t>(std::ranges::find(lanes, lane) - lanes.begin()));
  EXPECT_EQ(order, (std::vector<size_t>{11, 10, 9, 8, 7, 6, 5, 4, 0, 3, 2, 1}));
  EXPECT_EQ(counted(Oddity::kLastFirst) - before, 10U);
  EXPECT_EQ(ready.size(), 0U);
}

TEST(Odd, AMoreUrgentLaneGoesBeforeTheLastOne) {
  FakeHost host;
  Streams streams(host);
  ReadyLanes ready;
  Lane& urgent = streams.make(-2);
  Lane& last = streams.make(0);
  ready.push(urgent);
  ready.push(last);
  EXPECT_EQ(ready.pop_last(), &urgent);
  EXPECT_EQ(ready.pop_last(), &last);
  EXPECT_EQ(ready.pop_last(), nullptr);
}

TEST(Odd, WhatIsLazyStartsWhenSomebodyAsks) {
  FakeHost host(2, odd(Oddity::kLazy));
  Streams streams(host);
  std::atomic<bool> ran{false};
  const uint64_t before = counted(Oddity::kLazy);
  Stream& stream = streams.make();
  ASSERT_EQ(call(stream, set, &ran), XHAL_SUCCESS);
  EXPECT_EQ(counted(Oddity::kLazy) - before, 0U);
  EXPECT_FALSE(stream.is_idle());
  start_withheld();
  EXPECT_EQ(counted(Oddity::kLazy) - before, 1U) << "it was kept back until then";
  ASSERT_EQ(synchronize(stream, host.scheduler()), XHAL_SUCCESS);
  EXPECT_TRUE(ran.load());
}

// Its wait begins before the work comes: nothing else will ask.
TEST(Odd, WhatIsLazyStartsForWhoWaitsAlready) {
  FakeHost host(2, odd(Oddity::kLazy));
  Streams streams(host);
  Stream& first = streams.make();
  Stream& second = streams.make();
  Hold hold;
  ASSERT_EQ(call(first, &Hold::wait, &hold), XHAL_SUCCESS);
  start_withheld();
  hold.entered.wait(false);
  std::atomic<bool> ran{false};
  std::thread waits([&] { EXPECT_EQ(synchronize(first, host.scheduler()), XHAL_SUCCESS); });
  ASSERT_EQ(call(second, set, &ran), XHAL_SUCCESS);
  while (!ran.load()) std::this_thread::yield();  // hangs where it is kept back for good
  hold.release();
  waits.join();
}

// What has begun goes on when its wait ends, whoever ends it.
TEST(Odd, WhatIsLazyAndHasBegunIsNotKeptBackAgain) {
  FakeHost host(2, odd(Oddity::kLazy));
  Streams streams(host);
  Stream& stream = streams.make();
  Progress* const elsewhere = host.progresses().take();
  elsewhere->submit(1);
  std::atomic<bool> ran{false};
  ASSERT_EQ(stream.wait(Position{elsewhere, 1}), XHAL_SUCCESS);
  ASSERT_EQ(call(stream, set, &ran), XHAL_SUCCESS);
  start_withheld();
  elsewhere->retire(1);
  while (!ran.load()) std::this_thread::yield();  // hangs where it is kept back for good
}

TEST(Odd, OneWorkerIsBlockedByWhatBlocks) {
  FakeHost host(1, odd(Oddity::kOneWorker));
  Streams streams(host);
  Stream& first = streams.make();
  Stream& second = streams.make();
  Hold hold;
  ASSERT_EQ(call(first, &Hold::wait, &hold), XHAL_SUCCESS);
  hold.entered.wait(false);
  const uint64_t before = counted(Oddity::kOneWorker);
  std::atomic<bool> ran{false};
  ASSERT_EQ(call(second, set, &ran), XHAL_SUCCESS);
  EXPECT_EQ(counted(Oddity::kOneWorker) - before, 1U);
  EXPECT_EQ(host.scheduler().workers(), 1U);
  EXPECT_FALSE(ran.load());
  hold.release();
  ASSERT_EQ(synchronize(second, host.scheduler()), XHAL_SUCCESS);
  EXPECT_TRUE(ran.load());
}

TEST(Odd, ForeignCallbacksRunOnAnotherThreadBeforeTheCallerGoesOn) {
  std::thread::id seen;
  call_elsewhere([&] { seen = std::this_thread::get_id(); });
  EXPECT_NE(seen, std::thread::id());
  EXPECT_NE(seen, std::this_thread::get_id());
}

#if defined(__SSE__)
TEST(Odd, SubnormalsAreFlushedOnlyWhereAndWhileAskedFor) {
  volatile float tiny = std::numeric_limits<float>::min();
  const auto halved = [&] { return tiny * 0.5F; };
  EXPECT_NE(halved(), 0.0F);
  {
    const Denormals no(false);
    EXPECT_NE(halved(), 0.0F);
    const Denormals yes(true);
    EXPECT_EQ(halved(), 0.0F);
  }
  EXPECT_NE(halved(), 0.0F);
}
#endif

}  // namespace
}  // namespace xhal::sim
