// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <thread>

#include "harness.hpp"

namespace xhal::sim_test {
namespace {

constexpr uint64_t kMoment = 2'000'000;

class Events : public testing::TestWithParam<uint32_t> {
 protected:
  xhal_event_t make() { return make_event(machine.device(), GetParam()); }

  Machine machine;
  xhal_stream_t a = make_stream(machine.device());
  xhal_stream_t b = make_stream(machine.device());
  xhal_stream_t c = make_stream(machine.device());
};

// Timed and untimed events take different ways through the engine and must mean the same.
INSTANTIATE_TEST_SUITE_P(Sim, Events,
                         testing::Values(0u, static_cast<uint32_t>(XHAL_EVENT_TIMING),
                                         static_cast<uint32_t>(XHAL_EVENT_BLOCKING)));

TEST_P(Events, ANeverRecordedOneIsDone) {
  const xhal_event_t event = make();
  EXPECT_EQ(call().event_query(event), XHAL_SUCCESS);
  EXPECT_EQ(call().event_synchronize(event, XHAL_WAIT_FOREVER), XHAL_SUCCESS);
  EXPECT_EQ(call().stream_wait_event(a, event, 0), XHAL_SUCCESS);
  expect_synchronized(a);
}

TEST_P(Events, ARecordIsDoneWhenTheWorkBeforeItIs) {
  const xhal_event_t behind = make();
  const xhal_event_t before = make();
  Gate first(a);
  ASSERT_EQ(call().event_record(behind, a, 0), XHAL_SUCCESS);
  EXPECT_EQ(call().event_query(behind), XHAL_NOT_READY);
  EXPECT_EQ(call().event_synchronize(behind, kMoment), XHAL_TIMEOUT);
  first.open();
  EXPECT_EQ(call().event_synchronize(behind, XHAL_WAIT_FOREVER), XHAL_SUCCESS);
  EXPECT_EQ(call().event_query(behind), XHAL_SUCCESS);
  ASSERT_EQ(call().event_record(before, a, 0), XHAL_SUCCESS);
  Gate second(a);
  EXPECT_EQ(call().event_synchronize(before, XHAL_WAIT_FOREVER), XHAL_SUCCESS);
  EXPECT_EQ(call().stream_query(a), XHAL_NOT_READY);
}

TEST_P(Events, AWaitBindsTheGenerationAtTheCall) {
  const xhal_event_t event = make();
  {
    Gate gate(b);
    ASSERT_EQ(call().event_record(event, a, 0), XHAL_SUCCESS);
    ASSERT_EQ(call().stream_wait_event(c, event, 0), XHAL_SUCCESS);
    ASSERT_EQ(call().event_record(event, b, 0), XHAL_SUCCESS);
    expect_synchronized(c);
    EXPECT_EQ(call().event_query(event), XHAL_NOT_READY);
  }
  expect_synchronized(b);
  EXPECT_EQ(call().event_synchronize(event, XHAL_WAIT_FOREVER), XHAL_SUCCESS);
}

TEST_P(Events, AnOlderGenerationThatIsStillPendingKeepsItsWaiters) {
  const xhal_event_t event = make();
  Gate gate(a);
  ASSERT_EQ(call().event_record(event, a, 0), XHAL_SUCCESS);
  ASSERT_EQ(call().stream_wait_event(c, event, 0), XHAL_SUCCESS);
  void* memory = allocate(machine.device(), 8);
  ASSERT_EQ(call().memory_fill(c, memory, 1, 1, 8), XHAL_SUCCESS);
  ASSERT_EQ(call().event_record(event, b, 0), XHAL_SUCCESS);
  EXPECT_EQ(call().event_synchronize(event, XHAL_WAIT_FOREVER), XHAL_SUCCESS) << "the latest is done";
  EXPECT_EQ(call().stream_synchronize(c, kMoment), XHAL_TIMEOUT) << "the one that was bound is not";
  gate.open();
  expect_synchronized(c);
}

TEST_P(Events, AWaitForAPendingGenerationHoldsThoughAnOlderOneIsDone) {
  const xhal_event_t event = make();
  ASSERT_EQ(call().event_record(event, a, 0), XHAL_SUCCESS);
  expect_synchronized(a);
  Gate gate(b);
  ASSERT_EQ(call().event_record(event, b, 0), XHAL_SUCCESS);
  EXPECT_EQ(call().event_query(event), XHAL_NOT_READY);
  ASSERT_EQ(call().stream_wait_event(c, event, 0), XHAL_SUCCESS);
  EXPECT_EQ(call().stream_synchronize(c, kMoment), XHAL_TIMEOUT);
  gate.open();
  expect_synchronized(c);
}

TEST_P(Events, AWaitHoldsOnlyWhatComesLaterAndWorksAcrossDevices) {
  const xhal_event_t event = make();
  const xhal_stream_t other = make_stream(machine.device(1));
  auto* pinned = static_cast<std::atomic<uint32_t>*>(allocate(machine.device(), 8, XHAL_MEMORY_PINNED));
  new (pinned) std::atomic<uint32_t>(0);
  new (pinned + 1) std::atomic<uint32_t>(0);
  Gate gate(a);
  ASSERT_EQ(call().event_record(event, a, 0), XHAL_SUCCESS);
  ASSERT_EQ(call().memory_fill(other, pinned, 1, 4, 4), XHAL_SUCCESS);
  const xhal_event_t before_wait = make_event(machine.device(1), GetParam());
  ASSERT_EQ(call().event_record(before_wait, other, 0), XHAL_SUCCESS);
  ASSERT_EQ(call().stream_wait_event(other, event, 0), XHAL_SUCCESS);
  ASSERT_EQ(call().memory_fill(other, pinned + 1, 1, 4, 4), XHAL_SUCCESS);
  EXPECT_EQ(call().event_synchronize(before_wait, XHAL_WAIT_FOREVER), XHAL_SUCCESS);
  EXPECT_EQ(pinned[0].load(), 1u);
  EXPECT_EQ(call().stream_synchronize(other, kMoment), XHAL_TIMEOUT);
  EXPECT_EQ(pinned[1].load(), 0u);
  gate.open();
  expect_synchronized(other);
  EXPECT_EQ(pinned[1].load(), 1u);
}

TEST_P(Events, DestroyedInFlightChangesNothingForTheWaits) {
  const xhal_event_t event = make();
  Gate gate(a);
  ASSERT_EQ(call().event_record(event, a, 0), XHAL_SUCCESS);
  ASSERT_EQ(call().stream_wait_event(b, event, 0), XHAL_SUCCESS);
  EXPECT_EQ(call().event_destroy(event), XHAL_SUCCESS);
  EXPECT_EQ(call().stream_synchronize(b, kMoment), XHAL_TIMEOUT);
  gate.open();
  expect_synchronized(b);
}

TEST_P(Events, BothDestroyedInFlightChangesNothingEither) {
  const xhal_stream_t short_lived = make_stream(machine.device());
  const xhal_event_t event = make();
  Gate gate(short_lived);
  ASSERT_EQ(call().event_record(event, short_lived, 0), XHAL_SUCCESS);
  ASSERT_EQ(call().stream_wait_event(b, event, 0), XHAL_SUCCESS);
  EXPECT_EQ(call().stream_destroy(short_lived), XHAL_SUCCESS);
  EXPECT_EQ(call().event_query(event), XHAL_NOT_READY);
  EXPECT_EQ(call().stream_synchronize(b, kMoment), XHAL_TIMEOUT);
  gate.open();
  expect_synchronized(b);
  EXPECT_EQ(call().event_query(event), XHAL_SUCCESS);
}

// A stream that comes after a destroyed one inherits nothing of its events.
TEST_P(Events, OfADestroyedStreamStayDoneWhenAnotherStreamIsHeld) {
  const xhal_event_t event = make();
  const xhal_stream_t gone = make_stream(machine.device());
  ASSERT_EQ(call().event_record(event, gone, 0), XHAL_SUCCESS);
  expect_synchronized(gone);
  ASSERT_EQ(call().stream_destroy(gone), XHAL_SUCCESS);
  for (int i = 0; i < 5; ++i) {
    const xhal_stream_t next = make_stream(machine.device());
    Gate gate(next);
    EXPECT_EQ(call().event_query(event), XHAL_SUCCESS);
    gate.open();
    ASSERT_EQ(call().stream_destroy(next), XHAL_SUCCESS);
  }
}

TEST_P(Events, RefuseWhatTheyCannotMean) {
  const xhal_event_t event = make();
  const xhal_stream_t other = make_stream(machine.device(1));
  EXPECT_EQ(call().event_record(event, other, 0), XHAL_ERROR_INVALID_ARGUMENT);
  for (const uint32_t flags : {static_cast<uint32_t>(XHAL_EVENT_EXTERNAL), 1u << 31}) {
    EXPECT_EQ(call().event_record(event, a, flags), XHAL_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(call().stream_wait_event(a, event, flags), XHAL_ERROR_INVALID_ARGUMENT);
  }
  EXPECT_EQ(call().event_query(event), XHAL_SUCCESS) << "still never recorded";
}

TEST(SimEvent, FlagsThatAreNotOffered) {
  const Machine machine;
  xhal_event_t event = nullptr;
  auto desc = sized<xhal_event_desc_t>();
  desc.flags = XHAL_EVENT_IPC | XHAL_EVENT_TIMING;
  EXPECT_EQ(call().event_create(machine.device(), &desc, &event), XHAL_ERROR_UNSUPPORTED);
  const Machine without("features=-ipc_event");
  desc.flags = XHAL_EVENT_IPC;
  EXPECT_EQ(call().event_create(without.device(), &desc, &event), XHAL_ERROR_UNSUPPORTED);
  desc.flags = 1u << 31;
  EXPECT_EQ(call().event_create(machine.device(), &desc, &event), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(event, nullptr);
}

TEST(SimEvent, ElapsedGrowsAlongAStream) {
  const Machine machine;
  const xhal_stream_t stream = make_stream(machine.device());
  xhal_event_t events[3];
  void* memory = allocate(machine.device(), 1u << 20);
  for (auto& event : events) {
    event = make_event(machine.device(), XHAL_EVENT_TIMING);
    ASSERT_EQ(call().memory_fill(stream, memory, 0, 1, 1u << 20), XHAL_SUCCESS);
    ASSERT_EQ(call().event_record(event, stream, 0), XHAL_SUCCESS);
  }
  expect_synchronized(stream);
  int64_t first = 0;
  int64_t both = 0;
  int64_t back = 0;
  ASSERT_EQ(call().event_get_elapsed(events[0], events[1], &first), XHAL_SUCCESS) << last_text;
  ASSERT_EQ(call().event_get_elapsed(events[0], events[2], &both), XHAL_SUCCESS);
  ASSERT_EQ(call().event_get_elapsed(events[2], events[0], &back), XHAL_SUCCESS);
  EXPECT_GT(first, 0);
  EXPECT_GT(both, first);
  EXPECT_EQ(back, -both);
  ASSERT_EQ(call().event_get_elapsed(events[1], events[1], &first), XHAL_SUCCESS);
  EXPECT_EQ(first, 0);
}

TEST(SimEvent, ElapsedRefusesAndWaitsForNobody) {
  const Machine machine;
  const xhal_stream_t stream = make_stream(machine.device());
  const xhal_event_t timed = make_event(machine.device(), XHAL_EVENT_TIMING);
  const xhal_event_t pending = make_event(machine.device(), XHAL_EVENT_TIMING);
  const xhal_event_t never = make_event(machine.device(), XHAL_EVENT_TIMING);
  const xhal_event_t untimed = make_event(machine.device());
  const xhal_event_t elsewhere = make_event(machine.device(1), XHAL_EVENT_TIMING);
  int64_t elapsed = 42;
  ASSERT_EQ(call().event_record(timed, stream, 0), XHAL_SUCCESS);
  expect_synchronized(stream);
  Gate gate(stream);
  ASSERT_EQ(call().event_record(pending, stream, 0), XHAL_SUCCESS);
  EXPECT_EQ(call().event_get_elapsed(timed, untimed, &elapsed), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().event_get_elapsed(elsewhere, timed, &elapsed), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().event_get_elapsed(timed, never, &elapsed), XHAL_ERROR_NOT_RECORDED);
  EXPECT_EQ(call().event_get_elapsed(timed, pending, &elapsed), XHAL_NOT_READY);
  EXPECT_EQ(call().event_get_elapsed(timed, timed, nullptr), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(elapsed, 42);
}

TEST(SimEvent, WhatAStreamWroteIsSeenByWhoeverSawTheEvent) {
  const Machine machine;
  const xhal_stream_t stream = make_stream(machine.device());
  auto* pinned = static_cast<uint64_t*>(allocate(machine.device(), 8, XHAL_MEMORY_PINNED));
  const xhal_event_t event = make_event(machine.device());
  for (uint64_t i = 1; i <= 2000; ++i) {
    ASSERT_EQ(call().memory_fill(stream, pinned, i, 8, 8), XHAL_SUCCESS);
    ASSERT_EQ(call().event_record(event, stream, 0), XHAL_SUCCESS);
    while (call().event_query(event) == XHAL_NOT_READY) std::this_thread::yield();
    ASSERT_EQ(*pinned, i);
  }
}

TEST(SimEvent, ThreadsRecordWaitAndQueryOneEventAtOnce) {
  const Machine machine;
  const xhal_event_t event = make_event(machine.device(), XHAL_EVENT_TIMING);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      const xhal_stream_t stream = make_stream(machine.device());
      for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(call().event_record(event, stream, 0), XHAL_SUCCESS);
        EXPECT_EQ(call().stream_wait_event(stream, event, 0), XHAL_SUCCESS);
        EXPECT_GE(call().event_query(event), 0);
        int64_t elapsed = 0;
        EXPECT_GE(call().event_get_elapsed(event, event, &elapsed), 0);
      }
      expect_synchronized(stream);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(call().event_synchronize(event, XHAL_WAIT_FOREVER), XHAL_SUCCESS);
}

// Each record is either in a capture that another thread has begun, and leaves the event alone, or outside of it, and takes its time.
TEST(SimEvent, ARecordIsWhollyInACaptureOrWhollyOutside) {
  const Machine machine;
  const xhal_stream_t stream = make_stream(machine.device());
  for (int round = 0; round < 60; ++round) {
    const xhal_event_t event = make_event(machine.device(), XHAL_EVENT_TIMING);
    ASSERT_EQ(call().event_record(event, stream, 0), XHAL_SUCCESS);
    std::atomic<bool> stop{false};
    std::thread captures([&] {
      while (!stop.load()) {
        xhal_graph_t graph = nullptr;
        if (call().stream_begin_capture(stream, XHAL_CAPTURE_RELAXED) < 0) continue;
        if (call().stream_end_capture(stream, &graph) >= 0) call().graph_destroy(graph);
      }
    });
    for (int i = 0; i < 300; ++i) {
      ASSERT_EQ(call().event_record(event, stream, 0), XHAL_SUCCESS) << last_text;
    }
    stop.store(true);
    captures.join();
    expect_synchronized(stream);
    int64_t ns = 0;
    // The last record may have been in a capture that is over: the event is what it was before, done.
    EXPECT_EQ(call().event_synchronize(event, XHAL_WAIT_FOREVER), XHAL_SUCCESS);
    EXPECT_EQ(call().event_get_elapsed(event, event, &ns), XHAL_SUCCESS) << last_text;
    EXPECT_EQ(call().event_destroy(event), XHAL_SUCCESS);
  }
}

}  // namespace
}  // namespace xhal::sim_test
