// SPDX-License-Identifier: Apache-2.0
// Every call from any thread; ThreadSanitizer's lane reads what this program only survives.
#include <gtest/gtest.h>

#include <deque>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "harness.hpp"

namespace xhal::caching_test {
namespace {

constexpr int kThreads = 6;
constexpr int kSteps = 400;

class Threads : public CachingTest {
 protected:
  // Runs `body` in all threads at once; each has a stream.
  void run(const std::function<void(int, Stream)>& body) {
    for (int i = 0; i < kThreads; ++i) streams.push_back(machine.make_stream());
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int i = 0; i < kThreads; ++i)
      threads.emplace_back([&, i] { body(i, streams[static_cast<size_t>(i)]); });
    for (std::thread& thread : threads) thread.join();
  }
  void expect_nothing_live() {
    for (const Stream& each : streams) synchronize(each);
    complete_frees();
    const Stats stats = allocator->stats();
    EXPECT_EQ(aggregate(stats.allocation).current, 0);
    EXPECT_EQ(aggregate(stats.active).current, 0);
    EXPECT_EQ(aggregate(stats.allocated_bytes).current, 0);
    EXPECT_EQ(aggregate(stats.requested_bytes).current, 0);
    EXPECT_EQ(aggregate(stats.allocation).allocated, aggregate(stats.allocation).freed);
    allocator->release_cached();
    EXPECT_EQ(aggregate(allocator->stats().reserved_bytes).current, 0);
  }
  static uint64_t some_size(std::mt19937_64& random) {
    constexpr uint64_t kMost[] = {4 * kKib, kMib, 9 * kMib, 12 * kMib};
    return 1 + random() % kMost[random() % 4];
  }

  std::vector<Stream> streams;
};

TEST_F(Threads, AllocateAndFreeTheirOwn) {
  run([&](int seed, Stream own) {
    std::mt19937_64 random(static_cast<uint64_t>(seed));
    std::vector<Block*> blocks;
    for (int i = 0; i < kSteps; ++i) {
      if (blocks.size() < 8 && random() % 2 == 0) {
        Block* block = allocate(some_size(random), own);
        EXPECT_EQ(allocator->find(caching::address_of(block)), block);
        blocks.push_back(block);
      } else if (!blocks.empty()) {
        std::swap(blocks[random() % blocks.size()], blocks.back());
        allocator->free(blocks.back());
        blocks.pop_back();
      }
    }
    for (Block* block : blocks) allocator->free(block);
  });
  expect_nothing_live();
}

TEST_F(Threads, FreeWhatOthersAllocated) {
  std::mutex mutex;
  std::deque<Block*> shared;
  run([&](int seed, Stream own) {
    std::mt19937_64 random(static_cast<uint64_t>(seed));
    for (int i = 0; i < kSteps; ++i) {
      Block* block = allocate(some_size(random), own);
      {
        const std::lock_guard lock(mutex);
        shared.push_back(block);
        block = shared.size() < 16 ? nullptr : shared.front();
        if (block != nullptr) shared.pop_front();
      }
      if (block == nullptr) continue;
      if (random() % 2 == 0) allocator->record_stream(block, own);
      allocator->free(block);
    }
  });
  for (Block* block : shared) allocator->free(block);
  expect_nothing_live();
}

TEST_F(Threads, AskWhileOthersWork) {
  run([&](int index, Stream own) {
    std::mt19937_64 random(static_cast<uint64_t>(index));
    for (int i = 0; i < kSteps / 4; ++i) {
      if (index > 1) {
        touch(some_size(random), own);
        continue;
      }
      const Stats stats = allocator->stats();
      EXPECT_GE(aggregate(stats.active).current, aggregate(stats.allocation).current);
      const Snapshot snapshot = allocator->snapshot();
      for (const SegmentInfo& segment : snapshot.segments) EXPECT_FALSE(segment.blocks.empty());
      if (index == 0) allocator->release_cached();
      if (i % 10 == 0) allocator->reset_peaks();
      if (i % 15 == 0) allocator->record_history(caching::KeepContexts::kNever, i % 2 == 0 ? 20 : 0, nullptr);
    }
  });
  expect_nothing_live();
}

TEST_F(Threads, FillPoolsSideBySide) {
  run([&](int index, Stream own) {
    std::mt19937_64 random(static_cast<uint64_t>(index));
    for (uint64_t i = 1; i <= 20; ++i) {
      const PoolId pool = {static_cast<uint64_t>(index) + 1, i};
      ASSERT_EQ(allocator->begin_pool(pool, [own](Stream each) { return each.id == own.id; }), XHAL_SUCCESS);
      for (int j = 0; j < 5; ++j) touch(some_size(random), own);
      EXPECT_GT(allocator->reserved_of(pool), 0U);
      ASSERT_EQ(allocator->end_pool(pool), XHAL_SUCCESS);
      ASSERT_EQ(allocator->release_pool(pool), XHAL_SUCCESS);
      allocator->release_cached(pool);
      EXPECT_EQ(allocator->reserved_of(pool), 0U);
    }
  });
  expect_nothing_live();
}

// Requests of all fail at times, and one gives back what another is about to look for.
TEST_F(Threads, RunOutOfMemoryTogether) {
  ASSERT_EQ(allocator->set_memory_fraction(0.1), XHAL_SUCCESS);
  std::atomic<int> failed{0};
  run([&](int index, Stream own) {
    std::mt19937_64 random(static_cast<uint64_t>(index));
    for (int i = 0; i < 60; ++i) {
      Block* block = nullptr;
      const xhal_result_t result = allocator->allocate((10 + random() % 60) * kMib, own, &block);
      if (result == XHAL_SUCCESS) {
        allocator->free(block);
      } else {
        EXPECT_EQ(result, XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
        failed.fetch_add(1);
      }
    }
  });
  EXPECT_EQ(allocator->stats().num_ooms, failed.load());
  EXPECT_LE(static_cast<uint64_t>(aggregate(allocator->stats().reserved_bytes).peak),
            machine.total_bytes() / 10);
  expect_nothing_live();
}

}  // namespace
}  // namespace xhal::caching_test
