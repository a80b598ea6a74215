// SPDX-License-Identifier: Apache-2.0
// Pools of graphs, without a capture.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "harness.hpp"

namespace xhal::caching_test {
namespace {

class Pools : public CachingTest {
 protected:
  void begin(PoolId id) {
    ASSERT_EQ(allocator->begin_pool(id, [this](Stream each) { return each.id == stream.id; }), XHAL_SUCCESS);
  }
  void end(PoolId id) { ASSERT_EQ(allocator->end_pool(id), XHAL_SUCCESS); }
  PoolId pool_of(const Block* block) {
    const Snapshot snapshot = allocator->snapshot();
    const SegmentInfo* segment = segment_at(snapshot, begin_of(block));
    EXPECT_NE(segment, nullptr);
    return segment == nullptr ? PoolId{} : segment->pool;
  }
  int64_t reserved() { return aggregate(allocator->stats().reserved_bytes).current; }

  const PoolId pool = {0, 7};
  const PoolId second = {7, 0};
  Stream other = machine.make_stream();
};

TEST_F(Pools, ServeTheStreamsTheyTake) {
  begin(pool);
  Block* inside = allocate(kKib);
  Block* large = allocate(30 * kMib);
  Block* outside = allocate(kKib, other);
  end(pool);
  Block* later = allocate(kKib);
  EXPECT_EQ(pool_of(inside), pool);
  EXPECT_EQ(pool_of(large), pool);
  EXPECT_EQ(pool_of(outside), PoolId{});
  EXPECT_EQ(pool_of(later), PoolId{});
  EXPECT_EQ(allocator->reserved_of(pool), 32 * kMib);
  EXPECT_EQ(allocator->reserved_of(second), 0U);
  for (Block* block : {inside, large, outside, later}) allocator->free(block);
}

TEST_F(Pools, AreAskedForStreamsOfRequests) {
  std::vector<Stream> asked;
  ASSERT_EQ(allocator->begin_pool(pool,
                                  [&](Stream each) {
                                    asked.push_back(each);
                                    return false;
                                  }),
            XHAL_SUCCESS);
  Block* block = allocate(kKib, other);
  end(pool);
  ASSERT_FALSE(asked.empty());
  EXPECT_EQ(asked[0].handle, other.handle);
  EXPECT_EQ(asked[0].id, other.id);
  EXPECT_EQ(pool_of(block), PoolId{});
  asked.clear();
  touch(kKib, stream);
  EXPECT_TRUE(asked.empty()) << "the pool is filled no longer";
  allocator->free(block);
}

TEST_F(Pools, AreFilledOnceAtATime) {
  begin(pool);
  EXPECT_EQ(allocator->begin_pool(pool, [](Stream) { return true; }), XHAL_ERROR_BUSY);
  end(pool);
  begin(pool);
  end(pool);
}

TEST_F(Pools, ABusyBeginHoldsNothing) {
  begin(pool);
  EXPECT_EQ(allocator->begin_pool(pool, [](Stream) { return true; }), XHAL_ERROR_BUSY);
  touch(kKib, stream);
  end(pool);
  EXPECT_EQ(allocator->release_pool(pool), XHAL_SUCCESS);
  allocator->release_cached(pool);
  EXPECT_EQ(allocator->reserved_of(pool), 0U);
}

TEST_F(Pools, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(allocator->end_pool(pool), XHAL_ERROR_NOT_FOUND);
  EXPECT_EQ(allocator->release_pool(pool), XHAL_ERROR_NOT_FOUND);
  begin(pool);
  EXPECT_EQ(allocator->end_pool(second), XHAL_ERROR_NOT_FOUND);
  EXPECT_EQ(allocator->release_pool(second), XHAL_ERROR_NOT_FOUND);
  end(pool);
  EXPECT_EQ(allocator->end_pool(pool), XHAL_ERROR_NOT_FOUND);
}

TEST_F(Pools, TwoAreFilledSideBySide) {
  begin(pool);
  ASSERT_EQ(allocator->begin_pool(second, [this](Stream each) { return each.id == other.id; }), XHAL_SUCCESS);
  Block* one = allocate(kKib);
  Block* two = allocate(kKib, other);
  EXPECT_EQ(pool_of(one), pool);
  EXPECT_EQ(pool_of(two), second);
  end(second);
  end(pool);
  allocator->free(one);
  allocator->free(two);
}

TEST_F(Pools, DoNotShareMemoryWithOthers) {
  const uint64_t common = touch(kKib, stream);
  begin(pool);
  const uint64_t inside = touch(kKib, stream);
  end(pool);
  EXPECT_NE(machine.attributes_of(common).base, machine.attributes_of(inside).base);
  begin(second);
  const uint64_t foreign = touch(kKib, stream);
  end(second);
  EXPECT_NE(machine.attributes_of(foreign).base, machine.attributes_of(inside).base);
  EXPECT_NE(machine.attributes_of(foreign).base, machine.attributes_of(common).base);
  EXPECT_EQ(touch(kKib, stream), common);
}

TEST_F(Pools, GiveTheirMemoryOutAgainThemselves) {
  begin(pool);
  const uint64_t inside = touch(30 * kMib, stream);
  EXPECT_EQ(touch(30 * kMib, stream), inside);
  end(pool);
  begin(pool);
  EXPECT_EQ(touch(30 * kMib, stream), inside);
  end(pool);
}

TEST_F(Pools, KeepTheirMemoryUntilReleased) {
  begin(pool);
  const uint64_t inside = touch(30 * kMib, stream);
  end(pool);
  allocator->release_cached();
  allocator->release_cached(pool);
  EXPECT_EQ(allocator->reserved_of(pool), 30 * kMib);
  EXPECT_EQ(machine.attributes_of(inside).kind, static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
  EXPECT_EQ(allocator->release_pool(pool), XHAL_SUCCESS);
  EXPECT_EQ(machine.attributes_of(inside).kind, static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
  allocator->release_cached(pool);
  EXPECT_EQ(allocator->reserved_of(pool), 0U);
  EXPECT_EQ(reserved(), 0);
  EXPECT_NE(machine.attributes_of(inside).kind, static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
}

TEST_F(Pools, EachBeginHasItsRelease) {
  begin(pool);
  touch(kKib, stream);
  end(pool);
  begin(pool);
  end(pool);
  EXPECT_EQ(allocator->release_pool(pool), XHAL_SUCCESS);
  allocator->release_cached();
  EXPECT_EQ(allocator->reserved_of(pool), 2 * kMib);
  EXPECT_EQ(allocator->release_pool(pool), XHAL_SUCCESS);
  allocator->release_cached();
  EXPECT_EQ(allocator->reserved_of(pool), 0U);
  EXPECT_EQ(allocator->release_pool(pool), XHAL_ERROR_NOT_FOUND);
}

TEST_F(Pools, LiveBlocksOutliveTheRelease) {
  begin(pool);
  Block* block = allocate(kKib);
  touch(30 * kMib, stream);
  end(pool);
  EXPECT_EQ(allocator->release_pool(pool), XHAL_SUCCESS);
  allocator->release_cached();
  EXPECT_EQ(allocator->reserved_of(pool), 2 * kMib);
  EXPECT_EQ(allocator->find(caching::address_of(block)), block);
  allocator->free(block);
  allocator->release_cached();
  EXPECT_EQ(allocator->reserved_of(pool), 0U);
}

TEST_F(Pools, ReleasedMemoryIsNotCommonMemory) {
  begin(pool);
  const uint64_t inside = touch(kKib, stream);
  end(pool);
  EXPECT_EQ(allocator->release_pool(pool), XHAL_SUCCESS);
  Block* block = allocate(kKib);
  EXPECT_NE(begin_of(block), inside);
  EXPECT_EQ(pool_of(block), PoolId{});
  allocator->free(block);
}

TEST_F(Pools, GivingOneBackLeavesTheOthers) {
  touch(20 * kMib, stream);
  for (const PoolId id : {pool, second}) {
    begin(id);
    touch(30 * kMib, stream);
    end(id);
    EXPECT_EQ(allocator->release_pool(id), XHAL_SUCCESS);
  }
  allocator->release_cached(pool);
  EXPECT_EQ(allocator->reserved_of(pool), 0U);
  EXPECT_EQ(allocator->reserved_of(second), 30 * kMib);
  EXPECT_EQ(reserved(), static_cast<int64_t>(50 * kMib));
  allocator->release_cached();
  EXPECT_EQ(reserved(), 0);
}

TEST_F(Pools, GivingOneBackWaitsForItsRecordedStreams) {
  begin(pool);
  Block* block = allocate(3 * kMib);
  end(pool);
  Gate gate(other.handle);
  allocator->record_stream(block, other);
  allocator->free(block);
  EXPECT_EQ(allocator->release_pool(pool), XHAL_SUCCESS);
  std::thread releasing([&] { allocator->release_cached(pool); });
  gate.open();
  releasing.join();
  EXPECT_EQ(allocator->reserved_of(pool), 0U);
}

TEST_F(Pools, WhatWasFreedWhileOneIsFilledWaits) {
  Block* block = allocate(3 * kMib, other);
  allocator->record_stream(block, stream);
  begin(pool);
  allocator->free(block);
  touch(kKib, other);
  touch(kKib, stream);
  EXPECT_EQ(allocator->stats().active.of(PoolKind::kLarge).current, 1);
  end(pool);
  synchronize(stream);
  complete_frees();
  synchronize(stream);
  complete_frees();
  EXPECT_EQ(allocator->stats().active.of(PoolKind::kLarge).current, 0);
}

TEST_F(Pools, WhatWasFreedBeforeWaitsAsWell) {
  Block* block = allocate(3 * kMib, other);
  allocator->record_stream(block, stream);
  {
    Gate gate(stream.handle);
    allocator->free(block);
    begin(pool);
  }
  synchronize(stream);
  touch(kKib, other);
  EXPECT_EQ(allocator->stats().active.of(PoolKind::kLarge).current, 1) << "streams are asked nothing";
  end(pool);
  complete_frees();
  EXPECT_EQ(allocator->stats().active.of(PoolKind::kLarge).current, 0);
}

TEST_F(Pools, NothingIsWaitedForWhileOneIsFilled) {
  Gate gate(other.handle);
  Block* block = allocate(3 * kMib);
  touch(40 * kMib, stream);
  allocator->record_stream(block, other);
  allocator->free(block);
  begin(pool);
  allocator->release_cached();
  EXPECT_EQ(allocator->stats().active.of(PoolKind::kLarge).current, 1);
  end(pool);
}

}  // namespace
}  // namespace xhal::caching_test
