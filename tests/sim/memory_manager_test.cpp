// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <thread>
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
  pending.push_back({&progress, 3});
  ASSERT_EQ(free(pointer), XHAL_SUCCESS);
  pending = {};
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

TEST_F(MemoryManager, WhatHasMemoryButNoSuchAddressSaysSo) {
  void* more = nullptr;
  // The device's 8 MiB of addresses have one multiple of 32 MiB at most.
  EXPECT_EQ(memory->allocate(0, XHAL_MEMORY_DEVICE, 4096, uint64_t{1} << 63, 1, &more, why),
            XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(why, "the device has no address that is a multiple of 9223372036854775808");
  xhal_result_t result = XHAL_SUCCESS;
  for (int i = 0; i < 3 && result == XHAL_SUCCESS; ++i)
    result = memory->allocate(0, XHAL_MEMORY_DEVICE, 4096, 32 * kMiB, ++ids, &more, why);
  EXPECT_EQ(result, XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_NE(why.find("no 4096 bytes in a row at a multiple of 33554432"), std::string::npos) << why;
  EXPECT_NE(why.find("smaller alignment"), std::string::npos) << why;
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

TEST_F(MemoryManager, ArgumentsOfLaunchesAreOnesThatTheDeviceReaches) {
  const char* problem = nullptr;
  const auto check = [&](const void* pointer, uint64_t size = 0, uint32_t device = 0) {
    return memory->check_argument(pointer, size, {device, XHAL_ACCESS_READ_WRITE}, problem);
  };
  void* device = allocate(100);
  void* pinned = allocate(100, XHAL_MEMORY_PINNED);
  EXPECT_EQ(check(nullptr), XHAL_SUCCESS);
  EXPECT_EQ(check(&problem), XHAL_SUCCESS);
  for (const uint64_t address :
       {uint64_t{8}, uint64_t{1} << 47, uint64_t{0xffff'8000'0000'0000}, UINT64_MAX}) {
    EXPECT_EQ(check(reinterpret_cast<void*>(address)), XHAL_ERROR_INVALID_POINTER) << std::hex << address;
    EXPECT_STREQ(problem, "is no address of this process");
  }
  for (void* pointer : {device, pinned}) {
    EXPECT_EQ(check(pointer), XHAL_SUCCESS);
    EXPECT_EQ(check(pointer, 100), XHAL_SUCCESS);
    EXPECT_EQ(check(pointer, 101), XHAL_ERROR_OUT_OF_RANGE);
  }
  EXPECT_EQ(check(pinned, 100, 1), XHAL_SUCCESS);
  EXPECT_EQ(check(device, 0, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(check(device, 100, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_TRUE(memory->set_peer(1, 0, true));
  EXPECT_FALSE(memory->set_peer(1, 0, true));
  EXPECT_EQ(check(device, 0, 1), XHAL_SUCCESS);
  EXPECT_EQ(check(device, 100, 1), XHAL_SUCCESS);
  EXPECT_EQ(check(at(device, 40 * static_cast<int64_t>(kMiB))), XHAL_ERROR_INVALID_POINTER) << "no device's";
  memory->new_epoch(0);
  for (void* pointer : {device, pinned})
    EXPECT_EQ(check(pointer), XHAL_ERROR_INVALID_POINTER) << "of before the reset";
  EXPECT_EQ(check(nullptr), XHAL_SUCCESS);
}

TEST_F(MemoryManager, MemoryOfTheNativeAllocatorIsFreedByItsOwnCall) {
  void* pointer = nullptr;
  ASSERT_EQ(memory->allocate_native(1, 1000, ++ids, &pointer, why), XHAL_SUCCESS) << why;
  const Allocation found = memory->find(at(pointer, 999));
  EXPECT_EQ(found.kind, static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
  EXPECT_TRUE(found.has(Allocation::kImported));
  EXPECT_EQ(found.device, 1u);
  EXPECT_EQ(resolve(at(pointer, 1), 999), XHAL_SUCCESS);
  EXPECT_EQ(resolve(pointer, 1001), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(free(pointer, 1), XHAL_ERROR_INVALID_POINTER);
  Memory::Share share;
  EXPECT_EQ(memory->share(1, pointer, share, why), XHAL_ERROR_INVALID_POINTER);
  EXPECT_FALSE(memory->free_native(0, pointer));
  EXPECT_FALSE(memory->free_native(1, at(pointer, 1)));
  EXPECT_FALSE(memory->free_native(1, allocate(10, XHAL_MEMORY_DEVICE)));
  EXPECT_EQ(memory->held(1), 4096u);
  EXPECT_TRUE(memory->free_native(1, pointer));
  EXPECT_FALSE(memory->free_native(1, pointer));
  EXPECT_EQ(memory->find(pointer).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
  EXPECT_EQ(memory->held(1), 0u);
}

TEST_F(MemoryManager, WhatIsBorrowedIsTheLatestThatItsOwnerSaid) {
  const std::optional<Interval> theirs = window.take_slice(Window::kSliceAlignment);
  ASSERT_TRUE(theirs.has_value());
  Allocation owners;
  owners.base = theirs->begin;
  owners.size = 9000;
  const auto find = [&](uint64_t offset) {
    return memory->find(reinterpret_cast<void*>(owners.base + offset));
  };
  ASSERT_EQ(memory->import_native(0, owners, ++ids, why), XHAL_SUCCESS) << why;
  const uint64_t id = find(8999).id;
  ASSERT_EQ(memory->import_native(0, owners, ++ids, why), XHAL_SUCCESS) << why;
  EXPECT_EQ(find(8999).id, id) << "the same";
  owners.size = 100;
  ASSERT_EQ(memory->import_native(0, owners, ++ids, why), XHAL_SUCCESS) << why;
  EXPECT_EQ(find(99).size, 100u);
  EXPECT_EQ(find(4096).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
  EXPECT_EQ(free(reinterpret_cast<void*>(owners.base)), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(memory->info(0).free_bytes, memory->info(0).total_bytes);
  owners.base = reinterpret_cast<uint64_t>(allocate(100));
  EXPECT_EQ(memory->import_native(0, owners, ++ids, why), XHAL_ERROR_INVALID_POINTER) << "its own";
  window.give_slice(*theirs);
}

TEST_F(MemoryManager, WhatIsSharedShowsItselfAlone) {
  auto bytes_of = [&](const void* pointer) {
    return reinterpret_cast<char*>(reinterpret_cast<uint64_t>(pointer) + window.distance());
  };
  void* stale = allocate(8000);
  std::fill_n(bytes_of(stale), 8000, 's');
  ASSERT_EQ(free(stale), XHAL_SUCCESS);
  void* pointer = allocate(5000);
  std::fill_n(bytes_of(pointer), 5000, 'p');
  Memory::Share share;
  ASSERT_EQ(memory->share(0, pointer, share, why), XHAL_SUCCESS) << why;
  EXPECT_EQ(share.bytes, 8192u);
  EXPECT_EQ(share.size, 5000u);
  std::vector<char> seen(share.bytes);
  ASSERT_EQ(pread(share.file, seen.data(), share.bytes, static_cast<off_t>(share.offset)), 8192);
  EXPECT_EQ(std::count(seen.begin(), seen.begin() + 5000, 'p'), 5000);
  EXPECT_EQ(std::count(seen.begin() + 5000, seen.end(), 0), 3192) << "nothing behind its end";

  EXPECT_EQ(memory->share(0, at(pointer, 4096), share, why), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(memory->share(1, pointer, share, why), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(memory->share(0, allocate(10, XHAL_MEMORY_PINNED), share, why), XHAL_ERROR_INVALID_POINTER);

  // The other side, here in the same process.
  void* other = nullptr;
  ASSERT_EQ(memory->import_shared(1, share, ++ids, {}, &other, why), XHAL_SUCCESS) << why;
  EXPECT_NE(other, pointer);
  EXPECT_EQ(memory->find(other).size, 5000u);
  EXPECT_TRUE(memory->find(other).has(Allocation::kImported));
  EXPECT_EQ(memory->share(1, other, share, why), XHAL_ERROR_INVALID_POINTER) << "not its own";
  EXPECT_EQ(free(other, 1), XHAL_ERROR_INVALID_POINTER);
  bytes_of(other)[4999] = 'o';
  EXPECT_EQ(bytes_of(pointer)[4999], 'o');

  // Freed memory is nobody else's while the other side has it, and shows nothing of theirs afterwards.
  const uint64_t before = memory->info(0).free_bytes;
  ASSERT_EQ(free(pointer), XHAL_SUCCESS);
  EXPECT_EQ(memory->info(0).free_bytes, before);
  EXPECT_EQ(bytes_of(other)[0], 'p');
  EXPECT_EQ(memory->close_shared(0, other, why), XHAL_ERROR_INVALID_POINTER) << "another device's";
  ASSERT_EQ(memory->close_shared(1, other, why), XHAL_SUCCESS) << why;
  EXPECT_EQ(memory->close_shared(1, other, why), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(memory->find(other).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
  memory->end_share(reinterpret_cast<uint64_t>(pointer), share.id);
  EXPECT_EQ(memory->info(0).free_bytes, before + 8192);
  void* again = allocate(4 * kMiB);
  EXPECT_EQ(std::count(bytes_of(again), bytes_of(again) + 4 * kMiB, 'p'), 0);
}

TEST_F(MemoryManager, AShareMayEndBeforeTheFree) {
  void* pointer = allocate(5000);
  Memory::Share share;
  ASSERT_EQ(memory->share(0, pointer, share, why), XHAL_SUCCESS);
  memory->end_share(reinterpret_cast<uint64_t>(pointer), share.id);
  ASSERT_EQ(free(pointer), XHAL_SUCCESS);
  EXPECT_EQ(memory->info(0).free_bytes, 4 * kMiB);
}

// Threads add while the bytes move to a file of their own: nothing is lost. Some rounds, since a short move may meet nobody.
TEST_F(MemoryManager, AnExportMovesMemoryUnderWhoWrites) {
  constexpr uint64_t kSize = 3 * kMiB + 100;
  for (int round = 0; round < 8; ++round) {
    auto* const pointer = static_cast<std::byte*>(allocate(kSize));
    auto* const words = reinterpret_cast<std::atomic<uint64_t>*>(pointer + window.distance());
    std::fill_n(words, kSize / 8, uint64_t{0});
    std::atomic<bool> stop{false};
    std::atomic<size_t> running{0};
    std::vector<uint64_t> added(3);
    std::vector<std::thread> threads;
    for (uint64_t t = 0; t < added.size(); ++t) {
      threads.emplace_back([&, t] {
        uint64_t count = 0;
        for (uint64_t i = t; !stop.load(std::memory_order_relaxed); i += 513) {
          words[i % (kSize / 8)].fetch_add(1, std::memory_order_relaxed);
          if (++count == 1000) running.fetch_add(1);
        }
        added[t] = count;
      });
    }
    while (running.load() != added.size()) std::this_thread::yield();
    int32_t fd = -1;
    const xhal_result_t result = memory->export_file(0, pointer, false, fd, why);
    stop.store(true);
    for (std::thread& thread : threads) thread.join();
    if (result == XHAL_ERROR_BUSY) {
      EXPECT_NE(why.find("userfaultfd"), std::string::npos) << why;
      GTEST_SKIP() << "the system holds nobody's writes";
    }
    ASSERT_EQ(result, XHAL_SUCCESS) << why;
    const uint64_t expected = std::accumulate(added.begin(), added.end(), uint64_t{0});
    std::vector<uint64_t> seen(kSize / 8);
    EXPECT_EQ(pread(fd, seen.data(), kSize / 8 * 8, 0), static_cast<ssize_t>(kSize / 8 * 8));
    EXPECT_EQ(std::accumulate(seen.begin(), seen.end(), uint64_t{0}), expected);
    EXPECT_TRUE(std::equal(seen.begin(), seen.end(), words)) << "the memory is the file's by now";
    close(fd);
    EXPECT_EQ(free(pointer), XHAL_SUCCESS);
  }
}

TEST_F(MemoryManager, SharesThatAreNoneAreRefused) {
  Memory::Share share;
  ASSERT_EQ(memory->share(0, allocate(5000), share, why), XHAL_SUCCESS);
  void* out = nullptr;
  const auto import = [&](auto&& change) {
    Memory::Share changed = share;
    change(changed);
    return memory->import_shared(1, changed, ++ids, {}, &out, why);
  };
  EXPECT_EQ(import([](auto& s) { s.size = 0; }), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(import([](auto& s) { s.size = s.bytes + 1; }), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(import([](auto& s) { s.offset += 1; }), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(import([](auto& s) { s.bytes = UINT64_MAX / 4096 * 4096; }), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(import([](auto& s) { s.offset = UINT64_MAX / 4096 * 4096; }), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(import([](auto& s) { s.file = -1; }), XHAL_ERROR_INVALID_ARGUMENT);
  const int unsealed = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  ASSERT_EQ(ftruncate(unsealed, 1 << 20), 0);
  EXPECT_EQ(import([&](auto& s) {
              s.file = unsealed;
              s.offset = 0;
            }),
            XHAL_ERROR_INVALID_ARGUMENT);
  close(unsealed);
  EXPECT_EQ(out, nullptr);
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
