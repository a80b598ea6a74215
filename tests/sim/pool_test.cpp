// SPDX-License-Identifier: Apache-2.0
#include "memory/pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace xhal::sim {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

class Pools : public testing::Test {
 protected:
  Pools() {
    std::string note;
    EXPECT_TRUE(window.reserve(note));
    std::string why;
    arena = Arena::create(window, 4 * kMiB, why);
    EXPECT_NE(arena, nullptr) << why;
  }
  // Submits one operation to the stream: what is freed now waits for it.
  Position submit(size_t stream) {
    streams[stream].submit(streams[stream].submitted() + 1);
    return {&streams[stream], streams[stream].submitted()};
  }
  // All that was submitted so far comes before what is allocated there.
  Position at(size_t stream) { return {&streams[stream], streams[stream].submitted()}; }
  // The stream waits for an event that was recorded behind that position.
  void follow(size_t stream, const Position& earlier) { order.add(submit(stream), earlier); }
  void finish(size_t stream) { streams[stream].retire(streams[stream].submitted()); }
  uint64_t allocate(Pool& pool, uint64_t size, size_t stream = 0) {
    const auto address = pool.allocate(size, at(stream));
    EXPECT_TRUE(address.has_value());
    return address.value_or(0);
  }
  static void free(Pool& pool, uint64_t address, const Position& behind) {
    const auto retired = pool.retire(address);
    ASSERT_TRUE(retired.has_value());
    pool.free(address, *retired, behind);
  }

  Window window{64 * kMiB};
  std::unique_ptr<Arena> arena;
  StreamOrder order;
  std::deque<Progress> streams{4};
};

TEST_F(Pools, OneStreamHasItsMemoryAgainAtOnce) {
  Pool pool(*arena, order, 0, kMiB);
  const Position held = submit(0);
  const uint64_t first = allocate(pool, kMiB);
  free(pool, first, held);
  const uint64_t again = allocate(pool, kMiB);
  EXPECT_EQ(again, first);
  EXPECT_FALSE(pool.allocate(1, at(0)).has_value()) << "the limit";
}

TEST_F(Pools, OneStreamDividesAndJoinsWhatItHasFreed) {
  Pool pool(*arena, order, 0, kMiB);
  const Position held = submit(0);
  free(pool, allocate(pool, kMiB), held);
  std::vector<uint64_t> quarters;
  for (int i = 0; i < 4; ++i) quarters.push_back(allocate(pool, kMiB / 4));
  EXPECT_FALSE(pool.allocate(1, at(0)).has_value());
  for (const uint64_t quarter : quarters) free(pool, quarter, submit(0));
  EXPECT_NE(allocate(pool, kMiB), 0u);
}

TEST_F(Pools, OtherStreamsGetItWhenItsStreamHasComeSoFar) {
  Pool pool(*arena, order, 0, kMiB);
  const uint64_t memory = allocate(pool, kMiB);
  const Position held = submit(0);
  free(pool, memory, held);
  EXPECT_FALSE(pool.allocate(kMiB, at(1)).has_value());
  finish(0);
  EXPECT_TRUE(pool.allocate(kMiB, at(1)).has_value());
}

TEST_F(Pools, WhoWaitsForAnEventBehindTheFreeHasItAtOnce) {
  Pool pool(*arena, order, 0, kMiB);
  const uint64_t memory = allocate(pool, kMiB);
  const Position before = submit(0);
  const Position held = submit(0);
  free(pool, memory, held);
  follow(1, before);
  EXPECT_FALSE(pool.allocate(kMiB, at(1)).has_value()) << "the event was recorded before the free";
  follow(1, held);
  EXPECT_FALSE(pool.allocate(kMiB, at(2)).has_value()) << "another stream waited";
  EXPECT_EQ(pool.allocate(kMiB, at(1)), memory);
  EXPECT_EQ(pool.info().reserved, kMiB) << "nothing more was taken from the device";
}

TEST_F(Pools, EventsHandTheOrderOn) {
  Pool pool(*arena, order, 0, kMiB);
  const uint64_t memory = allocate(pool, kMiB);
  free(pool, memory, submit(0));
  const Position between = submit(1);
  follow(1, at(0));
  follow(2, between);
  EXPECT_FALSE(pool.allocate(kMiB, at(2)).has_value()) << "what the other one waited for later says nothing";
  follow(2, at(1));
  EXPECT_EQ(pool.allocate(kMiB, at(2)), memory);
}

TEST_F(Pools, LaterFreesTakeNothingFromWhoFollowsTheEarlier) {
  Pool pool(*arena, order, 0, kMiB);
  const uint64_t first = allocate(pool, kMiB / 2);
  const uint64_t second = allocate(pool, kMiB / 2);
  free(pool, first, submit(0));
  follow(1, at(0));
  free(pool, second, submit(0));
  EXPECT_EQ(pool.allocate(kMiB / 2, at(1)), first);
  EXPECT_FALSE(pool.allocate(kMiB / 2, at(1)).has_value());
}

// The follower fails and drops its wait with the rest: what it had is nobody's before the work is done that it should have waited for.
TEST_F(Pools, AFollowerThatFailsHandsNothingOnTooEarly) {
  Pool pool(*arena, order, 0, kMiB);
  const uint64_t memory = allocate(pool, kMiB);
  free(pool, memory, submit(0));
  follow(1, at(0));
  ASSERT_EQ(pool.allocate(kMiB, at(1)), memory);
  const Fault fault = {XHAL_ERROR_LAUNCH_FAILED, "", 0, 0, ""};
  streams[1].fail(1, &fault);
  finish(1);
  free(pool, memory, at(1));
  EXPECT_FALSE(pool.allocate(kMiB, at(2)).has_value());
  follow(3, at(1));
  EXPECT_FALSE(pool.allocate(kMiB, at(2)).has_value());
  finish(0);
  EXPECT_EQ(pool.allocate(kMiB, at(2)), memory);
}

TEST_F(Pools, WhatAFollowerFreedWithoutAStreamWaitsForWhomItFollowed) {
  Pool pool(*arena, order, 0, kMiB);
  const uint64_t memory = allocate(pool, kMiB);
  free(pool, memory, submit(0));
  follow(1, at(0));
  ASSERT_EQ(pool.allocate(kMiB, at(1)), memory);
  free(pool, memory, {});
  EXPECT_FALSE(pool.allocate(kMiB, at(2)).has_value());
  EXPECT_EQ(pool.allocate(kMiB, at(1)), memory) << "the follower comes behind all the same";
  free(pool, memory, {});
  finish(0);
  EXPECT_EQ(pool.allocate(kMiB, at(2)), memory);
}

TEST_F(Pools, WhoeverHasNoPlaceYetGetsWhatNobodyUses) {
  Pool pool(*arena, order, 0, kMiB);
  const uint64_t memory = allocate(pool, kMiB);
  free(pool, memory, submit(0));
  EXPECT_FALSE(pool.allocate(kMiB, {}).has_value());
  finish(0);
  EXPECT_EQ(pool.allocate(kMiB, {}), memory);
}

TEST_F(Pools, ManyFreesOfOneStreamAreHeldInFewBatches) {
  Pool pool(*arena, order, 4 * kMiB, kMiB);
  std::vector<uint64_t> blocks;
  for (int i = 0; i < 64; ++i) blocks.push_back(allocate(pool, kMiB / 64));
  for (const uint64_t block : blocks) free(pool, block, submit(0));
  EXPECT_FALSE(pool.allocate(kMiB / 64, at(1)).has_value());
  streams[0].retire(1);
  EXPECT_EQ(pool.allocate(kMiB / 64, at(1)), blocks.front()) << "the oldest is not made younger";
  follow(2, at(0));
  for (int i = 1; i < 64; ++i) EXPECT_TRUE(pool.allocate(kMiB / 64, at(2)).has_value()) << i;
}

TEST_F(Pools, AStreamThatNeverRestsLendsToOthersNevertheless) {
  Pool pool(*arena, order, 4 * kMiB, kMiB);
  Position last = submit(0);
  for (int i = 0; i < 10; ++i) {
    const uint64_t memory = allocate(pool, kMiB);
    free(pool, memory, last);
    const Position next = submit(0);
    streams[0].retire(last.number);  // one behind all the time
    last = next;
  }
  EXPECT_TRUE(pool.allocate(kMiB, at(1)).has_value());
}

TEST_F(Pools, FiguresAreExact) {
  Pool pool(*arena, order, 4 * kMiB, 0);
  const uint64_t one = allocate(pool, 1000);
  const uint64_t two = allocate(pool, 5000);
  Pool::Info info = pool.info();
  EXPECT_EQ(info.used, 6000u);
  EXPECT_EQ(info.reserved, 3 * 4096u);
  EXPECT_EQ(info.peak_used, 6000u);
  free(pool, one, {});
  free(pool, two, submit(0));
  info = pool.info();
  EXPECT_EQ(info.used, 0u);
  EXPECT_EQ(info.reserved, 3 * 4096u);
  EXPECT_EQ(info.peak_used, 6000u);
  EXPECT_EQ(arena->used(), 3 * 4096u);
  pool.trim(0);
  EXPECT_EQ(pool.info().reserved, 2 * 4096u) << "what waits for its stream stays";
  finish(0);
  pool.trim(4096);
  EXPECT_EQ(pool.info().reserved, 4096u);
  pool.trim(0);
  info = pool.info();
  EXPECT_EQ(info.reserved, 0u);
  EXPECT_EQ(info.peak_reserved, 3 * 4096u);
  EXPECT_EQ(arena->used(), 0u);
}

TEST_F(Pools, ThresholdIsWhatALookLeaves) {
  Pool pool(*arena, order, 8192, 0);
  const uint64_t memory = allocate(pool, kMiB);
  EXPECT_EQ(pool.info().reserved, kMiB) << "in use";
  free(pool, memory, {});
  EXPECT_EQ(pool.info().reserved, 8192u);
}

TEST_F(Pools, KnowsItsLiveBasesAlone) {
  Pool pool(*arena, order, 0, 0);
  Pool other(*arena, order, 0, 0);
  const uint64_t memory = allocate(pool, 10'000);
  EXPECT_TRUE(pool.has(memory));
  EXPECT_FALSE(pool.has(memory + 4096));
  EXPECT_FALSE(other.has(memory));
  EXPECT_FALSE(other.retire(memory).has_value());
  EXPECT_FALSE(pool.retire(memory + 1).has_value());
  const auto retired = pool.retire(memory);
  ASSERT_TRUE(retired.has_value());
  EXPECT_EQ(retired->size, 10'000u);
  EXPECT_FALSE(pool.retire(memory).has_value());
}

TEST_F(Pools, TheEndTellsWhatLivesAndWhatWaits) {
  uint64_t live = 0;
  uint64_t waiting = 0;
  uint64_t kept = 0;
  {
    Pool pool(*arena, order, 4 * kMiB, 0);
    kept = allocate(pool, 5000);
    free(pool, allocate(pool, 5000), submit(0));
    free(pool, allocate(pool, 5000, 1), {});
    pool.dissolve([&](uint64_t address) { live = address; },
                  [&](const Pool::Waiting& part) {
                    waiting += part.charge;
                    arena->give(part.addresses);
                    arena->uncharge(part.charge);
                  });
  }
  EXPECT_EQ(live, kept);
  EXPECT_EQ(waiting, 8192u);
  EXPECT_EQ(arena->used(), 8192u);
  arena->release(kept, 5000);
  EXPECT_EQ(arena->used(), 0u);
  EXPECT_TRUE(arena->allocate(4 * kMiB, 0).has_value()) << "all addresses are back";
}

// Random traffic of several streams that wait for each other's events, and sometimes do not wait although they should, as failed ones: live
// memory never overlaps, and nobody gets what a stream that it does not follow may still use.
TEST_F(Pools, NobodyGetsMemoryThatMayStillBeUsed) {
  struct Live {
    uint64_t size;
    size_t stream;
  };
  struct Freed {
    Interval addresses;
    size_t stream;
    uint64_t number;
  };
  using Past = std::vector<uint64_t>;  // the latest position of each stream that comes before
  struct Recorded {
    Position position;
    Past past;
  };
  Pool pool(*arena, order, 64 * 1024, 2 * kMiB);
  std::mt19937_64 random(11);
  std::map<uint64_t, Live> live;
  std::vector<Freed> freed;
  std::vector<Past> past(streams.size(), Past(streams.size()));
  std::deque<Recorded> events;
  uint64_t used = 0;
  int followed = 0;
  for (int step = 0; step < 40'000; ++step) {
    const size_t stream = random() % streams.size();
    switch (random() % 6) {
      case 0:
      case 1: {
        const uint64_t size = 1 + random() % (random() % 8 == 0 ? 300'000 : 20'000);
        const auto base = pool.allocate(size, at(stream));
        if (!base.has_value()) break;
        const uint64_t end = *base + size;
        const auto next = live.lower_bound(*base);
        ASSERT_TRUE(next == live.end() || end < next->first) << step;
        if (next != live.begin()) {
          ASSERT_LT(std::prev(next)->first + std::prev(next)->second.size, *base) << step;
        }
        std::erase_if(freed, [&](const Freed& f) { return streams[f.stream].reached(f.number); });
        for (const Freed& f : freed) {
          if (f.addresses.begin >= end || *base >= f.addresses.end || f.stream == stream) continue;
          ASSERT_LE(f.number, past[stream][f.stream]) << step;
          ++followed;
        }
        live.emplace(*base, Live{size, stream});
        used += size;
        break;
      }
      case 2: {
        if (live.empty()) break;
        auto victim = live.begin();
        std::advance(victim, static_cast<std::ptrdiff_t>(random() % live.size()));
        const Position behind = submit(victim->second.stream);
        free(pool, victim->first, behind);
        used -= victim->second.size;
        freed.push_back(
            {{victim->first, victim->first + victim->second.size}, victim->second.stream, behind.number});
        live.erase(victim);
        break;
      }
      case 3: {
        const uint64_t done = streams[stream].done();
        if (done < streams[stream].submitted())
          streams[stream].retire(done + 1 + random() % (streams[stream].submitted() - done));
        break;
      }
      case 4: {
        past[stream][stream] = streams[stream].submitted();
        events.push_back({at(stream), past[stream]});
        if (events.size() > 20) events.pop_front();
        const Recorded& event = events[random() % events.size()];
        follow(stream, event.position);
        for (size_t i = 0; i < streams.size(); ++i)
          past[stream][i] = std::max(past[stream][i], event.past[i]);
        break;
      }
      default:
        if (random() % 8 == 0) pool.trim(random() % kMiB);
    }
    if (step % 100 == 0) {
      const Pool::Info info = pool.info();
      ASSERT_EQ(info.used, used);
      ASSERT_GE(info.reserved, info.used);
      ASSERT_LE(info.reserved, 2 * kMiB);
      ASSERT_EQ(arena->used(), info.reserved);
    }
  }
  EXPECT_GT(followed, 20) << "memory went to followers";
  for (size_t i = 0; i < streams.size(); ++i) finish(i);
  for (const auto& [base, one] : live) free(pool, base, {});
  pool.trim(0);
  EXPECT_EQ(arena->used(), 0u);
}

}  // namespace
}  // namespace xhal::sim
