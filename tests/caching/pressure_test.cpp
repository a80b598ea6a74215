// SPDX-License-Identifier: Apache-2.0
// What happens where memory runs out.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "harness.hpp"

namespace xhal::caching_test {
namespace {

class Pressure : public CachingTest {
 protected:
  using CachingTest::CachingTest;
  // Room for so many bytes and less than 2 MiB more.
  void limit_to(uint64_t bytes) {
    const auto total = static_cast<double>(machine.total_bytes());
    ASSERT_EQ(allocator->set_memory_fraction(static_cast<double>(bytes + kMib) / total), XHAL_SUCCESS);
  }
  xhal_result_t try_allocate(uint64_t bytes, OutOfMemory* out_of_memory = nullptr) {
    Block* block = nullptr;
    const xhal_result_t result = allocator->allocate(bytes, stream, &block, out_of_memory);
    if (result == XHAL_SUCCESS) allocator->free(block);
    return result;
  }
  int64_t reserved() { return aggregate(allocator->stats().reserved_bytes).current; }
};

TEST_F(Pressure, AFractionIsAboveZeroAndAtMostOne) {
  EXPECT_EQ(allocator->memory_fraction(), 1.0);
  EXPECT_EQ(allocator->set_memory_fraction(0.5), XHAL_SUCCESS);
  for (const double bad : {0.0, -0.25, 1.0001, std::numeric_limits<double>::quiet_NaN(),
                           std::numeric_limits<double>::infinity()})
    EXPECT_EQ(allocator->set_memory_fraction(bad), XHAL_ERROR_INVALID_ARGUMENT) << bad;
  EXPECT_EQ(allocator->memory_fraction(), 0.5);
  EXPECT_EQ(allocator->set_memory_fraction(1.0), XHAL_SUCCESS);
  EXPECT_EQ(allocator->memory_fraction(), 1.0);
}

TEST_F(Pressure, AboveTheFractionIsOutOfMemory) {
  limit_to(40 * kMib);
  Block* live = allocate(20 * kMib);
  OutOfMemory told;
  EXPECT_EQ(try_allocate(30 * kMib + 100, &told), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(told.requested, 30 * kMib + 100);
  EXPECT_EQ(told.device_total, machine.total_bytes());
  EXPECT_EQ(told.device_free, machine.free_bytes());
  EXPECT_GE(told.limit, 40 * kMib);
  EXPECT_LE(told.limit, 42 * kMib);
  EXPECT_EQ(told.live, 20 * kMib);
  EXPECT_EQ(told.reserved, 20 * kMib);
  EXPECT_EQ(told.reserved_in_pools, 0U);
  EXPECT_FALSE(told.text().empty());
  EXPECT_EQ(allocator->stats().num_ooms, 1);
  EXPECT_EQ(try_allocate(20 * kMib), XHAL_SUCCESS);
  allocator->free(live);
}

TEST_F(Pressure, TheFractionItselfMayBeUsed) {
  ASSERT_EQ(allocator->set_memory_fraction(0.5), XHAL_SUCCESS);
  const uint64_t half = machine.total_bytes() / 2;
  EXPECT_EQ(try_allocate(half + 2 * kMib), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(try_allocate(half), XHAL_SUCCESS);
  EXPECT_EQ(reserved(), static_cast<int64_t>(half));
}

TEST_F(Pressure, ALowerFractionLeavesWhatIsThere) {
  Block* live = allocate(40 * kMib);
  const uint64_t cached = touch(20 * kMib, stream);
  limit_to(10 * kMib);
  EXPECT_EQ(touch(20 * kMib, stream), cached) << "cached memory is taken already";
  EXPECT_EQ(try_allocate(30 * kMib), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(reserved(), static_cast<int64_t>(40 * kMib));
  EXPECT_EQ(allocator->find(caching::address_of(live)), live);
  allocator->free(live);
}

TEST_F(Pressure, BeyondTheDeviceIsOutOfMemory) {
  OutOfMemory told;
  EXPECT_EQ(try_allocate(2 * machine.total_bytes(), &told), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(told.limit, 0U);
  EXPECT_EQ(told.requested, 2 * machine.total_bytes());
  EXPECT_EQ(try_allocate(UINT64_MAX, &told), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(try_allocate(UINT64_MAX - 511), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(allocator->stats().num_ooms, 3);
  EXPECT_EQ(try_allocate(kKib), XHAL_SUCCESS);
}

TEST_F(Pressure, TheAnswerIsUntouchedWhereNothingFailed) {
  OutOfMemory told;
  told.requested = 7;
  EXPECT_EQ(try_allocate(kKib, &told), XHAL_SUCCESS);
  EXPECT_EQ(told.requested, 7U);
}

TEST(OutOfMemoryText, HasASentenceForEachThatIsKnown) {
  OutOfMemory told;
  told.requested = 30 * kMib;
  size_t length = told.text().size();
  EXPECT_GT(length, 0U);
  const auto expect_longer = [&](const char* what) {
    EXPECT_GT(told.text().size(), length) << what << ": " << told.text();
    length = told.text().size();
  };
  told.device_total = kGib;
  told.device_free = 100 * kMib;
  expect_longer("device");
  told.limit = 512 * kMib;
  expect_longer("limit");
  told.reserved = 400 * kMib;
  told.live = 300 * kMib;
  told.reserved_in_pools = 50 * kMib;
  expect_longer("reserved");
  EXPECT_EQ(told.text().find('\n'), std::string::npos);
}

TEST_F(Pressure, CachedMemoryIsGivenBackBeforeARequestFails) {
  limit_to(40 * kMib);
  touch(20 * kMib, stream);
  EXPECT_EQ(try_allocate(40 * kMib), XHAL_SUCCESS);
  Stats stats = allocator->stats();
  EXPECT_EQ(stats.num_alloc_retries, 1);
  EXPECT_EQ(stats.num_ooms, 0);
  EXPECT_EQ(stats.num_device_free, 1);
  EXPECT_EQ(reserved(), static_cast<int64_t>(40 * kMib));
  EXPECT_EQ(try_allocate(60 * kMib), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  stats = allocator->stats();
  EXPECT_EQ(stats.num_alloc_retries, 2) << "one that failed counts, too";
  EXPECT_EQ(stats.num_ooms, 1);
  EXPECT_EQ(reserved(), 0);
}

TEST_F(Pressure, CachedMemoryOfOtherStreamsIsGivenBackToo) {
  limit_to(40 * kMib);
  touch(30 * kMib, machine.make_stream());
  EXPECT_EQ(try_allocate(30 * kMib), XHAL_SUCCESS);
}

TEST_F(Pressure, ARequestThatWouldFailWaitsForRecordedStreams) {
  limit_to(40 * kMib);
  const Stream other = machine.make_stream();
  Block* block = allocate(40 * kMib);
  const uint64_t bytes = caching::size_of(block);
  for (int i = 0; i < 16; ++i)
    ASSERT_EQ(xhal_memory_fill(other.handle, caching::address_of(block), 1, 1, bytes), XHAL_SUCCESS);
  allocator->record_stream(block, other);
  allocator->free(block);
  EXPECT_EQ(try_allocate(30 * kMib), XHAL_SUCCESS);
  EXPECT_EQ(xhal_stream_query(other.handle), XHAL_SUCCESS);
}

TEST_F(Pressure, TheDevicesOwnLimitIsMetInTheSameWay) {
  const uint64_t half = machine.total_bytes() / 2;
  touch(half, stream);
  EXPECT_EQ(try_allocate(half + half / 2), XHAL_SUCCESS);
  EXPECT_EQ(allocator->stats().num_alloc_retries, 1);
}

TEST_F(Pressure, TheCallbackIsAskedAndTheRequestTriedAgain) {
  limit_to(40 * kMib);
  Block* live = allocate(40 * kMib);
  std::vector<uint64_t> asked;
  allocator->on_pressure([&](uint64_t bytes) {
    asked.push_back(bytes);
    EXPECT_EQ(aggregate(allocator->stats().allocation).current, live == nullptr ? 0 : 1);
    allocator->free(std::exchange(live, nullptr));
    return asked.size() == 1;
  });
  EXPECT_EQ(try_allocate(30 * kMib + 5), XHAL_SUCCESS);
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_GE(asked[0], 30 * kMib + 5);
  EXPECT_LE(asked[0], 32 * kMib);
  EXPECT_EQ(allocator->stats().num_ooms, 0);
}

TEST_F(Pressure, ACallbackThatFreesNothingEndsInOutOfMemory) {
  limit_to(40 * kMib);
  int former = 0;
  int asked = 0;
  allocator->on_pressure([&](uint64_t) { return ++former == 0; });
  allocator->on_pressure([&](uint64_t) { return ++asked == 0; });
  EXPECT_EQ(try_allocate(60 * kMib), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(former, 0) << "the second takes the place of the first";
  EXPECT_EQ(asked, 1);
  allocator->on_pressure(nullptr);
  EXPECT_EQ(try_allocate(60 * kMib), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(asked, 1);
}

TEST_F(Pressure, TheCallbackIsNotAskedWhereGivingBackIsEnough) {
  limit_to(40 * kMib);
  touch(20 * kMib, stream);
  int asked = 0;
  allocator->on_pressure([&](uint64_t) { return ++asked == 0; });
  EXPECT_EQ(try_allocate(10 * kMib), XHAL_SUCCESS);
  EXPECT_EQ(asked, 0);
}

TEST_F(Pressure, OutOfMemoryIsToldOnceForEachRequest) {
  limit_to(40 * kMib);
  std::vector<OutOfMemory> told;
  allocator->on_out_of_memory([&](const OutOfMemory& each) {
    EXPECT_EQ(allocator->stats().num_ooms, static_cast<int64_t>(told.size() + 1));
    told.push_back(each);
  });
  OutOfMemory answer;
  EXPECT_EQ(try_allocate(50 * kMib), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(try_allocate(60 * kMib, &answer), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(try_allocate(30 * kMib), XHAL_SUCCESS);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].requested, 50 * kMib);
  EXPECT_EQ(told[1].requested, answer.requested);
  EXPECT_EQ(told[1].limit, answer.limit);
}

TEST_F(Pressure, MemoryOfPoolsIsTold) {
  limit_to(60 * kMib);
  const PoolId pool = {1, 1};
  ASSERT_EQ(allocator->begin_pool(pool, [](Stream) { return true; }), XHAL_SUCCESS);
  Block* block = allocate(20 * kMib);
  ASSERT_EQ(allocator->end_pool(pool), XHAL_SUCCESS);
  OutOfMemory told;
  EXPECT_EQ(try_allocate(50 * kMib, &told), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(told.reserved, 20 * kMib);
  EXPECT_EQ(told.reserved_in_pools, 20 * kMib);
  allocator->free(block);
  EXPECT_EQ(try_allocate(50 * kMib), XHAL_ERROR_OUT_OF_DEVICE_MEMORY) << "a held pool keeps its memory";
  EXPECT_EQ(allocator->reserved_of(pool), 20 * kMib);
}

class OversizePressure : public Pressure {
 protected:
  OversizePressure() : Pressure(with_max_split(32 * kMib)) {}
  // Bytes of each free segment, by size.
  std::vector<uint64_t> cached() {
    std::vector<uint64_t> sizes;
    for (const SegmentInfo& segment : allocator->snapshot().segments)
      if (segment.active_size == 0) sizes.push_back(segment.total_size);
    std::sort(sizes.begin(), sizes.end());
    return sizes;
  }
  void fill_cache(const std::vector<uint64_t>& sizes) {
    std::vector<Block*> blocks;
    for (const uint64_t size : sizes) blocks.push_back(allocate(size));
    for (Block* block : blocks) allocator->free(block);
    ASSERT_EQ(cached().size(), sizes.size());
  }
};

TEST_F(OversizePressure, OneOversizeBlockIsGivenBackWhereThatIsEnough) {
  limit_to(170 * kMib);
  fill_cache({20 * kMib, 64 * kMib, 80 * kMib});
  Block* block = allocate(40 * kMib);  // 64 would waste too much
  EXPECT_EQ(cached(), (std::vector{20 * kMib, 80 * kMib})) << "the smallest that is enough";
  EXPECT_EQ(allocator->stats().num_alloc_retries, 1);
  allocator->free(block);
}

TEST_F(OversizePressure, SeveralAreGivenBackWhereTogetherTheyAreEnough) {
  limit_to(150 * kMib);
  fill_cache({20 * kMib, 34 * kMib, 40 * kMib, 50 * kMib});
  Block* block = allocate(80 * kMib);
  EXPECT_EQ(cached(), (std::vector{20 * kMib, 34 * kMib})) << "the largest first, and no more than needed";
  allocator->free(block);
}

TEST_F(OversizePressure, AllIsGivenBackWhereTheyAreNotEnough) {
  limit_to(120 * kMib);
  fill_cache({30 * kMib, 30 * kMib, 40 * kMib});
  Block* block = allocate(100 * kMib);
  EXPECT_TRUE(cached().empty());
  allocator->free(block);
  EXPECT_EQ(try_allocate(200 * kMib), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
}

class Collection : public CachingTest {
 protected:
  static Settings collecting(double above) {
    Settings settings;
    settings.collect_above = above;
    return settings;
  }
  explicit Collection(double above = 0.5) : CachingTest(collecting(above)) {}

  // 300 MiB are cached in pieces that serve none of the requests, which would fit below the limit all together.
  void fill_up() {
    ASSERT_EQ(allocator->set_memory_fraction(0.5), XHAL_SUCCESS);
    std::vector<Block*> blocks(10);
    for (Block*& block : blocks) block = allocate(30 * kMib);
    for (Block* block : blocks) allocator->free(block);
    for (const uint64_t bytes : {64 * kMib, 66 * kMib, 68 * kMib}) kept.push_back(allocate(bytes));
  }
  // Of the free segments.
  std::vector<uint32_t> ages() {
    std::vector<uint32_t> all;
    for (const SegmentInfo& segment : allocator->snapshot().segments)
      if (segment.active_size == 0) all.push_back(segment.blocks.at(0).age);
    return all;
  }
  void TearDown() override {
    for (Block* block : kept) allocator->free(block);
  }
  std::vector<Block*> kept;
};

TEST_F(Collection, GivesBackOldMemoryAboveTheThreshold) {
  fill_up();
  const Stats stats = allocator->stats();
  EXPECT_GE(stats.num_device_free, 1);
  EXPECT_LT(aggregate(stats.reserved_bytes).current, static_cast<int64_t>(498 * kMib));
  EXPECT_EQ(stats.num_ooms, 0);
}

TEST_F(Collection, WhatIsLeftHasAnAgeUntilItIsUsed) {
  fill_up();
  ASSERT_FALSE(ages().empty());
  for (const uint32_t age : ages()) EXPECT_GE(age, 1U);
  touch(30 * kMib, stream);
  const std::vector<uint32_t> after = ages();
  EXPECT_EQ(*std::min_element(after.begin(), after.end()), 0U);
}

TEST_F(Collection, DoesNotTouchWhatIsLive) {
  ASSERT_EQ(allocator->set_memory_fraction(0.5), XHAL_SUCCESS);
  for (int i = 0; i < 10; ++i) kept.push_back(allocate(30 * kMib));
  kept.push_back(allocate(64 * kMib));
  EXPECT_EQ(allocator->stats().num_device_free, 0);
  for (Block* block : kept)
    EXPECT_EQ(machine.attributes_of(begin_of(block)).kind, static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
}

class NoCollection : public Collection {
 protected:
  NoCollection() : Collection(0) {}
};

TEST_F(NoCollection, HappensWithoutAThreshold) {
  fill_up();
  EXPECT_EQ(allocator->stats().num_device_free, 0);
  EXPECT_EQ(aggregate(allocator->stats().reserved_bytes).current, static_cast<int64_t>(498 * kMib));
}

TEST_F(NoCollection, MakesNothingOld) {
  fill_up();
  EXPECT_EQ(ages(), std::vector<uint32_t>(10, 0)) << "no round has found them";
}

}  // namespace
}  // namespace xhal::caching_test
