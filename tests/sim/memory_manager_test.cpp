// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "memory/memory.hpp"
#include "memory/staging.hpp"

namespace xhal::sim {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

class MemoryManager : public testing::Test {
 protected:
  MemoryManager() {
    std::string note;
    EXPECT_TRUE(window.reserve(note));
    memory = std::make_unique<Memory>(window, Memory::Config{2, 4 * kMiB, kMiB}, [this] { return pending; });
  }

  void* allocate(uint64_t size, uint32_t kind = XHAL_MEMORY_DEVICE, uint32_t device = 0) {
    void* pointer = nullptr;
    EXPECT_EQ(memory->allocate(device, kind, size, 0, ++ids, &pointer, why), XHAL_SUCCESS) << why;
    return pointer;
  }
  xhal_result_t free(void* pointer, uint32_t device = 0) { return memory->free(device, pointer, why); }
  xhal_result_t resolve(const void* pointer, uint64_t size, Use use = {}) {
    return memory->resolve(pointer, size, use, resolved);
  }
  static void* at(void* pointer, int64_t offset) {
    return reinterpret_cast<void*>(reinterpret_cast<int64_t>(pointer) + offset);
  }

  Window window{64 * kMiB};
  std::unique_ptr<Memory> memory;
  uint64_t ids = 0;
  Memory::Pending pending;  // what the streams have not done
  std::string why;
  Resolved resolved;
};

TEST_F(MemoryManager, FindsEveryAddressInsideAndNoneOutside) {
  void* pointer = allocate(1000);
  for (const int64_t inside : {0, 1, 999}) {
    EXPECT_EQ(memory->find(at(pointer, inside)).kind, static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
    EXPECT_EQ(memory->find(at(pointer, inside)).size, 1000u);
  }
  for (const int64_t outside : {-1, 1000, 1001}) {
    EXPECT_EQ(memory->find(at(pointer, outside)).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED))
        << outside;
  }
  EXPECT_EQ(memory->find(nullptr).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
  EXPECT_EQ(free(pointer), XHAL_SUCCESS);
  EXPECT_EQ(memory->find(pointer).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
}

TEST_F(MemoryManager, ResolvesRangesAndRefusesTheRest) {
  char host[64];
  void* device = allocate(256);
  void* pinned = allocate(100, XHAL_MEMORY_PINNED);
  EXPECT_EQ(resolve(device, 256), XHAL_SUCCESS);
  EXPECT_EQ(reinterpret_cast<uint64_t>(resolved.host),
            reinterpret_cast<uint64_t>(device) + window.distance());
  EXPECT_EQ(resolve(at(device, 255), 1), XHAL_SUCCESS);
  EXPECT_EQ(resolve(pinned, 100), XHAL_SUCCESS);
  EXPECT_EQ(resolved.host, pinned);
  EXPECT_EQ(resolve(host, 64), XHAL_SUCCESS);
  EXPECT_EQ(resolved.allocation.kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));

  EXPECT_EQ(resolve(device, 257), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(resolve(at(device, -1), 257), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(resolve(at(device, 1), 256), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(resolve(pinned, 101), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(resolve(at(pinned, -1), 10), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(resolve(device, UINT64_MAX), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(resolve(host, UINT64_MAX), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(resolve(nullptr, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(resolve(reinterpret_cast<void*>(8), 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(resolve(reinterpret_cast<void*>(UINT64_MAX - 8), 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(resolve(at(device, 256), 1), XHAL_ERROR_INVALID_POINTER) << "a device address where nothing is";
  EXPECT_EQ(free(device), XHAL_SUCCESS);
  EXPECT_EQ(resolve(device, 1), XHAL_ERROR_INVALID_POINTER) << "freed";
}

TEST_F(MemoryManager, FreesOnlyBasesOfTheDevicesOwn) {
  void* pointer = allocate(512);
  EXPECT_EQ(free(at(pointer, 256)), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(free(pointer, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(free(&why), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(memory->find(pointer).size, 512u);
  EXPECT_EQ(free(pointer), XHAL_SUCCESS);
  EXPECT_EQ(free(pointer), XHAL_ERROR_INVALID_POINTER);
}

TEST_F(MemoryManager, WhatPendingWorkMayTouchIsNotUsedBeforeThatIsDone) {
  Progress progress;
  progress.submit(3);
  void* pointer = allocate(4 * kMiB);
  pending = {{&progress, 3}};
  ASSERT_EQ(free(pointer), XHAL_SUCCESS);
  pending.clear();
  EXPECT_EQ(memory->find(pointer).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED)) << "it is gone at once";
  EXPECT_EQ(memory->info(0).free_bytes, 0u);
  void* again = nullptr;
  EXPECT_EQ(memory->allocate(0, XHAL_MEMORY_DEVICE, 1, 0, ++ids, &again, why),
            XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_NE(why.find("waits for work"), std::string::npos) << why;
  progress.retire(2);
  EXPECT_EQ(memory->info(0).free_bytes, 0u);
  progress.retire(3);
  EXPECT_EQ(memory->info(0).free_bytes, 4 * kMiB);
  EXPECT_EQ(memory->allocate(0, XHAL_MEMORY_DEVICE, 4 * kMiB, 0, ++ids, &again, why), XHAL_SUCCESS);
}

TEST_F(MemoryManager, DevicesAndKindsCountApart) {
  allocate(4 * kMiB, XHAL_MEMORY_DEVICE, 0);
  EXPECT_EQ(memory->info(0).free_bytes, 0u);
  EXPECT_EQ(memory->info(1).free_bytes, 4 * kMiB);
  void* pinned = allocate(kMiB, XHAL_MEMORY_PINNED);
  EXPECT_EQ(memory->info(1).free_bytes, 4 * kMiB);
  void* more = nullptr;
  EXPECT_EQ(memory->allocate(0, XHAL_MEMORY_PINNED, 1, 0, 1, &more, why), XHAL_ERROR_OUT_OF_HOST_MEMORY);
  EXPECT_EQ(memory->allocate(0, XHAL_MEMORY_PINNED, UINT64_MAX, 0, 1, &more, why),
            XHAL_ERROR_OUT_OF_HOST_MEMORY);
  EXPECT_EQ(memory->allocate(1, XHAL_MEMORY_DEVICE, UINT64_MAX, 0, 1, &more, why),
            XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(memory->allocate(1, XHAL_MEMORY_DEVICE, 1, uint64_t{1} << 63, 1, &more, why),
            XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  ASSERT_EQ(free(pinned), XHAL_SUCCESS);
  EXPECT_EQ(memory->allocate(0, XHAL_MEMORY_PINNED, 8, uint64_t{1} << 63, 1, &more, why),
            XHAL_ERROR_OUT_OF_HOST_MEMORY);
  EXPECT_EQ(more, nullptr);
}

TEST_F(MemoryManager, RegistersMappedHostMemoryThatNobodyHas) {
  std::vector<char> host(10'000);
  EXPECT_EQ(memory->add_registered(0, host.data() + 100, 5000, 1, why), XHAL_SUCCESS) << why;
  EXPECT_EQ(memory->find(host.data() + 100).kind, static_cast<uint32_t>(XHAL_MEMORY_REGISTERED));
  EXPECT_EQ(memory->find(host.data() + 99).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
  EXPECT_EQ(memory->find(host.data() + 5100).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
  for (const size_t overlapping : {50u, 100u, 5099u}) {
    EXPECT_EQ(memory->add_registered(1, host.data() + overlapping, 100, 2, why), XHAL_ERROR_INVALID_POINTER)
        << overlapping;
  }
  EXPECT_EQ(memory->add_registered(0, host.data() + 5100, 100, 3, why), XHAL_SUCCESS) << "beside it";
  EXPECT_EQ(free(host.data() + 100), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(memory->remove_registered(0, host.data() + 101, why), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(memory->remove_registered(1, host.data() + 100, why), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(memory->remove_registered(0, host.data() + 100, why), XHAL_SUCCESS);
  EXPECT_EQ(memory->find(host.data() + 100).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));

  void* pinned = allocate(100, XHAL_MEMORY_PINNED);
  EXPECT_EQ(memory->add_registered(0, pinned, 10, 4, why), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(memory->remove_registered(0, pinned, why), XHAL_ERROR_INVALID_POINTER);
  void* device = allocate(100);
  EXPECT_EQ(memory->add_registered(0, device, 10, 5, why), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(memory->add_registered(0, host.data(), UINT64_MAX, 6, why), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(memory->add_registered(0, reinterpret_cast<void*>(4096), 10, 7, why), XHAL_ERROR_INVALID_POINTER);

  void* two_pages = mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_EQ(munmap(static_cast<char*>(two_pages) + 4096, 4096), 0);
  EXPECT_EQ(memory->add_registered(0, two_pages, 4097, 8, why), XHAL_ERROR_INVALID_POINTER)
      << "half of it is not mapped";
  EXPECT_EQ(memory->add_registered(0, two_pages, 4096, 9, why), XHAL_SUCCESS) << why;
  munmap(two_pages, 4096);
}

TEST_F(MemoryManager, AfterAResetWhatWasMadeBeforeCanOnlyBeFreed) {
  void* before = allocate(100);
  void* others = allocate(100, XHAL_MEMORY_DEVICE, 1);
  memory->new_epoch(0);
  EXPECT_EQ(resolve(before, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(resolve(others, 1), XHAL_SUCCESS);
  EXPECT_EQ(resolve(allocate(100), 1), XHAL_SUCCESS);
  EXPECT_EQ(memory->find(before).size, 100u);
  EXPECT_EQ(free(before), XHAL_SUCCESS);
}

TEST(Staging, KeepsToItsBudgetAndGivesItBack) {
  StagingBudget budget(100);
  const char source[64] = "bytes";
  {
    StagedBytes first(budget, source, 64);
    ASSERT_NE(first.data(), nullptr);
    EXPECT_STREQ(reinterpret_cast<const char*>(first.data()), "bytes");
    StagedBytes second(budget, source, 37);
    EXPECT_EQ(second.data(), nullptr);
    StagedBytes moved = std::move(first);
    EXPECT_NE(moved.data(), nullptr);
    EXPECT_EQ(budget.used(), 64u);
  }
  EXPECT_EQ(budget.used(), 0u);
}

}  // namespace
}  // namespace xhal::sim
