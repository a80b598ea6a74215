// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "harness.hpp"

namespace xhal::caching_test {
namespace {

using caching::Action;
using caching::Context;
using caching::KeepContexts;
using caching::TraceEntry;

class History : public CachingTest {
 protected:
  void watch() {
    allocator->on_trace([this](const TraceEntry& entry) { seen.push_back(entry); });
  }
  std::vector<Action> actions() {
    std::vector<Action> all;
    for (const TraceEntry& entry : seen) all.push_back(entry.action);
    seen.clear();
    return all;
  }
  std::function<Context()> counting() {
    return [this]() -> Context { return std::make_shared<int>(++contexts); };
  }
  // The end of an allocator has entries, too.
  void TearDown() override { allocator.reset(); }
  static int number_in(const Context& context) {
    return context == nullptr ? 0 : *static_cast<int*>(context.get());
  }

  std::vector<TraceEntry> seen;
  int contexts = 0;
};

TEST(ActionNames, AreTheWordsOfSnapshots) {
  EXPECT_STREQ(caching::name_of(Action::kAlloc), "alloc");
  EXPECT_STREQ(caching::name_of(Action::kFreeRequested), "free_requested");
  EXPECT_STREQ(caching::name_of(Action::kFreeCompleted), "free_completed");
  EXPECT_STREQ(caching::name_of(Action::kSegmentAlloc), "segment_alloc");
  EXPECT_STREQ(caching::name_of(Action::kSegmentFree), "segment_free");
  EXPECT_STREQ(caching::name_of(Action::kSegmentMap), "segment_map");
  EXPECT_STREQ(caching::name_of(Action::kSegmentUnmap), "segment_unmap");
  EXPECT_STREQ(caching::name_of(Action::kSnapshot), "snapshot");
  EXPECT_STREQ(caching::name_of(Action::kOutOfMemory), "oom");
}

TEST_F(History, TellsActionsInTheirOrder) {
  watch();
  Block* block = allocate(30 * kMib);
  const uint64_t address = begin_of(block);
  ASSERT_EQ(seen.size(), 2U);
  for (const TraceEntry& entry : seen) {
    EXPECT_EQ(entry.address, address);
    EXPECT_EQ(entry.stream_id, stream.id);
    EXPECT_EQ(entry.pool, PoolId{});
    EXPECT_GT(entry.time_ns, int64_t{1600000000} * 1000000000) << "since 1970";
  }
  EXPECT_EQ(seen[0].size, 30 * kMib);
  EXPECT_EQ(actions(), (std::vector{Action::kSegmentAlloc, Action::kAlloc}));
  allocator->free(block);
  EXPECT_EQ(actions(), (std::vector{Action::kFreeRequested, Action::kFreeCompleted}));
  touch(30 * kMib, stream);
  EXPECT_EQ(actions(), (std::vector{Action::kAlloc, Action::kFreeRequested, Action::kFreeCompleted}));
  allocator->release_cached();
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].address, address);
  EXPECT_EQ(seen[0].size, 30 * kMib);
  EXPECT_EQ(actions(), std::vector{Action::kSegmentFree});
  allocator->on_trace(nullptr);
  touch(kKib, stream);
  EXPECT_TRUE(seen.empty());
}

TEST_F(History, CompletionIsLaterWhereStreamsWereRecorded) {
  const Stream other = machine.make_stream();
  Block* block = allocate(kKib);
  const uint64_t address = begin_of(block);
  allocator->record_stream(block, other);
  watch();
  Gate gate(other.handle);
  allocator->free(block);
  EXPECT_EQ(actions(), std::vector{Action::kFreeRequested});
  gate.open();
  synchronize(other);
  block = allocate(3 * kMib);
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen[0].action, Action::kFreeCompleted);
  EXPECT_EQ(seen[0].address, address);
  allocator->free(block);
}

TEST_F(History, TheEndOfAnAllocatorIsTold) {
  watch();
  touch(30 * kMib, stream);
  actions();
  allocator.reset();
  EXPECT_EQ(actions(), std::vector{Action::kSegmentFree});
}

TEST_F(History, OutOfMemoryTellsWhatTheDeviceHas) {
  watch();
  Block* block = nullptr;
  const uint64_t before = machine.free_bytes();
  EXPECT_EQ(allocator->allocate(2 * machine.total_bytes(), stream, &block), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].action, Action::kOutOfMemory);
  EXPECT_EQ(seen[0].address, before);
  EXPECT_GE(seen[0].size, 2 * machine.total_bytes());
}

TEST_F(History, PoolsAreTold) {
  watch();
  const PoolId pool = {5, 6};
  ASSERT_EQ(allocator->begin_pool(pool, [](Stream) { return true; }), XHAL_SUCCESS);
  touch(kKib, stream);
  ASSERT_EQ(allocator->end_pool(pool), XHAL_SUCCESS);
  ASSERT_EQ(seen.size(), 4U);
  for (const TraceEntry& entry : seen) EXPECT_EQ(entry.pool, pool) << caching::name_of(entry.action);
}

TEST_F(History, IsNotKeptUnlessAskedFor) {
  touch(kKib, stream);
  EXPECT_TRUE(allocator->snapshot().trace.empty());
}

TEST_F(History, KeepsTheNewestOldestFirst) {
  watch();
  allocator->record_history(KeepContexts::kNever, 5, nullptr);
  for (uint64_t i = 1; i <= 10; ++i) touch(i * kKib, stream);
  const std::vector<TraceEntry> trace = allocator->snapshot().trace;
  ASSERT_EQ(trace.size(), 5U);
  // Whether the snapshot's own entry is among its trace is nobody's business.
  std::vector<TraceEntry> expected = seen;
  if (trace.back().action != Action::kSnapshot && expected.back().action == Action::kSnapshot)
    expected.pop_back();
  ASSERT_GE(expected.size(), 5U);
  for (size_t i = 0; i < 5; ++i) {
    const TraceEntry& want = expected[expected.size() - 5 + i];
    EXPECT_EQ(trace[i].action, want.action) << i;
    EXPECT_EQ(trace[i].address, want.address) << i;
    EXPECT_EQ(trace[i].size, want.size) << i;
    EXPECT_EQ(trace[i].time_ns, want.time_ns) << i;
  }
}

TEST_F(History, FewEntriesAreAllThere) {
  allocator->record_history(KeepContexts::kNever, 100, nullptr);
  touch(kKib, stream);
  const std::vector<TraceEntry> trace = allocator->snapshot().trace;
  ASSERT_GE(trace.size(), 4U);
  EXPECT_EQ(trace[0].action, Action::kSegmentAlloc);
  EXPECT_EQ(trace[1].action, Action::kAlloc);
  EXPECT_EQ(trace[2].action, Action::kFreeRequested);
  EXPECT_EQ(trace[3].action, Action::kFreeCompleted);
  allocator->record_history(KeepContexts::kNever, 0, nullptr);
  touch(kKib, stream);
  EXPECT_TRUE(allocator->snapshot().trace.empty());
}

TEST_F(History, NoContextsAreMadeForNobody) {
  watch();
  allocator->record_history(KeepContexts::kNever, 100, counting());
  Block* block = allocate(kKib);
  EXPECT_EQ(allocator->snapshot().segments.at(0).blocks.at(0).allocated_at, nullptr);
  allocator->free(block);
  EXPECT_EQ(contexts, 0);
  for (const TraceEntry& entry : seen) EXPECT_EQ(entry.context, nullptr);
}

TEST_F(History, ContextsOfLiveBlocksAreInSnapshotsAlone) {
  watch();
  allocator->record_history(KeepContexts::kOfLiveBlocks, 100, counting());
  Block* block = allocate(kKib);
  const int made = contexts;
  EXPECT_GE(made, 1);
  Snapshot snapshot = allocator->snapshot();
  const int first = number_in(snapshot.segments.at(0).blocks.at(0).allocated_at);
  EXPECT_GE(first, 1);
  EXPECT_LE(first, made);
  EXPECT_EQ(snapshot.segments.at(0).blocks.at(1).allocated_at, nullptr) << "free memory";
  allocator->free(block);
  for (const TraceEntry& entry : seen) EXPECT_EQ(entry.context, nullptr) << caching::name_of(entry.action);
  EXPECT_EQ(contexts, made) << "a free needs none";
}

TEST_F(History, ContextsOfAllocationsAreInTheTrace) {
  watch();
  allocator->record_history(KeepContexts::kOfAllocations, 100, counting());
  Block* block = allocate(kKib);
  const int made = contexts;
  EXPECT_GE(made, 1);
  for (const TraceEntry& entry : seen) EXPECT_NE(entry.context, nullptr) << caching::name_of(entry.action);
  EXPECT_NE(allocator->snapshot().segments.at(0).allocated_at, nullptr);
  allocator->free(block);
  EXPECT_EQ(contexts, made);
}

TEST_F(History, ContextsOfAllAreOfFreesToo) {
  allocator->record_history(KeepContexts::kOfAll, 100, counting());
  Block* block = allocate(kKib);
  const int made = contexts;
  watch();
  allocator->free(block);
  EXPECT_GT(contexts, made);
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen[0].action, Action::kFreeRequested);
  EXPECT_GT(number_in(seen[0].context), made);
}

TEST_F(History, ContextsEndWithTheirBlocks) {
  allocator->record_history(KeepContexts::kOfLiveBlocks, 0, counting());
  std::weak_ptr<void> context;
  Block* block = allocate(kKib);
  context = allocator->snapshot().segments.at(0).blocks.at(0).allocated_at;
  EXPECT_FALSE(context.expired());
  allocator->free(block);
  block = allocate(kKib);
  EXPECT_NE(allocator->snapshot().segments.at(0).blocks.at(0).allocated_at, context.lock());
  allocator->free(block);
}

TEST_F(History, ContextsMayAskTheAllocator) {
  allocator->record_history(KeepContexts::kOfAll, 10, [this]() -> Context {
    allocator->stats();
    return nullptr;
  });
  touch(kKib, stream);
}

TEST_F(History, AFreeOfWhatHasNoContextIsWell) {
  Block* block = allocate(kKib);
  allocator->record_history(KeepContexts::kOfAll, 10, nullptr);
  allocator->free(block);
  touch(kKib, stream);
  EXPECT_FALSE(allocator->snapshot().trace.empty());
}

}  // namespace
}  // namespace xhal::caching_test
