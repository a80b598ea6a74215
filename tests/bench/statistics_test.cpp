// SPDX-License-Identifier: Apache-2.0
#include "bench/statistics/statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "frame/random.h"

namespace xhal::bench {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// Numbers around 1, and those of each restart moved by something of its own.
std::vector<Restart> noisy(uint64_t seed, size_t restarts, size_t samples, double between,
                           double factor = 1) {
  conformance::SplitMix random(seed);
  const auto uniform = [&] { return static_cast<double>(random.below(1'000'001)) / 1'000'000; };
  std::vector<Restart> out(restarts);
  for (Restart& restart : out) {
    const double moved = between * (uniform() - 0.5);
    for (size_t i = 0; i < samples; ++i) restart.push_back(factor * (1 + moved + 0.2 * (uniform() - 0.5)));
  }
  return out;
}

TEST(Quantile, LiesBetweenTheTwoNearestValues) {
  EXPECT_EQ(quantile({4, 1, 3, 2}, 0), 1);
  EXPECT_EQ(quantile({4, 1, 3, 2}, 0.5), 2.5);
  EXPECT_EQ(quantile({4, 1, 3, 2}, 1), 4);
  EXPECT_EQ(median({7}), 7);
}

TEST(Quantile, KnowsNothingOfWhatDidNotCount) {
  EXPECT_EQ(median({kNone, 3, kNone, 1, 2}), 2);
  EXPECT_TRUE(std::isnan(median({kNone})));
  EXPECT_TRUE(std::isnan(median({})));
}

TEST(Percentiles, AreInOrder) {
  std::vector<double> values;
  for (int i = 100; i >= 0; --i) values.push_back(i);
  const Percentiles out = percentiles(values);
  EXPECT_EQ(out.p5, 5);
  EXPECT_EQ(out.p25, 25);
  EXPECT_EQ(out.p50, 50);
  EXPECT_EQ(out.p75, 75);
  EXPECT_EQ(out.p99, 99);
}

TEST(IntervalOfMedian, HoldsTheMiddleInMostDraws) {
  constexpr int kTrials = 200;
  int held = 0;
  for (uint64_t seed = 0; seed < kTrials; ++seed) {
    const auto restarts = noisy(seed, 5, 100, 0);
    const Interval interval = interval_of_median(restarts, seed, 200);
    EXPECT_LE(interval.low, interval.median);
    EXPECT_LE(interval.median, interval.high);
    held += interval.low <= 1 && 1 <= interval.high ? 1 : 0;
  }
  EXPECT_GE(held, kTrials * 85 / 100);
}

TEST(IntervalOfMedian, IsWideWhereProcessesDifferHoweverManySamplesThereAre) {
  const Interval alike = interval_of_median(noisy(1, 4, 500, 0), 1);
  const Interval different = interval_of_median(noisy(1, 4, 500, 0.5), 1);
  EXPECT_GT(different.high - different.low, 3 * (alike.high - alike.low));
}

TEST(IntervalOfMedian, IsTheSameForTheSameSeed) {
  const auto restarts = noisy(3, 3, 50, 0.1);
  const Interval one = interval_of_median(restarts, 9);
  const Interval two = interval_of_median(restarts, 9);
  EXPECT_EQ(one.low, two.low);
  EXPECT_EQ(one.high, two.high);
}

TEST(IntervalOfMedian, OfNothingIsNothing) {
  const std::vector<Restart> none = {{kNone}, {}};
  EXPECT_TRUE(std::isnan(interval_of_median(none, 1).low));
  EXPECT_EQ(interval_of_median(none, 1).samples, 0u);
}

TEST(IntervalOfQuotient, SeesTenPercent) {
  const Interval same = interval_of_quotient(noisy(1, 3, 200, 0), noisy(2, 3, 200, 0), 1);
  EXPECT_LE(same.low, 1);
  EXPECT_GE(same.high, 1);
  const Interval slower = interval_of_quotient(noisy(1, 3, 200, 0, 1.1), noisy(2, 3, 200, 0), 1);
  EXPECT_GT(slower.low, 1.03);
}

TEST(Judge, FailsAndPassesOnlyWithTheWholeInterval) {
  const auto verdict = [](double low, double high, Better better) {
    return judge({(low + high) / 2, low, high, 100}, better, 2);
  };
  EXPECT_EQ(verdict(1, 2, Better::kLess), Verdict::kPass);
  EXPECT_EQ(verdict(1.9, 2.1, Better::kLess), Verdict::kAmbiguous);
  EXPECT_EQ(verdict(2.1, 3, Better::kLess), Verdict::kFail);
  EXPECT_EQ(verdict(2, 3, Better::kMore), Verdict::kPass);
  EXPECT_EQ(verdict(1.9, 2.1, Better::kMore), Verdict::kAmbiguous);
  EXPECT_EQ(verdict(1, 1.9, Better::kMore), Verdict::kFail);
}

TEST(Judge, IsAmbiguousOfLittleAndOfNothing) {
  EXPECT_EQ(judge({1, 1, 1, kLeastSamples - 1}, Better::kLess, 2), Verdict::kAmbiguous);
  EXPECT_EQ(judge({kNone, kNone, kNone, 0}, Better::kLess, 2), Verdict::kAmbiguous);
  EXPECT_EQ(judge({1, 1, 1, 100}, Better::kLess, kNone), Verdict::kNoGoal);
}

// Three of nothing seen in 300 trials, and the like: values of the binomial distribution.
TEST(BoundsOfAShare, AreThoseOfTheBinomialDistribution) {
  EXPECT_NEAR(upper_bound_of_share(0, 300), 1 - std::pow(0.05, 1.0 / 300), 1e-9);
  EXPECT_NEAR(lower_bound_of_share(60, 60), std::pow(0.05, 1.0 / 60), 1e-9);
  EXPECT_NEAR(upper_bound_of_share(5, 100), 0.10225, 1e-4);
  EXPECT_EQ(upper_bound_of_share(0, 0), 1);
  EXPECT_EQ(lower_bound_of_share(0, 0), 0);
}

TEST(OverProcesses, OfThreeAgainstThreeIsWiderThanTheirDistance) {
  const std::vector<Restart> low = {{1.0}, {1.1}, {1.2}};
  const std::vector<Restart> high = {{1.3}, {1.4}, {1.5}};
  const Interval apart = interval_over_processes(high, low);
  EXPECT_NEAR(apart.median, 1.274, 0.01);
  EXPECT_LT(apart.low, 1.0);
  EXPECT_GT(apart.high, 1.5);
  const std::vector<Restart> sure = {{1.3}, {1.301}, {1.299}};
  const std::vector<Restart> too = {{1.0}, {1.001}, {0.999}};
  EXPECT_GT(interval_over_processes(sure, too).low, 1.29);
}

TEST(OverProcesses, OfOneProcessNothingIsKnown) {
  const std::vector<Restart> one = {{1.0, 1.0, 1.0}};
  const std::vector<Restart> more = {{2.0}, {2.0}, {2.0}};
  const Interval interval = interval_over_processes(more, one);
  EXPECT_EQ(interval.low, 0);
  EXPECT_TRUE(std::isinf(interval.high));
  // A median that is not above 0 has no quotient.
  EXPECT_TRUE(std::isnan(interval_over_processes(more, std::vector<Restart>{{-1.0}, {-1.0}}).median));
}

}  // namespace
}  // namespace xhal::bench
