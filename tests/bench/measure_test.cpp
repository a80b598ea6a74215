// SPDX-License-Identifier: Apache-2.0
#include "bench/runner/measure.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <vector>

namespace {

std::atomic<bool> counting{false};
std::atomic<uint64_t> allocations{0};

}  // namespace

// What the runner allocates between two turns is counted.
[[gnu::noinline]] void* operator new(size_t size) {
  if (counting.load(std::memory_order_relaxed)) allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace xhal::bench {
namespace {

Side fixed(const char* name, double ns) {
  return {name, [ns](uint64_t) { return ns; }, 1, 1000};
}

Plan rounds(uint64_t count) {
  Plan plan;
  plan.seconds = 0;
  plan.least_rounds = count;
  plan.most_rounds = count;
  return plan;
}

TEST(Measure, GivesEachRoundItsValueAndRatios) {
  Row row;
  row.sides.push_back(fixed("subject", 30));
  row.beside(fixed("ten", 10)).beside(fixed("sixty", 60));
  const Samples out = measure(row, rounds(7));
  EXPECT_EQ(out.sides, (std::vector<std::string>{"subject", "ten", "sixty"}));
  EXPECT_EQ(out.values, std::vector<double>(7, 30));
  EXPECT_EQ(out.ratios,
            (std::vector<std::vector<double>>{std::vector<double>(7, 3), std::vector<double>(7, 0.5)}));
}

TEST(Measure, LetsEverySideHaveTwoTurnsARoundTheSecondOnesInOppositeOrder) {
  std::string turns;
  Row row;
  for (const char name : {'a', 'b', 'c'}) {
    row.sides.push_back({std::string(1, name),
                         [&turns, name](uint64_t) {
                           turns += name;
                           return 1.0;
                         },
                         1, 1});
  }
  row.before_round = [&turns] { turns += ' '; };
  Plan plan = rounds(50);
  plan.seed = 4;
  measure(row, plan);
  std::set<std::string> orders;
  for (size_t at = turns.find(' '); at != std::string::npos; at = turns.find(' ', at + 1)) {
    const std::string round = turns.substr(at + 1, 6);
    EXPECT_EQ(round.substr(3), std::string(round.rbegin() + 3, round.rend())) << round;
    orders.insert(round.substr(0, 3));
  }
  EXPECT_EQ(orders.size(), 6u) << "not every order was seen";
}

TEST(Measure, MakesBlocksOfAboutTheTimeThatIsWanted) {
  Row row;
  row.sides.push_back(fixed("subject", 100));
  row.sides.back().most_units = 1'000'000;
  Plan plan = rounds(1);
  plan.block_ns = 50'000;
  EXPECT_EQ(measure(row, plan).units.front(), 500u);
}

TEST(Measure, FindsTheSizeOfABlockAlsoWhenTheFirstOnesAreSlowOrDoNotCount) {
  uint64_t turn = 0;
  Row row;
  row.sides.push_back({"slow at first", [&](uint64_t) { return ++turn == 1 ? 1e9 : 100.0; }, 1, 1'000'000});
  row.sides.push_back(
      {"counts from 64 on", [](uint64_t units) { return units < 64 ? kUncounted : 100.0; }, 1, 1'000'000});
  row.sides.push_back({"never counts", [](uint64_t) { return kUncounted; }, 1, 128});
  Plan plan = rounds(1);
  plan.block_ns = 50'000;
  EXPECT_EQ(measure(row, plan).units, (std::vector<uint64_t>{500, 500, 128}));
}

TEST(Measure, KeepsToTheUnitsThatASideCanDo) {
  Row row;
  row.sides.push_back(fixed("fast", 1));
  row.sides.push_back(fixed("slow", 1e9));
  row.sides.back().least_units = 8;
  const Samples out = measure(row, rounds(1));
  EXPECT_EQ(out.units, (std::vector<uint64_t>{1000, 8}));
}

TEST(Measure, LeavesOutATurnThatDoesNotCount) {
  uint64_t turn = 0;
  Row row;
  row.sides.push_back({"now and then", [&](uint64_t) { return ++turn % 2 == 0 ? kUncounted : 5.0; }, 1, 1});
  const Samples out = measure(row, rounds(4));
  EXPECT_EQ(out.values, std::vector<double>(4, 5));
  row.sides.front().block = [](uint64_t) { return kUncounted; };
  const Samples none = measure(row, rounds(3));
  for (const double value : none.values) EXPECT_TRUE(std::isnan(value));
}

TEST(Measure, SlowsTheSubjectAloneByWhatIsPlanted) {
  Row row;
  row.sides.push_back({"subject", [](uint64_t) { return 1'000'000.0; }, 1, 1});
  row.beside({"reference", [](uint64_t) { return 1'000'000.0; }, 1, 1});
  Plan plan = rounds(3);
  plan.planted = 0.25;
  const Samples slowed = measure(row, plan);
  for (const double ratio : slowed.ratios.front()) EXPECT_GE(ratio, 1.25);
}

TEST(Measure, VerifiesBeforeAndBehind) {
  int verified = 0;
  Row row;
  row.sides.push_back(fixed("subject", 1));
  row.verify = [&] {
    if (++verified == 2) throw RowFailed("wrong in the end");
  };
  EXPECT_THROW(measure(row, rounds(2)), RowFailed);
  EXPECT_EQ(verified, 2);
}

TEST(Measure, AllocatesNothingBetweenTheFirstTurnAndTheLast) {
  uint64_t turn = 0;
  constexpr uint64_t kRounds = 100;
  constexpr uint64_t kTurns = 2 * kRounds;
  Row row;
  // Behind the turns that find out how large a block is.
  row.sides.push_back({"subject",
                       [&](uint64_t) {
                         ++turn;
                         if (turn == 3) counting.store(true);
                         if (turn == kTurns) counting.store(false);
                         return 1e9;
                       },
                       1, 1});
  measure(row, rounds(kRounds));
  EXPECT_GE(turn, kTurns);
  EXPECT_EQ(allocations.load(), 0u);
}

// Such a side leaves our threads where the system put them: the others run until they are spread again, uncounted.
TEST(Measure, RunsBesideAProcessBeforeItMeasures) {
  const auto blocks_beside = [](bool is_process) {
    Row row;
    int blocks = 0;
    row.sides.push_back({"one",
                         [&blocks](uint64_t) {
                           ++blocks;
                           return 1.0;
                         },
                         1, 1});
    row.beside({"other", [](uint64_t) { return 2.0; }, 1, 1, is_process});
    Plan plan = rounds(3);
    plan.spread_ns = 1;
    const Samples samples = measure(row, plan);
    EXPECT_EQ(samples.ns[0], std::vector<double>(3, 1.0));
    return blocks;
  };
  // Two turns in each of three rounds.
  EXPECT_GE(blocks_beside(true), blocks_beside(false) + 6);
}

TEST(Rows, TellTheRegimeThatTheirParametersName) {
  const auto regime = [](const char* parameters) {
    RowInfo row;
    row.id = "a";
    row.parameters = parameters;
    return row.regime();
  };
  EXPECT_EQ(regime("regime=held"), "held");
  EXPECT_EQ(regime("args=8,regime=parked"), "parked");
  EXPECT_EQ(regime("regime=loaded,args=8"), "loaded");
  EXPECT_EQ(regime(""), "warm");
  EXPECT_EQ(regime("call,timing=on"), "warm");
  EXPECT_EQ(regime("noregime=held"), "warm");
}

}  // namespace
}  // namespace xhal::bench
