// SPDX-License-Identifier: Apache-2.0
// Memory and more than one stream.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

#include "harness.hpp"

namespace xhal::caching_test {
namespace {

class Streams : public CachingTest {
 protected:
  Stream other = machine.make_stream();
};

TEST_F(Streams, DoNotGetOneAnothersMemory) {
  for (const uint64_t bytes : {kKib, 3 * kMib, 40 * kMib}) {
    const uint64_t address = touch(bytes, stream);
    const uint64_t foreign = touch(bytes, other);
    EXPECT_NE(machine.attributes_of(address).base, machine.attributes_of(foreign).base) << bytes;
  }
  for (const SegmentInfo& segment : allocator->snapshot().segments)
    EXPECT_TRUE(segment.stream_id == stream.id || segment.stream_id == other.id);
}

TEST_F(Streams, AreKnownByTheirIdsAndNotByTheirHandles) {
  const uint64_t address = touch(kKib, stream);
  const Stream renamed = {stream.handle, other.id};
  EXPECT_NE(touch(kKib, renamed), address);
}

TEST_F(Streams, ARecordedStreamProtectsUntilItHasPassed) {
  Block* block = allocate(kKib);
  const uint64_t address = begin_of(block);
  Gate gate(other.handle);
  allocator->record_stream(block, other);
  allocator->free(block);
  EXPECT_EQ(aggregate(allocator->stats().allocation).current, 0);
  EXPECT_EQ(aggregate(allocator->stats().active).current, 1);
  Block* meanwhile = allocate(kKib);
  EXPECT_NE(begin_of(meanwhile), address);
  EXPECT_EQ(aggregate(allocator->stats().active).current, 2);
  gate.open();
  synchronize(other);
  complete_frees();
  EXPECT_EQ(aggregate(allocator->stats().active).current, 1);
  EXPECT_EQ(touch(kKib, stream), address);
  allocator->free(meanwhile);
}

TEST_F(Streams, ABlockWaitsForAllThatWereRecorded) {
  const Stream third = machine.make_stream();
  Block* block = allocate(3 * kMib);
  Gate gate(other.handle);
  Gate last(third.handle);
  allocator->record_stream(block, other);
  allocator->record_stream(block, third);
  allocator->record_stream(block, other);
  allocator->free(block);
  gate.open();
  synchronize(other);
  complete_frees();
  EXPECT_EQ(allocator->stats().active.of(PoolKind::kLarge).current, 1);
  last.open();
  synchronize(third);
  complete_frees();
  EXPECT_EQ(allocator->stats().active.of(PoolKind::kLarge).current, 0);
}

TEST_F(Streams, WhatAStreamIsGivenAfterTheFreeIsNotWaitedFor) {
  Block* block = allocate(3 * kMib);
  allocator->record_stream(block, other);
  allocator->free(block);
  Gate gate(other.handle);
  // Nothing tells the test when the stream has come to the free, which lies before the gate.
  while (allocator->stats().active.of(PoolKind::kLarge).current != 0) {
    complete_frees();
    std::this_thread::yield();
  }
  EXPECT_EQ(xhal_stream_query(other.handle), XHAL_NOT_READY) << "the gate was never opened";
}

TEST_F(Streams, WhatAStreamIsGivenBetweenRecordAndFreeIsWaitedFor) {
  Block* block = allocate(3 * kMib);
  allocator->record_stream(block, other);
  complete_frees();
  Gate gate(other.handle);
  allocator->free(block);
  complete_frees();
  EXPECT_EQ(allocator->stats().active.of(PoolKind::kLarge).current, 1);
  gate.open();
  synchronize(other);
  complete_frees();
  EXPECT_EQ(allocator->stats().active.of(PoolKind::kLarge).current, 0);
}

TEST_F(Streams, ToRecordTheOwnStreamIsNothing) {
  Gate gate(stream.handle);
  Block* block = allocate(kKib);
  const uint64_t address = begin_of(block);
  allocator->record_stream(block, stream);
  allocator->free(block);
  EXPECT_EQ(aggregate(allocator->stats().active).current, 0);
  EXPECT_EQ(touch(kKib, stream), address);
}

TEST_F(Streams, RecordsAreOfOneLifeOfTheMemory) {
  Block* block = allocate(kKib);
  const uint64_t address = begin_of(block);
  allocator->record_stream(block, other);
  allocator->free(block);
  synchronize(other);
  complete_frees();
  Gate gate(other.handle);
  block = allocate(kKib);
  ASSERT_EQ(begin_of(block), address);
  allocator->free(block);
  EXPECT_EQ(aggregate(allocator->stats().active).current, 0);
  EXPECT_EQ(touch(kKib, stream), address);
}

TEST_F(Streams, ADestroyedOneDoesNotKeepMemoryForEver) {
  Block* block = allocate(3 * kMib);
  allocator->record_stream(block, other);
  ASSERT_EQ(xhal_stream_destroy(other.handle), XHAL_SUCCESS);
  allocator->free(block);
  allocator->release_cached();
  EXPECT_EQ(allocator->stats().active.of(PoolKind::kLarge).current, 0);
  EXPECT_EQ(aggregate(allocator->stats().reserved_bytes).current, 0);
  touch(3 * kMib, stream);
}

TEST_F(Streams, ADestroyedOneBehindTheFreeIsWaitedForAllTheSame) {
  Block* block = allocate(3 * kMib);
  Gate gate(other.handle);
  allocator->record_stream(block, other);
  allocator->free(block);
  ASSERT_EQ(xhal_stream_destroy(other.handle), XHAL_SUCCESS);
  complete_frees();
  EXPECT_EQ(allocator->stats().active.of(PoolKind::kLarge).current, 1);
  gate.open();
  EXPECT_EQ(xhal_device_synchronize(machine.device, XHAL_WAIT_FOREVER), XHAL_SUCCESS) << last_text();
  complete_frees();
  EXPECT_EQ(allocator->stats().active.of(PoolKind::kLarge).current, 0);
}

// An event is of its stream's device, so those of another are waited for there.
class StreamsOfAnotherDevice : public testing::Test {
 protected:
  StreamsOfAnotherDevice() {
    uint32_t count = 0;
    std::array<xhal_device_t, 2> devices{};
    EXPECT_EQ(xhal_driver_get_devices(machine.driver, 2, devices.data(), &count), XHAL_SUCCESS);
    EXPECT_EQ(xhal_stream_create(devices[1], nullptr, &other.handle), XHAL_SUCCESS) << last_text();
    other.id = Machine::id_of(other.handle);
  }
  int64_t active() { return aggregate(allocator->stats().active).current; }
  void complete_frees() {
    Block* block = nullptr;
    ASSERT_EQ(allocator->allocate(512, stream, &block), XHAL_SUCCESS);
    allocator->free(block);
  }

  Machine machine{"1g", nullptr, "2"};
  std::unique_ptr<Allocator> allocator = machine.make_allocator();
  Stream stream = machine.make_stream();
  Stream other;
};

TEST_F(StreamsOfAnotherDevice, ProtectUntilTheyHavePassed) {
  for (int round = 0; round < 2; ++round) {
    Block* block = nullptr;
    ASSERT_EQ(allocator->allocate(kKib, stream, &block), XHAL_SUCCESS);
    Gate gate(other.handle);
    allocator->record_stream(block, other);
    allocator->free(block);
    complete_frees();
    EXPECT_EQ(active(), 1);
    gate.open();
    synchronize(other);
    complete_frees();
    EXPECT_EQ(active(), 0);
  }
  EXPECT_EQ(allocator->stats().num_sync_all_streams, 0);
}

TEST_F(StreamsOfAnotherDevice, AreWaitedForWhereTheyWereDestroyed) {
  Block* block = nullptr;
  ASSERT_EQ(allocator->allocate(kKib, stream, &block), XHAL_SUCCESS);
  Gate gate(other.handle);
  allocator->record_stream(block, other);
  ASSERT_EQ(xhal_stream_destroy(other.handle), XHAL_SUCCESS);
  allocator->free(block);
  std::atomic<bool> is_released = false;
  std::thread releasing([&] {
    allocator->release_cached();
    is_released = true;
  });
  // Who does not wait for that device is through long before so many calls are.
  while (allocator->stats().num_sync_all_streams == 0) std::this_thread::yield();
  for (int calls = 0; calls < 20000 && !is_released; ++calls) complete_frees();
  EXPECT_FALSE(is_released);
  EXPECT_EQ(active(), 1);
  gate.open();
  releasing.join();
  EXPECT_EQ(active(), 0);
}

TEST_F(Streams, TheSnapshotTellsLiveFromActive) {
  Block* block = allocate(700);
  Gate gate(other.handle);
  allocator->record_stream(block, other);
  const auto first = [&] { return allocator->snapshot().segments.at(0).blocks.at(0); };
  EXPECT_TRUE(first().is_live);
  EXPECT_TRUE(first().is_active);
  EXPECT_EQ(first().requested_size, 700U);
  allocator->free(block);
  EXPECT_FALSE(first().is_live);
  EXPECT_TRUE(first().is_active);
  EXPECT_EQ(first().requested_size, 0U);
  const Snapshot snapshot = allocator->snapshot();
  EXPECT_EQ(snapshot.segments[0].live_size, 0U);
  EXPECT_EQ(snapshot.segments[0].active_size, 1024U);
  gate.open();
  synchronize(other);
  complete_frees();
  EXPECT_FALSE(first().is_active);
}

TEST_F(Streams, ReleaseWaitsForThoseThatWereRecorded) {
  Block* block = allocate(3 * kMib);
  Gate gate(other.handle);
  allocator->record_stream(block, other);
  allocator->free(block);
  std::thread releasing([&] { allocator->release_cached(); });
  gate.open();
  releasing.join();
  EXPECT_EQ(aggregate(allocator->stats().active).current, 0);
  EXPECT_EQ(aggregate(allocator->stats().reserved_bytes).current, 0);
}

// A failure of the device's order would show here: the recorded stream reads late what must still be there.
TEST_F(Streams, ALateReaderSeesWhatWasThere) {
  constexpr uint64_t kBytes = 64 * kKib;
  xhal_memory_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.kind = XHAL_MEMORY_PINNED;
  desc.size = kBytes;
  void* host = nullptr;
  ASSERT_EQ(xhal_memory_allocate(machine.device, &desc, &host), XHAL_SUCCESS) << last_text();
  Block* block = allocate(kBytes);
  ASSERT_EQ(xhal_memory_fill(stream.handle, caching::address_of(block), 0xAB, 1, kBytes), XHAL_SUCCESS);
  synchronize(stream);
  Gate gate(other.handle);
  ASSERT_EQ(xhal_memory_copy(other.handle, host, caching::address_of(block), kBytes), XHAL_SUCCESS);
  allocator->record_stream(block, other);
  allocator->free(block);
  for (int i = 0; i < 8; ++i) {
    Block* writer = allocate(kBytes);
    ASSERT_EQ(xhal_memory_fill(stream.handle, caching::address_of(writer), 0xCD, 1, kBytes), XHAL_SUCCESS);
    allocator->free(writer);
  }
  synchronize(stream);
  gate.open();
  synchronize(other);
  const auto* bytes = static_cast<const unsigned char*>(host);
  EXPECT_TRUE(std::all_of(bytes, bytes + kBytes, [](unsigned char byte) { return byte == 0xAB; }));
  EXPECT_EQ(xhal_memory_free(machine.device, host), XHAL_SUCCESS);
}

}  // namespace
}  // namespace xhal::caching_test
