// SPDX-License-Identifier: Apache-2.0
#include "engine/crew.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <fstream>
#include <set>
#include <thread>
#include <vector>

namespace xhal::sim {
namespace {

// Says who is blocked, and nothing else.
class Counting final : public Scheduler {
 public:
  uint64_t now_ns() const override { return monotonic_ns(); }
  bool start() override { return true; }
  void ready(Lane&) override {}
  void settle(Place&) override {}
  bool should_yield(uint32_t, uint64_t) const override { return false; }
  void begin_blocking(Place&) override { blocked.fetch_add(1); }
  void end_blocking(Place&) override { blocked.fetch_sub(1); }
  void relax(uint64_t) override {}
  bool reserve_together(uint32_t) override { return false; }
  void run_together(Place&, Together&, uint32_t) override {}
  void give_way() override {}
  uint64_t patience_ns() const override { return 0; }
  bool park(Parker&, uint64_t) override { return false; }
  void unpark(Parker&) override {}

  std::atomic<int> blocked{0};
};

// Parts that all wait for one another, twice.
class Waiting final : public Together {
 public:
  Waiting(Counting& scheduler, uint32_t count) : ran(count), scheduler_(scheduler), barrier_(count) {}
  void run_part(uint32_t part, Place& place) override {
    barrier_.arrive_and_wait();
    EXPECT_EQ(&place.scheduler, static_cast<Scheduler*>(&scheduler_));
    EXPECT_NE(place.local_memory.get(), nullptr);
    EXPECT_GE(scheduler_.blocked.load(), 1);
    ran[part].store(&place);
    if (part == 0) first_thread.store(std::this_thread::get_id());
    barrier_.arrive_and_wait();
  }

  std::vector<std::atomic<Place*>> ran;  // where each part did
  std::atomic<std::thread::id> first_thread;

 private:
  Counting& scheduler_;
  std::barrier<> barrier_;
};

class CrewTest : public testing::Test {
 protected:
  // The places that were used.
  std::set<Place*> run(uint32_t count) {
    Place place{scheduler, {}, {}, false, {}};
    Waiting work(scheduler, count);
    EXPECT_TRUE(crew.reserve_together(count));
    crew.run_together(place, work, count);
    EXPECT_EQ(work.ran[0].load(), &place) << "the caller's place";
    EXPECT_EQ(work.first_thread.load(), std::this_thread::get_id()) << "and thread";
    std::set<Place*> places;
    for (const auto& one : work.ran) places.insert(one.load());
    EXPECT_EQ(places.count(nullptr), 0u) << "a part did not run";
    return places;
  }

  Counting scheduler;
  Crew crew{scheduler};
};

TEST_F(CrewTest, OnePartNeedsNobody) {
  EXPECT_EQ(run(1).size(), 1u);
  EXPECT_EQ(crew.members(), 0u);
  EXPECT_EQ(scheduler.blocked.load(), 0);
}

TEST_F(CrewTest, EachPartHasAThreadAndThreadsAreKept) {
  EXPECT_EQ(run(8).size(), 8u);
  EXPECT_EQ(crew.members(), 7u);
  for (const uint32_t count : {3u, 8u, 1u, 5u}) EXPECT_EQ(run(count).size(), count);
  EXPECT_EQ(crew.members(), 7u);
  EXPECT_EQ(run(9).size(), 9u);
  EXPECT_EQ(crew.members(), 8u);
  EXPECT_EQ(scheduler.blocked.load(), 0);
}

TEST_F(CrewTest, ReservingMakesThem) {
  EXPECT_TRUE(crew.reserve_together(5));
  EXPECT_EQ(crew.members(), 4u);
  EXPECT_TRUE(crew.reserve_together(2));
  EXPECT_EQ(crew.members(), 4u);
}

TEST_F(CrewTest, TwoRunsAtATimeDoNotWaitForEachOther) {
  // Both wait for a word that the other one brings.
  std::atomic<int> inside{0};
  class Crossing final : public Together {
   public:
    explicit Crossing(std::atomic<int>& all) : inside_(all) {}
    void run_part(uint32_t, Place&) override {
      inside_.fetch_add(1);
      while (inside_.load() < 12) std::this_thread::yield();
    }

   private:
    std::atomic<int>& inside_;
  };
  std::vector<std::thread> callers;
  for (int i = 0; i < 2; ++i) {
    callers.emplace_back([&] {
      Place place{scheduler, {}, {}, false, {}};
      Crossing work(inside);
      ASSERT_TRUE(crew.reserve_together(6));
      crew.run_together(place, work, 6);
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(inside.load(), 12);
  EXPECT_EQ(crew.members(), 10u);
}

// A sanitizer's runtime would end the process first.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_F(CrewTest, WithoutThreadsItSaysSoAndKeepsThoseThereAre) {
  ASSERT_TRUE(crew.reserve_together(3));
  std::ifstream statm("/proc/self/statm");
  uint64_t pages = 0;
  ASSERT_TRUE(statm >> pages);
  rlimit former = {};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &former), 0);
  // Room for a few stacks, which are what a thread needs most of.
  const rlimit narrow = {pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) + (uint64_t{64} << 20),
                         former.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_AS, &narrow), 0);
  const bool reserved = crew.reserve_together(500);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &former), 0);
  EXPECT_FALSE(reserved);
  EXPECT_GE(crew.members(), 2u);
  EXPECT_LT(crew.members(), 499u);
  EXPECT_EQ(run(3).size(), 3u);
  EXPECT_EQ(run(30).size(), 30u);
}
#endif

}  // namespace
}  // namespace xhal::sim
