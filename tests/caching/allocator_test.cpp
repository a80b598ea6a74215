// SPDX-License-Identifier: Apache-2.0
// Blocks: what one stream sees, and what is counted.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "harness.hpp"

namespace xhal::caching_test {
namespace {

class Blocks : public CachingTest {};

TEST_F(Blocks, OfNoBytesIsNullAndASuccess) {
  Block* block = reinterpret_cast<Block*>(&machine);
  EXPECT_EQ(allocator->allocate(0, stream, &block), XHAL_SUCCESS);
  EXPECT_EQ(block, nullptr);
  EXPECT_EQ(aggregate(allocator->stats().allocation).allocated, 0);
}

TEST_F(Blocks, FreeOfNullDoesNothing) {
  allocator->free(nullptr);
  EXPECT_EQ(aggregate(allocator->stats().allocation).freed, 0);
}

TEST_F(Blocks, KnowWhatWasAskedForAndWhatWasGiven) {
  Block* block = allocate(1000);
  EXPECT_EQ(caching::requested_of(block), 1000U);
  EXPECT_EQ(caching::size_of(block), 1024U);
  EXPECT_EQ(begin_of(block) % 512, 0U);
  EXPECT_EQ(machine.attributes_of(begin_of(block)).kind, static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
  allocator->free(block);
}

TEST_F(Blocks, AreRoundedAsTheSettingsSay) {
  Settings settings;
  settings.divisions.fill(2);
  const auto rounding = machine.make_allocator(settings);
  Block* block = nullptr;
  ASSERT_EQ(rounding->allocate(5 * kMib, stream, &block), XHAL_SUCCESS);
  EXPECT_EQ(caching::size_of(block), 6 * kMib);
  EXPECT_EQ(caching::requested_of(block), 5 * kMib);
  rounding->free(block);
}

TEST_F(Blocks, AreGivenOutAgainOnTheirStreamWithoutTheDriver) {
  for (const uint64_t bytes : {uint64_t{100}, kMib, 5 * kMib, 40 * kMib}) {
    const uint64_t address = touch(bytes, stream);
    const int64_t taken = allocator->stats().num_device_alloc;
    EXPECT_EQ(touch(bytes, stream), address) << bytes;
    EXPECT_EQ(allocator->stats().num_device_alloc, taken) << bytes;
  }
}

TEST_F(Blocks, AreGivenOutAgainWhileTheirStreamIsHeld) {
  Gate gate(stream.handle);
  const uint64_t address = touch(4 * kKib, stream);
  EXPECT_EQ(touch(4 * kKib, stream), address);
}

TEST_F(Blocks, ShareASegmentWhenSmall) {
  Block* first = allocate(1000);
  Block* second = allocate(kMib);
  EXPECT_EQ(begin_of(second), end_of(first));
  EXPECT_EQ(allocator->stats().num_device_alloc, 1);
  EXPECT_EQ(aggregate(allocator->stats().reserved_bytes).current, static_cast<int64_t>(2 * kMib));
  allocator->free(first);
  allocator->free(second);
}

TEST_F(Blocks, AreMergedWithFreeNeighbours) {
  std::vector<Block*> blocks(4);
  for (Block*& block : blocks) block = allocate(512 * kKib);
  ASSERT_EQ(allocator->stats().num_device_alloc, 1);
  const uint64_t address = begin_of(blocks[0]);
  for (const int i : {0, 2, 1, 3}) allocator->free(blocks[static_cast<size_t>(i)]);
  const Snapshot snapshot = allocator->snapshot();
  ASSERT_EQ(snapshot.segments.size(), 1U);
  ASSERT_EQ(snapshot.segments[0].blocks.size(), 1U);
  EXPECT_EQ(snapshot.segments[0].blocks[0].size, 2 * kMib);
  EXPECT_EQ(touch(kMib, stream), address);
}

TEST_F(Blocks, AreSplitAboveTheLeastRest) {
  // Of 20 MiB the first leaves 11, the second 1.5, which is above the limit too.
  Block* large = allocate(9 * kMib);
  EXPECT_EQ(caching::size_of(large), 9 * kMib);
  Block* second = allocate(9 * kMib + kMib / 2);
  EXPECT_EQ(begin_of(second), end_of(large));
  EXPECT_EQ(caching::size_of(second), 9 * kMib + kMib / 2);
  Block* third = allocate(kMib + 512);
  EXPECT_EQ(begin_of(third), end_of(second));
  EXPECT_EQ(caching::size_of(third), kMib + kMib / 2) << "half a MiB is no block of the large pool";
  EXPECT_EQ(caching::requested_of(third), kMib + 512);
  for (Block* block : {large, second, third}) allocator->free(block);
}

TEST_F(Blocks, ARestOfOneMebibyteIsNotSplitOff) {
  Block* block = allocate(11 * kMib);
  EXPECT_EQ(caching::size_of(block), 12 * kMib);
  EXPECT_EQ(aggregate(allocator->stats().inactive_split).current, 0);
  EXPECT_EQ(aggregate(allocator->stats().allocated_bytes).current, static_cast<int64_t>(12 * kMib));
  EXPECT_EQ(aggregate(allocator->stats().requested_bytes).current, static_cast<int64_t>(11 * kMib));
  allocator->free(block);
}

TEST_F(Blocks, SmallAndLargeDoNotShareMemory) {
  touch(40 * kMib, stream);
  Block* small = allocate(kMib);
  Block* large = allocate(kMib + 1);
  const Stats stats = allocator->stats();
  EXPECT_EQ(stats.reserved_bytes.of(PoolKind::kSmall).current, static_cast<int64_t>(2 * kMib));
  EXPECT_EQ(stats.reserved_bytes.of(PoolKind::kLarge).current, static_cast<int64_t>(40 * kMib));
  EXPECT_EQ(stats.allocation.of(PoolKind::kSmall).current, 1);
  EXPECT_EQ(stats.allocation.of(PoolKind::kLarge).current, 1);
  EXPECT_EQ(stats.allocation.of(PoolKind::kAggregate).current, 2);
  allocator->free(small);
  allocator->free(large);
}

TEST_F(Blocks, AreFoundByEachOfTheirAddresses) {
  Block* block = allocate(1000);
  Block* other = allocate(1000);
  const auto find = [&](uint64_t address) { return allocator->find(reinterpret_cast<const void*>(address)); };
  EXPECT_EQ(find(begin_of(block)), block);
  EXPECT_EQ(find(begin_of(block) + 500), block);
  EXPECT_EQ(find(end_of(block) - 1), block);
  EXPECT_EQ(find(end_of(block)), other);
  EXPECT_EQ(find(end_of(other)), nullptr) << "free memory of the segment";
  EXPECT_EQ(find(0), nullptr);
  EXPECT_EQ(find(number_of(&machine)), nullptr);
  const uint64_t address = begin_of(block);
  allocator->free(block);
  EXPECT_EQ(find(address), nullptr);
  allocator->free(other);
}

TEST_F(Blocks, KnowTheMemoryTheyAreAPartOf) {
  Block* first = allocate(1000);
  Block* second = allocate(1000);
  const Allocator::Base base = allocator->base_of(second);
  const auto attributes = machine.attributes_of(begin_of(second));
  EXPECT_EQ(base.address, attributes.base);
  EXPECT_EQ(base.size, attributes.size);
  EXPECT_EQ(base.size, 2 * kMib);
  EXPECT_EQ(allocator->base_of(first).address, base.address);
  allocator->free(first);
  allocator->free(second);
}

TEST_F(Blocks, KnowTheirAllocator) {
  const auto other = machine.make_allocator();
  Block* mine = allocate(kKib);
  Block* theirs = nullptr;
  ASSERT_EQ(other->allocate(kKib, stream, &theirs), XHAL_SUCCESS);
  EXPECT_EQ(caching::owner_of(mine), allocator.get());
  EXPECT_EQ(caching::owner_of(theirs), other.get());
  EXPECT_EQ(allocator->find(caching::address_of(theirs)), nullptr);
  caching::owner_of(mine)->free(mine);
  caching::owner_of(theirs)->free(theirs);
}

TEST_F(Blocks, AreCounted) {
  Block* small = allocate(700);
  Block* large = allocate(3 * kMib);
  Stats stats = allocator->stats();
  EXPECT_EQ(aggregate(stats.allocated_bytes).current, static_cast<int64_t>(3 * kMib + 1024));
  EXPECT_EQ(aggregate(stats.requested_bytes).current, static_cast<int64_t>(3 * kMib + 700));
  EXPECT_EQ(aggregate(stats.active).current, 2);
  EXPECT_EQ(aggregate(stats.active_bytes).current, static_cast<int64_t>(3 * kMib + 1024));
  EXPECT_EQ(aggregate(stats.segment).current, 2);
  EXPECT_EQ(aggregate(stats.reserved_bytes).current, static_cast<int64_t>(22 * kMib));
  EXPECT_EQ(aggregate(stats.inactive_split).current, 2);
  EXPECT_EQ(aggregate(stats.inactive_split_bytes).current, static_cast<int64_t>(19 * kMib - 1024));
  EXPECT_EQ(stats.max_split_size, -1);
  EXPECT_EQ(stats.num_device_alloc, 2);
  EXPECT_EQ(stats.num_device_free, 0);
  allocator->free(small);
  allocator->free(large);
  stats = allocator->stats();
  EXPECT_EQ(aggregate(stats.allocation).current, 0);
  EXPECT_EQ(aggregate(stats.allocation).allocated, 2);
  EXPECT_EQ(aggregate(stats.allocation).freed, 2);
  EXPECT_EQ(aggregate(stats.allocation).peak, 2);
  EXPECT_EQ(aggregate(stats.active_bytes).current, 0);
  EXPECT_EQ(aggregate(stats.inactive_split).current, 0) << "a whole segment is no split";
  EXPECT_EQ(aggregate(stats.reserved_bytes).current, static_cast<int64_t>(22 * kMib));
  EXPECT_EQ(stats.num_sync_all_streams, 0);
  EXPECT_EQ(stats.num_alloc_retries, 0);
  EXPECT_EQ(stats.num_ooms, 0);
}

TEST_F(Blocks, ResetsForgetSumsAndPeaks) {
  touch(3 * kMib, stream);
  Block* block = allocate(700);
  allocator->reset_peaks();
  Stats stats = allocator->stats();
  EXPECT_EQ(aggregate(stats.allocated_bytes).peak, 1024);
  EXPECT_EQ(aggregate(stats.allocated_bytes).allocated, static_cast<int64_t>(3 * kMib + 1024));
  EXPECT_EQ(aggregate(stats.reserved_bytes).peak, static_cast<int64_t>(22 * kMib));
  allocator->reset_sums();
  stats = allocator->stats();
  EXPECT_EQ(aggregate(stats.allocated_bytes).allocated, 0);
  EXPECT_EQ(aggregate(stats.allocated_bytes).freed, 0);
  EXPECT_EQ(aggregate(stats.allocated_bytes).current, 1024);
  EXPECT_EQ(aggregate(stats.reserved_bytes).allocated, 0);
  EXPECT_EQ(stats.num_device_alloc, 0);
  allocator->free(block);
  EXPECT_EQ(aggregate(allocator->stats().allocated_bytes).freed, 1024);
}

TEST_F(Blocks, ReleaseGivesBackWhatIsWhollyFree) {
  const uint64_t before = machine.free_bytes();
  Block* kept = allocate(1000);
  Block* beside = allocate(1000);
  touch(40 * kMib, stream);
  touch(3 * kMib, stream);
  allocator->free(beside);
  allocator->release_cached();
  const Stats stats = allocator->stats();
  EXPECT_EQ(aggregate(stats.reserved_bytes).current, static_cast<int64_t>(2 * kMib));
  EXPECT_EQ(aggregate(stats.segment).current, 1);
  EXPECT_EQ(stats.num_device_free, 1) << "3 MiB were a part of 40";
  EXPECT_EQ(machine.free_bytes(), before - 2 * kMib);
  allocator->free(kept);
  allocator->release_cached();
  EXPECT_EQ(machine.free_bytes(), before);
  EXPECT_TRUE(allocator->snapshot().segments.empty());
}

TEST_F(Blocks, TheEndGivesBackWhatIsFreeAndLeavesWhatIsLive) {
  const uint64_t before = machine.free_bytes();
  touch(40 * kMib, stream);
  Block* live = allocate(1000);
  const uint64_t address = begin_of(live);
  allocator.reset();
  EXPECT_EQ(machine.free_bytes(), before - 2 * kMib);
  EXPECT_EQ(machine.attributes_of(address).kind, static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
}

TEST_F(Blocks, SettingsAreTold) {
  Settings settings;
  settings.max_split_bytes = 64 * kMib;
  const auto other = machine.make_allocator(settings);
  EXPECT_EQ(other->settings().max_split_bytes, 64 * kMib);
  EXPECT_EQ(other->stats().max_split_size, static_cast<int64_t>(64 * kMib));
}

TEST_F(Blocks, BadSettingsAreRefused) {
  Settings settings;
  settings.max_split_bytes = kMib;
  std::unique_ptr<Allocator> other;
  EXPECT_EQ(Allocator::create(machine.driver, machine.device, settings, &other), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(other, nullptr);
}

class MaxSplit : public CachingTest {
 protected:
  MaxSplit() : CachingTest(with_max_split(32 * kMib)) {}
};

TEST_F(MaxSplit, OversizeBlocksAreNotForSmallerRequests) {
  const uint64_t oversize = touch(64 * kMib, stream);
  Block* block = allocate(30 * kMib);
  EXPECT_EQ(allocator->stats().num_device_alloc, 2);
  EXPECT_FALSE(oversize <= begin_of(block) && begin_of(block) < oversize + 64 * kMib);
  allocator->free(block);
}

TEST_F(MaxSplit, OversizeBlocksAreGivenOutWholeWhereLittleIsWasted) {
  const uint64_t address = touch(64 * kMib, stream);
  Block* block = allocate(60 * kMib);
  EXPECT_EQ(begin_of(block), address);
  EXPECT_EQ(caching::size_of(block), 64 * kMib);
  allocator->free(block);
}

TEST_F(MaxSplit, OversizeBlocksAreKeptWhereMuchWouldBeWasted) {
  touch(64 * kMib, stream);
  Block* exact = allocate(44 * kMib);  // 20 MiB are not less than 20
  EXPECT_EQ(caching::size_of(exact), 44 * kMib);
  EXPECT_EQ(allocator->stats().num_device_alloc, 2);
  allocator->free(exact);
}

TEST_F(MaxSplit, SmallerBlocksAreSplitAsEver) {
  const uint64_t address = touch(30 * kMib, stream);
  Block* block = allocate(12 * kMib);
  EXPECT_EQ(begin_of(block), address);
  EXPECT_EQ(caching::size_of(block), 12 * kMib);
  allocator->free(block);
}

TEST_F(MaxSplit, OversizeIsCounted) {
  Block* at_limit = allocate(32 * kMib);
  Block* below = allocate(30 * kMib);
  Stats stats = allocator->stats();
  EXPECT_EQ(stats.oversize_allocations.current, 1);
  EXPECT_EQ(stats.oversize_segments.current, 1);
  allocator->free(at_limit);
  allocator->free(below);
  stats = allocator->stats();
  EXPECT_EQ(stats.oversize_allocations.current, 0);
  EXPECT_EQ(stats.oversize_allocations.freed, 1);
  EXPECT_EQ(stats.oversize_segments.current, 1);
  allocator->release_cached();
  EXPECT_EQ(allocator->stats().oversize_segments.current, 0);
}

}  // namespace
}  // namespace xhal::caching_test
