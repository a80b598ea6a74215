// SPDX-License-Identifier: Apache-2.0
#include "memory/free_space.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace xhal::sim {
namespace {

TEST(FreeSpace, TakesTheSmallestHoleThatFits) {
  FreeSpace space({0, 1000});
  ASSERT_EQ(space.take(100, 1), 0u);  // to be given back: a hole of 100
  ASSERT_EQ(space.take(10, 1), 100u);
  ASSERT_EQ(space.take(30, 1), 110u);  // to be given back: a hole of 30
  ASSERT_EQ(space.take(10, 1), 140u);
  space.give({0, 100});
  space.give({110, 140});
  EXPECT_EQ(space.take(25, 1), 110u);
  EXPECT_EQ(space.take(90, 1), 0u);
}

TEST(FreeSpace, AlignsWithinAHoleAndKeepsWhatIsBeforeAndBehind) {
  FreeSpace space({10, 1000});
  EXPECT_EQ(space.take(64, 64), 64u);
  EXPECT_EQ(space.take(54, 1), 10u);
  EXPECT_EQ(space.take(872, 8), 128u);
  EXPECT_EQ(space.holes(), 0u);
}

TEST(FreeSpace, RefusesWhatDoesNotFitAndAlignmentsThatNoAddressHas) {
  FreeSpace space({4096, 8192});
  EXPECT_EQ(space.take(4097, 1), std::nullopt);
  EXPECT_EQ(space.take(1, uint64_t{1} << 63), std::nullopt);
  EXPECT_EQ(space.take(UINT64_MAX, 1), std::nullopt);
  EXPECT_EQ(space.take(4096, 4096), 4096u);
  EXPECT_EQ(space.take(1, 1), std::nullopt);
}

TEST(FreeSpace, TakesTheVeryAddressesOrNone) {
  FreeSpace space({1000, 2000});
  ASSERT_TRUE(space.take_at({1200, 1300}));
  EXPECT_FALSE(space.take_at({1200, 1300}));
  EXPECT_FALSE(space.take_at({1100, 1201})) << "a part of it is taken";
  EXPECT_FALSE(space.take_at({1900, 2001})) << "it ends behind the range";
  EXPECT_FALSE(space.take_at({900, 1100})) << "it begins before the range";
  EXPECT_TRUE(space.take_at({1000, 1200})) << "up to a neighbour, from the beginning";
  EXPECT_TRUE(space.take_at({1900, 2000})) << "up to the end";
  EXPECT_EQ(space.holes(), 1U);
  EXPECT_EQ(space.largest(), 600U);
}

TEST(FreeSpace, MergesWithBothNeighboursAndTellsTheHole) {
  FreeSpace space({0, 300});
  ASSERT_EQ(space.take(100, 1), 0u);
  ASSERT_EQ(space.take(100, 1), 100u);
  ASSERT_EQ(space.take(100, 1), 200u);
  Interval hole = space.give({0, 100});
  EXPECT_EQ(hole.begin, 0u);
  EXPECT_EQ(hole.end, 100u);
  space.give({200, 300});
  hole = space.give({100, 200});
  EXPECT_EQ(hole.begin, 0u);
  EXPECT_EQ(hole.end, 300u);
  EXPECT_EQ(space.holes(), 1u);
}

// Against a map with one entry an address.
TEST(FreeSpace, NeverGivesOutAnAddressTwice) {
  constexpr uint64_t kSize = 512;
  std::mt19937_64 random(1);
  FreeSpace space({0, kSize});
  std::vector<bool> taken(kSize, false);
  std::vector<Interval> live;
  for (int step = 0; step < 20'000; ++step) {
    if (!live.empty() && random() % 2 == 0) {
      const size_t index = random() % live.size();
      space.give(live[index]);
      for (uint64_t i = live[index].begin; i < live[index].end; ++i) taken[i] = false;
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(index));
      continue;
    }
    const uint64_t size = 1 + random() % 60;
    const uint64_t alignment = uint64_t{1} << (random() % 6);
    const auto begin = space.take(size, alignment);
    uint64_t run = 0;
    bool possible = false;
    for (uint64_t i = 0; i < kSize; ++i) {
      if (taken[i]) continue;
      if (i % alignment != 0) continue;
      run = 0;
      while (i + run < kSize && !taken[i + run] && run < size) ++run;
      possible = possible || run == size;
    }
    ASSERT_EQ(begin.has_value(), possible) << "step " << step;
    if (!begin.has_value()) continue;
    ASSERT_EQ(*begin % alignment, 0u);
    for (uint64_t i = *begin; i < *begin + size; ++i) {
      ASSERT_FALSE(taken[i]) << "step " << step;
      taken[i] = true;
    }
    live.push_back({*begin, *begin + size});
  }
  for (const Interval& interval : live) space.give(interval);
  EXPECT_EQ(space.holes(), 1u);
  EXPECT_EQ(space.largest(), kSize);
}

}  // namespace
}  // namespace xhal::sim
