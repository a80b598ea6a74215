// SPDX-License-Identifier: Apache-2.0
// Segments that grow at their end (feature vmm).
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "harness.hpp"

namespace xhal::caching_test {
namespace {

using caching::Action;
using caching::TraceEntry;

Settings growing() {
  Settings settings;
  settings.expandable = true;
  return settings;
}

class Expandable : public CachingTest {
 protected:
  Expandable() : CachingTest(growing()) {}

  uint64_t reserved() { return static_cast<uint64_t>(aggregate(allocator->stats().reserved_bytes).current); }
  uint64_t told() {
    uint64_t sum = 0;
    for (const SegmentInfo& segment : allocator->snapshot().segments) sum += segment.total_size;
    return sum;
  }
  uint32_t kind_at(uint64_t address) { return machine.attributes_of(address).kind; }
};

TEST(ExpandableSettings, NeedTheFeature) {
  const Machine machine("1g", "-vmm");
  std::unique_ptr<Allocator> allocator;
  EXPECT_EQ(Allocator::create(machine.driver, machine.device, growing(), &allocator), XHAL_ERROR_UNSUPPORTED);
  EXPECT_EQ(allocator, nullptr);
}

TEST_F(Expandable, GrowthKeepsAddressesContiguous) {
  std::vector<Block*> blocks(4);
  for (Block*& block : blocks) block = allocate(40 * kMib);
  for (size_t i = 1; i < blocks.size(); ++i) EXPECT_EQ(begin_of(blocks[i]), end_of(blocks[i - 1])) << i;
  const Snapshot snapshot = allocator->snapshot();
  ASSERT_EQ(snapshot.segments.size(), 1U);
  EXPECT_TRUE(snapshot.segments[0].is_expandable);
  EXPECT_EQ(snapshot.segments[0].stream_id, stream.id);
  EXPECT_EQ(aggregate(allocator->stats().segment).current, 1);
  EXPECT_EQ(reserved(), told());
  const uint64_t begin = begin_of(blocks[0]);
  for (Block* block : blocks) allocator->free(block);
  Block* whole = allocate(160 * kMib);
  EXPECT_EQ(begin_of(whole), begin) << "what four had is one now";
  EXPECT_EQ(reserved(), told());
  allocator->free(whole);
}

TEST_F(Expandable, FreeMemoryAtTheEndIsAPartOfWhatGrows) {
  Block* first = allocate(40 * kMib);
  const uint64_t address = touch(40 * kMib, stream);
  Block* larger = allocate(100 * kMib);
  EXPECT_EQ(begin_of(larger), address);
  EXPECT_LE(reserved(), 160 * kMib);
  allocator->free(larger);
  allocator->free(first);
}

TEST_F(Expandable, BlocksAreUsableAcrossTheSeam) {
  touch(20 * kMib, stream);
  Block* block = allocate(70 * kMib);
  const uint64_t bytes = 70 * kMib;
  ASSERT_EQ(xhal_memory_fill(stream.handle, caching::address_of(block), 0x11, 1, bytes), XHAL_SUCCESS)
      << last_text();
  synchronize(stream);
  std::vector<unsigned char> copy(bytes);
  ASSERT_EQ(xhal_memory_copy(stream.handle, copy.data(), caching::address_of(block), bytes), XHAL_SUCCESS)
      << last_text();
  synchronize(stream);
  EXPECT_TRUE(std::all_of(copy.begin(), copy.end(), [](unsigned char byte) { return byte == 0x11; }));
  EXPECT_EQ(kind_at(begin_of(block)), static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
  EXPECT_EQ(kind_at(end_of(block) - 1), static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
  allocator->free(block);
}

TEST_F(Expandable, ReleaseUnmapsWhatIsFree) {
  const uint64_t before = machine.free_bytes();
  const uint64_t large = touch(40 * kMib, stream);
  touch(kKib, stream);
  EXPECT_GT(reserved(), 40 * kMib);
  allocator->release_cached();
  EXPECT_EQ(reserved(), 0U);
  EXPECT_TRUE(allocator->snapshot().segments.empty());
  EXPECT_EQ(machine.free_bytes(), before);
  EXPECT_NE(kind_at(large), static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
  touch(40 * kMib, stream);
  EXPECT_EQ(reserved(), 40 * kMib);
}

TEST_F(Expandable, AHoleIsUnmappedBetweenLiveBlocks) {
  std::vector<Block*> blocks(3);
  for (Block*& block : blocks) block = allocate(40 * kMib);
  const uint64_t hole = begin_of(blocks[1]);
  allocator->free(blocks[1]);
  const uint64_t free_before = machine.free_bytes();
  allocator->release_cached();
  EXPECT_EQ(machine.free_bytes(), free_before + 40 * kMib);
  EXPECT_NE(kind_at(hole), static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
  EXPECT_EQ(kind_at(begin_of(blocks[0])), static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
  EXPECT_EQ(kind_at(end_of(blocks[2]) - 1), static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
  EXPECT_EQ(reserved(), 80 * kMib);
  const Snapshot snapshot = allocator->snapshot();
  ASSERT_EQ(snapshot.segments.size(), 2U) << "one for each run of mapped memory";
  EXPECT_EQ(snapshot.segments[0].total_size, 40 * kMib);
  EXPECT_EQ(snapshot.segments[1].address, begin_of(blocks[2]));
  Block* again = allocate(40 * kMib);
  EXPECT_EQ(kind_at(begin_of(again)), static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
  EXPECT_EQ(reserved(), 120 * kMib);
  for (Block* block : {blocks[0], blocks[2], again}) allocator->free(block);
}

TEST_F(Expandable, MapsAreTold) {
  std::vector<TraceEntry> seen;
  allocator->on_trace([&](const TraceEntry& entry) { seen.push_back(entry); });
  const auto bytes_of = [&](Action action) {
    uint64_t sum = 0;
    for (const TraceEntry& entry : seen)
      if (entry.action == action) sum += entry.size;
    return sum;
  };
  touch(40 * kMib, stream);
  EXPECT_EQ(bytes_of(Action::kSegmentMap), 40 * kMib);
  allocator->release_cached();
  EXPECT_EQ(bytes_of(Action::kSegmentUnmap), 40 * kMib);
  EXPECT_EQ(bytes_of(Action::kSegmentAlloc), 0U);
  EXPECT_EQ(bytes_of(Action::kSegmentFree), 0U);
  EXPECT_GT(allocator->stats().num_device_alloc, 0);
  EXPECT_GT(allocator->stats().num_device_free, 0);
  allocator->on_trace(nullptr);
}

TEST_F(Expandable, BlocksHaveNoBase) {
  Block* block = allocate(kKib);
  EXPECT_EQ(allocator->base_of(block).address, nullptr);
  EXPECT_EQ(allocator->base_of(block).size, 0U);
  EXPECT_EQ(allocator->find(caching::address_of(block)), block);
  allocator->free(block);
}

TEST_F(Expandable, StreamsHaveSegmentsOfTheirOwn) {
  const Stream other = machine.make_stream();
  Block* mine = allocate(kKib);
  Block* theirs = allocate(kKib, other);
  const Snapshot snapshot = allocator->snapshot();
  ASSERT_EQ(snapshot.segments.size(), 2U);
  EXPECT_EQ(segment_at(snapshot, begin_of(mine))->stream_id, stream.id);
  EXPECT_EQ(segment_at(snapshot, begin_of(theirs))->stream_id, other.id);
  allocator->free(mine);
  allocator->free(theirs);
}

TEST_F(Expandable, PoolsHaveSegmentsOfTheirOwn) {
  const PoolId pool = {1, 0};
  const uint64_t common = touch(40 * kMib, stream);
  ASSERT_EQ(allocator->begin_pool(pool, [](Stream) { return true; }), XHAL_SUCCESS);
  const uint64_t inside = touch(40 * kMib, stream);
  ASSERT_EQ(allocator->end_pool(pool), XHAL_SUCCESS);
  EXPECT_NE(common, inside);
  EXPECT_EQ(allocator->reserved_of(pool), 40 * kMib);
  EXPECT_EQ(allocator->release_pool(pool), XHAL_SUCCESS);
  allocator->release_cached(pool);
  EXPECT_EQ(allocator->reserved_of(pool), 0U);
  EXPECT_EQ(reserved(), 40 * kMib);
}

TEST_F(Expandable, SegmentsStayWhileAPoolIsFilled) {
  const uint64_t address = touch(40 * kMib, stream);
  const PoolId pool = {1, 0};
  ASSERT_EQ(allocator->begin_pool(pool, [](Stream) { return false; }), XHAL_SUCCESS);
  allocator->release_cached();
  EXPECT_EQ(kind_at(address), static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
  EXPECT_EQ(reserved(), 40 * kMib);
  ASSERT_EQ(allocator->end_pool(pool), XHAL_SUCCESS);
  allocator->release_cached();
  EXPECT_EQ(reserved(), 0U);
}

TEST_F(Expandable, AFailureToGrowLeavesWhatWasThere) {
  Block* live = allocate(40 * kMib);
  Block* block = nullptr;
  const uint64_t free_before = machine.free_bytes();
  EXPECT_EQ(allocator->allocate(machine.total_bytes(), stream, &block), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(reserved(), 40 * kMib);
  EXPECT_EQ(machine.free_bytes(), free_before);
  EXPECT_EQ(reserved(), told());
  EXPECT_EQ(xhal_memory_fill(stream.handle, caching::address_of(live), 1, 1, 40 * kMib), XHAL_SUCCESS);
  synchronize(stream);
  allocator->free(live);
}

TEST_F(Expandable, WhatNoDeviceCouldHaveIsOutOfMemory) {
  for (const uint64_t bytes : {64 * kGib, uint64_t{1} << 48, UINT64_MAX - 511, UINT64_MAX}) {
    Block* block = nullptr;
    EXPECT_EQ(allocator->allocate(bytes, stream, &block), XHAL_ERROR_OUT_OF_DEVICE_MEMORY) << bytes;
  }
  EXPECT_EQ(allocator->stats().num_ooms, 4);
  EXPECT_EQ(reserved(), 0U);
  touch(kKib, stream);
}

TEST_F(Expandable, AddressesAreUsedAgainWhenMemoryRunsOut) {
  const uint64_t most = machine.total_bytes() - 64 * kMib;
  touch(most / 2, stream);
  Block* first = allocate(3 * kMib);
  touch(most, stream);
  EXPECT_EQ(reserved(), told());
  EXPECT_GE(reserved(), most);
  allocator->free(first);
  touch(most, machine.make_stream());
  EXPECT_EQ(reserved(), told());
}

TEST_F(Expandable, TheFractionIsKept) {
  ASSERT_EQ(allocator->set_memory_fraction(0.1), XHAL_SUCCESS);
  Block* block = nullptr;
  EXPECT_EQ(allocator->allocate(200 * kMib, stream, &block), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  touch(80 * kMib, stream);
  EXPECT_LE(reserved(), machine.total_bytes() / 10);
}

TEST_F(Expandable, TheEndGivesBackWhatIsFree) {
  const uint64_t before = machine.free_bytes();
  touch(40 * kMib, stream);
  touch(kKib, stream);
  allocator.reset();
  EXPECT_EQ(machine.free_bytes(), before);
}

}  // namespace
}  // namespace xhal::caching_test
