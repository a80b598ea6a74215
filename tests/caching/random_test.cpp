// SPDX-License-Identifier: Apache-2.0
// Seeded programs of all calls, judged by the model after each step. A failure names its seed and step.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "harness.hpp"
#include "model.hpp"

namespace xhal::caching_test {
namespace {

constexpr int kSteps = 1500;
constexpr size_t kStreams = 5;
constexpr size_t kMostBlocks = 60;
constexpr int64_t kMostPools = 4;
constexpr size_t kSlots = 512;
constexpr uint64_t kSlotBytes = 512;
constexpr uint64_t kMarkedBytes = 4096;  // at each end of a block

struct Held {
  Block* block = nullptr;
  size_t stream = 0;
  uint64_t pattern = 0;  // 0: not written
};

// A copy that a recorded stream makes, perhaps long after the free.
struct Witness {
  size_t slot = 0, stream = 0;
  uint64_t pattern = 0;
};

struct PoolState {
  PoolId id;
  int holds = 0;
  bool is_filling = false;
  std::array<bool, kStreams> takes{};
};

class Program {
 public:
  Program(const Settings& settings, uint64_t seed)
      : random_(seed),
        // A segment that grows reserves addresses for all of the memory, and the simulator has 256 GiB of them.
        machine_(settings.expandable ? "2g" : "16g"),
        allocator_(machine_.make_allocator(settings)),
        model_(machine_, *allocator_) {
    for (Stream& stream : streams_) stream = machine_.make_stream();
    xhal_memory_desc_t desc{};
    desc.struct_size = sizeof(desc);
    desc.kind = XHAL_MEMORY_PINNED;
    desc.size = kSlots * kSlotBytes;
    EXPECT_EQ(xhal_memory_allocate(machine_.device, &desc, &slots_), XHAL_SUCCESS) << last_text();
    for (size_t i = 0; i < kSlots; ++i) free_slots_.push_back(i);
  }
  // Gates would keep the instance from ending.
  ~Program() { open_all(); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Above it requests fail.
  void limit(double fraction) {
    EXPECT_EQ(allocator_->set_memory_fraction(fraction), XHAL_SUCCESS);
    model_.requests_may_fail();
    limit_ = static_cast<uint64_t>(fraction * static_cast<double>(machine_.total_bytes()));
  }
  [[nodiscard]] int failed() const { return failed_; }

  void step() {
    const uint64_t choice = random_() % 100;
    if (choice < 42) {
      allocate();
    } else if (choice < 70) {
      free_one();
    } else if (choice < 80) {
      record();
    } else if (choice < 84) {
      hold(random_() % kStreams);
    } else if (choice < 90) {
      open(random_() % kStreams);
    } else if (choice < 92) {
      release_cached({});
    } else if (choice < 93) {
      allocator_->reset_sums();
      model_.reset_sums();
    } else if (choice < 94) {
      allocator_->reset_peaks();
      model_.reset_peaks();
    } else if (choice < 98) {
      change_pools();
    } else {
      find_one();
    }
    if (aggregate(allocator_->stats().reserved_bytes).current > number(machine_.total_bytes() / 4))
      make_room();
    model_.check();
  }

  void finish() {
    open_all();
    while (!held_.empty()) free_at(held_.size() - 1);
    give_up_pools();
    // Frees that waited for a pool to be filled are seen by the first request, and completed by the next.
    for (int i = 0; i < 3; ++i) {
      model_.check();
      allocate();
      ASSERT_FALSE(held_.empty());
      free_at(0);
      synchronize_idle();
    }
    EXPECT_EQ(aggregate(allocator_->stats().active).current, 0);
    release_cached({});
    model_.check();
    EXPECT_EQ(aggregate(allocator_->stats().reserved_bytes).current, 0);
    EXPECT_TRUE(witnesses_.empty());
    EXPECT_GT(checked_, 0) << "nothing was read back";
  }

 private:
  static int64_t number(uint64_t value) { return static_cast<int64_t>(value); }
  // Requests of these programs never fail: what held streams used stays with the simulator, what a pool holds with the pool.
  void make_room() {
    open_all();
    if (allocator_->settings().expandable) give_up_pools();
    release_cached({});
  }
  void give_up_pools() {
    for (PoolState& pool : pools_) {
      if (pool.is_filling) end(pool);
      while (pool.holds > 0) release(pool);
    }
  }

  // ---- Streams ----
  bool is_held(size_t stream) const { return gates_[stream] != nullptr; }
  void hold(size_t stream) {
    if (is_held(stream)) return;
    gates_[stream] = std::make_unique<Gate>(streams_[stream].handle);
    model_.stream_held(streams_[stream].id);
  }
  void open(size_t stream) {
    if (!is_held(stream)) return;
    gates_[stream].reset();
    synchronize(streams_[stream]);
    model_.stream_passed(streams_[stream].id);
    check_witnesses(stream);
  }
  void open_all() {
    for (size_t i = 0; i < kStreams; ++i) open(i);
  }
  void synchronize_idle() {
    for (size_t i = 0; i < kStreams; ++i)
      if (!is_held(i)) synchronize(streams_[i]);
  }

  // ---- Blocks ----
  uint64_t some_size() {
    static constexpr uint64_t kEdges[] = {1,         511,           512,       513,
                                          kMib - 1,  kMib,          kMib + 1,  10 * kMib - 1,
                                          10 * kMib, 10 * kMib + 1, 20 * kMib, 33 * kMib};
    switch (random_() % 8) {
      case 0:
        return kEdges[random_() % std::size(kEdges)];
      case 1:
      case 2:
        return 1 + random_() % (2 * kKib);
      case 3:
      case 4:
        return 1 + random_() % kMib;
      case 5:
      case 6:
        return kMib + random_() % (9 * kMib);
      default:
        return 10 * kMib + random_() % (50 * kMib);
    }
  }
  PoolId pool_of(size_t stream) const {
    for (const PoolState& pool : pools_)
      if (pool.is_filling && pool.takes[stream]) return pool.id;
    return {};
  }
  void allocate() {
    if (held_.size() >= kMostBlocks) return;
    const size_t stream = random_() % kStreams;
    const uint64_t bytes = some_size();
    const PoolId pool = pool_of(stream);
    if (limit_ != 0) open_all();  // a request that would fail waits for recorded streams
    synchronize_idle();
    model_.before_allocate(bytes, streams_[stream], pool);
    Block* block = nullptr;
    OutOfMemory told;
    const xhal_result_t result = allocator_->allocate(bytes, streams_[stream], &block, &told);
    if (limit_ != 0) {
      EXPECT_LE(aggregate(allocator_->stats().reserved_bytes).current, number(limit_));
      if (result == XHAL_ERROR_OUT_OF_DEVICE_MEMORY) {
        EXPECT_EQ(told.requested, bytes);
        EXPECT_EQ(told.limit, limit_);
        ++failed_;
        return model_.ran_out();
      }
    }
    ASSERT_EQ(result, XHAL_SUCCESS) << told.text();
    model_.allocated(block, bytes, streams_[stream], pool);
    if (testing::Test::HasFatalFailure()) return;
    held_.push_back({block, stream, 0});
    if (random_() % 5 < 2) mark(held_.back());
  }
  void mark(Held& held) {
    held.pattern = random_() | 1;
    const uint64_t size = caching::size_of(held.block);
    const uint64_t marked = std::min(size, kMarkedBytes);
    for (const uint64_t at : {uint64_t{0}, size - marked}) {
      EXPECT_EQ(xhal_memory_fill(streams_[held.stream].handle,
                                 reinterpret_cast<void*>(begin_of(held.block) + at), held.pattern, 8, marked),
                XHAL_SUCCESS)
          << last_text();
    }
    if (!is_held(held.stream)) synchronize(streams_[held.stream]);
  }
  void expect_marked(const Held& held) {
    const uint64_t size = caching::size_of(held.block);
    const uint64_t marked = std::min(size, kMarkedBytes);
    std::vector<uint64_t> words(marked / 8);
    for (const uint64_t at : {uint64_t{0}, size - marked}) {
      EXPECT_EQ(xhal_memory_copy(streams_[held.stream].handle, words.data(),
                                 reinterpret_cast<void*>(begin_of(held.block) + at), marked),
                XHAL_SUCCESS)
          << last_text();
      synchronize(streams_[held.stream]);
      EXPECT_TRUE(
          std::all_of(words.begin(), words.end(), [&](uint64_t word) { return word == held.pattern; }))
          << "somebody else wrote to a live block of " << size;
    }
    ++checked_;
  }
  void free_one() {
    if (!held_.empty()) free_at(random_() % held_.size());
  }
  void free_at(size_t index) {
    const Held held = held_[index];
    if (held.pattern != 0 && !is_held(held.stream)) expect_marked(held);
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(index));
    model_.freeing(held.block);
    allocator_->free(held.block);
  }
  void record() {
    if (held_.empty()) return;
    Held& held = held_[random_() % held_.size()];
    const size_t other = random_() % kStreams;
    allocator_->record_stream(held.block, streams_[other]);
    model_.recorded(held.block, streams_[other]);
    // Only where the owner's fill is done: nothing else orders the two streams.
    if (held.pattern == 0 || is_held(held.stream) || free_slots_.empty()) return;
    const size_t slot = free_slots_.back();
    free_slots_.pop_back();
    EXPECT_EQ(
        xhal_memory_copy(streams_[other].handle, words_of(slot), caching::address_of(held.block), kSlotBytes),
        XHAL_SUCCESS)
        << last_text();
    witnesses_.push_back({slot, other, held.pattern});
    if (is_held(other)) return;
    synchronize(streams_[other]);
    check_witnesses(other);
  }
  uint64_t* words_of(size_t slot) const { return static_cast<uint64_t*>(slots_) + slot * kSlotBytes / 8; }
  void check_witnesses(size_t stream) {
    std::erase_if(witnesses_, [&](const Witness& each) {
      if (each.stream != stream) return false;
      const uint64_t* words = words_of(each.slot);
      EXPECT_TRUE(std::all_of(words, words + kSlotBytes / 8, [&](uint64_t word) {
        return word == each.pattern;
      })) << "a recorded stream reads what somebody else wrote";
      free_slots_.push_back(each.slot);
      ++checked_;
      return true;
    });
  }
  void find_one() {
    if (held_.empty()) return;
    const size_t index = random_() % held_.size();
    Block* block = held_[index].block;
    const uint64_t begin = begin_of(block);
    const uint64_t inside = begin + random_() % caching::size_of(block);
    EXPECT_EQ(allocator_->find(reinterpret_cast<const void*>(inside)), block);
    free_at(index);
    EXPECT_EQ(allocator_->find(reinterpret_cast<const void*>(begin)), nullptr);
  }

  // ---- Pools ----
  void release_cached(PoolId pool) {
    // A segment that grows is unmapped behind all work that uses it.
    if (model_.would_wait() || (allocator_->settings().expandable && !model_.is_filling())) open_all();
    allocator_->release_cached(pool);
    model_.cache_released(pool);
  }
  void change_pools() {
    switch (random_() % 5) {
      case 0:
      case 1:
        return begin();
      case 2:
      case 3:
        for (PoolState& pool : pools_)
          if (pool.is_filling) return end(pool);
        return;
      default: {
        if (pools_.empty()) return;
        PoolState& pool = pools_[random_() % pools_.size()];
        if (!pool.is_filling && pool.holds > 0) return release(pool);
        release_cached(pool.id);
      }
    }
  }
  void begin() {
    if (std::count_if(pools_.begin(), pools_.end(), [](const PoolState& each) { return each.is_filling; }) >=
        2)
      return;
    PoolState* pool = nullptr;
    const auto is_held = [](const PoolState& each) { return each.holds > 0; };
    if (std::count_if(pools_.begin(), pools_.end(), is_held) >= kMostPools) {
      const auto idle = std::find_if(pools_.begin(), pools_.end(), [&](const PoolState& each) {
        return is_held(each) && !each.is_filling;
      });
      release(*idle);
    }
    for (PoolState& each : pools_)
      if (!each.is_filling && each.holds > 0 && random_() % 2 == 0) pool = &each;
    if (pool == nullptr) {
      pools_.push_back({{random_() % 3, ++last_pool_}, 0, false, {}});
      pool = &pools_.back();
    }
    for (size_t i = 0; i < kStreams; ++i) pool->takes[i] = random_() % 2 == 0 && pool_of(i) == PoolId{};
    std::array<uint64_t, kStreams> ids{};
    for (size_t i = 0; i < kStreams; ++i) ids[i] = pool->takes[i] ? streams_[i].id : 0;
    ASSERT_EQ(allocator_->begin_pool(
                  pool->id,
                  [ids](Stream stream) { return std::find(ids.begin(), ids.end(), stream.id) != ids.end(); }),
              XHAL_SUCCESS);
    pool->is_filling = true;
    ++pool->holds;
    model_.pool_begun(pool->id);
  }
  void end(PoolState& pool) {
    ASSERT_EQ(allocator_->end_pool(pool.id), XHAL_SUCCESS);
    pool.is_filling = false;
    model_.pool_ended();
  }
  void release(PoolState& pool) {
    ASSERT_EQ(allocator_->release_pool(pool.id), XHAL_SUCCESS);
    --pool.holds;
    model_.pool_released(pool.id);
  }

  std::mt19937_64 random_;
  const Machine machine_;
  std::unique_ptr<Allocator> allocator_;
  Model model_;
  std::array<Stream, kStreams> streams_{};
  std::array<std::unique_ptr<Gate>, kStreams> gates_{};
  std::vector<Held> held_;
  std::vector<PoolState> pools_;
  uint64_t last_pool_ = 0;
  void* slots_ = nullptr;
  std::vector<size_t> free_slots_;
  std::vector<Witness> witnesses_;
  int checked_ = 0;
  int failed_ = 0;
  uint64_t limit_ = 0;  // 0: requests do not fail
};

// CACHING_SEEDS: more of them, for an hour of spare time.
uint64_t last_seed() {
  const char* text = std::getenv("CACHING_SEEDS");
  return text == nullptr ? 8 : std::strtoull(text, nullptr, 10);
}

void run(const Settings& settings, double fraction = 0) {
  int failed = 0;
  const uint64_t last = last_seed();
  for (uint64_t seed = 1; seed <= last; ++seed) {
    Program program(settings, seed);
    if (fraction != 0) program.limit(fraction);
    for (int step = 0; step < kSteps; ++step) {
      program.step();
      ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed << ", step " << step;
    }
    program.finish();
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed << ", the end";
    failed += program.failed();
  }
  EXPECT_EQ(failed > 0, fraction != 0);
}

TEST(RandomPrograms, WithTheDefaults) { run({}); }

TEST(RandomPrograms, WithDivisions) {
  Settings settings;
  settings.divisions.fill(4);
  run(settings);
}

TEST(RandomPrograms, WithBlocksThatAreNotSplit) {
  Settings settings;
  settings.max_split_bytes = 32 * kMib;
  run(settings);
}

TEST(RandomPrograms, WithLargerSegments) {
  Settings settings;
  settings.large_segment_bytes = 64 * kMib;
  run(settings);
}

TEST(RandomPrograms, WithSegmentsThatGrow) {
  Settings settings;
  settings.expandable = true;
  run(settings);
}

TEST(RandomPrograms, ThatRunOutOfMemory) { run({}, 0.02); }

TEST(RandomPrograms, ThatRunOutOfMemoryInBlocksThatAreNotSplit) {
  Settings settings;
  settings.max_split_bytes = 32 * kMib;
  run(settings, 0.02);
}

TEST(RandomPrograms, ThatRunOutOfMemoryAndCollectOldBlocks) {
  Settings settings;
  settings.collect_above = 0.5;
  run(settings, 0.02);
}

TEST(RandomPrograms, ThatRunOutOfMemoryInSegmentsThatGrow) {
  Settings settings;
  settings.expandable = true;
  run(settings, 0.15);
}

}  // namespace
}  // namespace xhal::caching_test
