// SPDX-License-Identifier: Apache-2.0
// The allocator during a capture of the strictest kind: nothing that it does may break that.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "harness.hpp"

namespace xhal::caching_test {
namespace {

class Capture : public CachingTest {
 protected:
  void begin() {
    ASSERT_EQ(allocator->begin_pool(pool, [this](Stream each) { return each.id == stream.id; }),
              XHAL_SUCCESS);
    ASSERT_EQ(xhal_stream_begin_capture(stream.handle, XHAL_CAPTURE_GLOBAL), XHAL_SUCCESS) << last_text();
  }
  void expect_valid() {
    xhal_capture_info_t info{};
    info.struct_size = sizeof(info);
    EXPECT_EQ(xhal_stream_get_capture_info(stream.handle, &info), XHAL_SUCCESS);
    EXPECT_EQ(info.state, static_cast<uint32_t>(XHAL_CAPTURE_STATE_ACTIVE));
  }
  void end() {
    expect_valid();
    ASSERT_EQ(xhal_stream_end_capture(stream.handle, &graph), XHAL_SUCCESS) << last_text();
    ASSERT_EQ(allocator->end_pool(pool), XHAL_SUCCESS);
  }
  void TearDown() override {
    if (graph == nullptr) return;
    EXPECT_EQ(xhal_graph_destroy(graph), XHAL_SUCCESS);
  }

  const PoolId pool = {3, 0};
  Stream other = machine.make_stream();
  xhal_graph_t graph = nullptr;
};

TEST_F(Capture, AllocatesFromTheDevice) {
  begin();
  Block* small = allocate(kKib);
  Block* large = allocate(30 * kMib);
  EXPECT_EQ(xhal_memory_fill(stream.handle, caching::address_of(small), 1, 1, kKib), XHAL_SUCCESS);
  allocator->free(small);
  allocator->free(large);
  end();
  EXPECT_EQ(allocator->reserved_of(pool), 32 * kMib);
}

TEST_F(Capture, FreedMemoryIsUsedAgainInIt) {
  begin();
  const uint64_t address = touch(kKib, stream);
  EXPECT_EQ(touch(kKib, stream), address);
  end();
}

TEST_F(Capture, OtherThreadsAllocateTheirOwn) {
  begin();
  std::thread thread([&] {
    Block* block = allocate(30 * kMib, other);
    EXPECT_EQ(xhal_memory_fill(other.handle, caching::address_of(block), 1, 1, kKib), XHAL_SUCCESS);
    allocator->free(block);
  });
  thread.join();
  end();
  EXPECT_EQ(allocator->reserved_of(pool), 0U);
}

TEST_F(Capture, AFreeWithRecordedStreamsWaitsForItsEnd) {
  Block* outside = allocate(3 * kMib, other);
  allocator->record_stream(outside, stream);
  begin();
  Block* inside = allocate(3 * kMib);
  allocator->record_stream(inside, other);
  allocator->free(outside);
  allocator->free(inside);
  touch(kKib, stream);
  EXPECT_EQ(allocator->stats().active.of(PoolKind::kLarge).current, 2);
  EXPECT_EQ(allocator->stats().allocation.of(PoolKind::kLarge).current, 0);
  end();
  for (int i = 0; i < 2; ++i) {
    complete_frees();
    synchronize(stream);
    synchronize(other);
  }
  complete_frees();
  EXPECT_EQ(allocator->stats().active.of(PoolKind::kLarge).current, 0);
}

TEST_F(Capture, FreesFromBeforeAreNotAskedFor) {
  Block* block = allocate(3 * kMib, other);
  allocator->record_stream(block, stream);
  allocator->free(block);
  begin();
  touch(kKib, stream);
  touch(kKib, other);
  end();
  synchronize(stream);
  complete_frees();
  EXPECT_EQ(allocator->stats().active.of(PoolKind::kLarge).current, 0);
}

TEST_F(Capture, MemoryMayBeGivenBackInIt) {
  touch(30 * kMib, other);
  begin();
  touch(kKib, stream);
  allocator->release_cached();
  expect_valid();
  end();
}

TEST_F(Capture, ARequestThatFailsLeavesItValid) {
  begin();
  Block* block = nullptr;
  OutOfMemory told;
  EXPECT_EQ(allocator->allocate(2 * machine.total_bytes(), stream, &block, &told),
            XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(told.device_total, machine.total_bytes());
  expect_valid();
  end();
}

TEST_F(Capture, QuestionsLeaveItValid) {
  begin();
  Block* block = allocate(kKib);
  allocator->stats();
  allocator->snapshot();
  EXPECT_EQ(allocator->find(caching::address_of(block)), block);
  EXPECT_NE(allocator->base_of(block).address, nullptr);
  EXPECT_EQ(allocator->reserved_of(pool), 2 * kMib);
  allocator->free(block);
  end();
}

TEST_F(Capture, TheThreadsModeIsAsItWas) {
  begin();
  touch(kKib, stream);
  allocator->release_cached();
  uint32_t former = XHAL_CAPTURE_RELAXED;
  EXPECT_EQ(xhal_driver_exchange_capture_mode(machine.driver, XHAL_CAPTURE_GLOBAL, &former), XHAL_SUCCESS);
  EXPECT_EQ(former, static_cast<uint32_t>(XHAL_CAPTURE_GLOBAL));
  end();
}

TEST_F(Capture, ARelaxedThreadStaysRelaxed) {
  uint32_t former = XHAL_CAPTURE_GLOBAL;
  ASSERT_EQ(xhal_driver_exchange_capture_mode(machine.driver, XHAL_CAPTURE_RELAXED, &former), XHAL_SUCCESS);
  touch(30 * kMib, stream);
  allocator->release_cached();
  Block* block = nullptr;
  EXPECT_EQ(allocator->allocate(2 * machine.total_bytes(), stream, &block), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(xhal_driver_exchange_capture_mode(machine.driver, former, &former), XHAL_SUCCESS);
  EXPECT_EQ(former, static_cast<uint32_t>(XHAL_CAPTURE_RELAXED));
}

TEST_F(Capture, WithoutAPoolOtherStreamsAllocateAllTheSame) {
  touch(20 * kMib, other);
  ASSERT_EQ(xhal_stream_begin_capture(stream.handle, XHAL_CAPTURE_GLOBAL), XHAL_SUCCESS) << last_text();
  touch(40 * kMib, other);
  allocator->release_cached();
  EXPECT_EQ(aggregate(allocator->stats().reserved_bytes).current, 0);
  expect_valid();
  EXPECT_EQ(xhal_stream_end_capture(stream.handle, &graph), XHAL_SUCCESS) << last_text();
}

TEST_F(Capture, CachedMemoryIsGivenBackForItsRequests) {
  ASSERT_EQ(allocator->set_memory_fraction(0.05), XHAL_SUCCESS);
  touch(20 * kMib, other);
  begin();
  touch(40 * kMib, stream);
  EXPECT_EQ(allocator->stats().num_alloc_retries, 1);
  end();
  EXPECT_EQ(allocator->reserved_of(pool), 40 * kMib);
}

TEST_F(Capture, AFreeOfAnotherStreamsWorkIsAskedForAfterwards) {
  Block* block = allocate(3 * kMib, other);
  allocator->record_stream(block, stream);
  begin();
  allocator->free(block);
  end();
  allocator->release_cached();
  EXPECT_EQ(allocator->stats().active.of(PoolKind::kLarge).current, 0);
  EXPECT_EQ(aggregate(allocator->stats().reserved_bytes).current, 0);
}

TEST_F(Capture, TheGraphRunsOnMemoryThatStaysItsOwn) {
  begin();
  Block* block = allocate(kKib);
  void* address = caching::address_of(block);
  ASSERT_EQ(xhal_memory_fill(stream.handle, address, 0x5A, 1, kKib), XHAL_SUCCESS);
  allocator->free(block);
  end();
  allocator->release_cached();
  xhal_graph_exec_t exec = nullptr;
  ASSERT_EQ(xhal_graph_instantiate(graph, 0, &exec), XHAL_SUCCESS) << last_text();
  ASSERT_EQ(xhal_graph_exec_launch(exec, stream.handle), XHAL_SUCCESS) << last_text();
  std::vector<unsigned char> bytes(kKib);
  synchronize(stream);
  ASSERT_EQ(xhal_memory_copy(stream.handle, bytes.data(), address, kKib), XHAL_SUCCESS) << last_text();
  synchronize(stream);
  EXPECT_EQ(bytes, std::vector<unsigned char>(kKib, 0x5A));
  EXPECT_EQ(xhal_graph_exec_destroy(exec), XHAL_SUCCESS);
}

}  // namespace
}  // namespace xhal::caching_test
