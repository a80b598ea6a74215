// SPDX-License-Identifier: Apache-2.0
#include "bench/statistics/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include "frame/random.h"

namespace xhal::bench {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

// Reorders them; without NaN.
double quantile_of(std::vector<double>& values, double q) {
  if (values.empty()) return kNothing;
  const double place = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(place);
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(values.begin(), at, values.end());
  const double part = place - static_cast<double>(below);
  if (part == 0) return *at;
  const double next = *std::min_element(at + 1, values.end());
  return *at + part * (next - *at);
}

void drop_uncounted(std::vector<double>& values) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
}

std::vector<Restart> counted(std::span<const Restart> restarts) {
  std::vector<Restart> out;
  for (const Restart& restart : restarts) {
    Restart copy = restart;
    drop_uncounted(copy);
    if (!copy.empty()) out.push_back(std::move(copy));
  }
  return out;
}

double median_of_all(const std::vector<Restart>& restarts) {
  std::vector<double> all;
  for (const Restart& restart : restarts) all.insert(all.end(), restart.begin(), restart.end());
  return quantile_of(all, 0.5);
}

// As many restarts as there are, drawn with replacement, and of each as many of its samples.
double median_of_draw(const std::vector<Restart>& restarts, conformance::SplitMix& random,
                      std::vector<double>& room) {
  room.clear();
  for (size_t i = 0; i < restarts.size(); ++i) {
    const Restart& restart = restarts[random.below(restarts.size())];
    for (size_t k = 0; k < restart.size(); ++k) room.push_back(restart[random.below(restart.size())]);
  }
  return quantile_of(room, 0.5);
}

Interval interval_of(double middle, const std::vector<double>& draws, size_t samples) {
  constexpr double kTail = 0.025;
  return {middle, quantile(draws, kTail), quantile(draws, 1 - kTail), samples};
}

size_t count_of(const std::vector<Restart>& restarts) {
  size_t out = 0;
  for (const Restart& restart : restarts) out += restart.size();
  return out;
}

// The probability of at most `hits` of `count`.
double at_most(uint64_t hits, uint64_t count, double share) {
  double sum = 0;
  for (uint64_t k = 0; k <= hits; ++k) {
    const auto n = static_cast<double>(count);
    const auto i = static_cast<double>(k);
    sum += std::exp(std::lgamma(n + 1) - std::lgamma(i + 1) - std::lgamma(n - i + 1) + i * std::log(share) +
                    (n - i) * std::log1p(-share));
  }
  return std::min(sum, 1.0);
}

// Of restarts whose median is above 0, the only ones that a quotient can be made of.
std::vector<double> logs_of_medians(std::span<const Restart> restarts) {
  std::vector<double> out;
  for (const Restart& restart : restarts) {
    const double middle = quantile(restart, 0.5);
    if (middle > 0) out.push_back(std::log(middle));
  }
  return out;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double squares_of(const std::vector<double>& values) {
  const double middle = mean_of(values);
  double sum = 0;
  for (const double value : values) sum += (value - middle) * (value - middle);
  return sum;
}

// Student's distribution, 99.5 %, by degrees of freedom; beyond the table as at its end, which is wider.
double student_quantile(size_t freedom) {
  constexpr double kTable[] = {63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 3.169,
                               3.106,  3.055, 3.012, 2.977, 2.947, 2.921, 2.898, 2.878, 2.861, 2.845};
  return kTable[std::min(std::max<size_t>(freedom, 1), std::size(kTable)) - 1];
}

constexpr double kOutside = 0.05;

}  // namespace

double quantile(std::vector<double> values, double q) {
  drop_uncounted(values);
  return quantile_of(values, q);
}

Percentiles percentiles(std::vector<double> values) {
  drop_uncounted(values);
  std::ranges::sort(values);
  return {quantile_of(values, 0.05), quantile_of(values, 0.25), quantile_of(values, 0.5),
          quantile_of(values, 0.75), quantile_of(values, 0.99)};
}

Interval interval_of_median(std::span<const Restart> restarts, uint64_t seed, int resamples) {
  const std::vector<Restart> all = counted(restarts);
  if (all.empty()) return {kNothing, kNothing, kNothing, 0};
  conformance::SplitMix random(seed);
  std::vector<double> room;
  std::vector<double> draws;
  for (int i = 0; i < resamples; ++i) draws.push_back(median_of_draw(all, random, room));
  return interval_of(median_of_all(all), draws, count_of(all));
}

Interval interval_of_quotient(std::span<const Restart> above, std::span<const Restart> below, uint64_t seed,
                              int resamples) {
  const std::vector<Restart> over = counted(above);
  const std::vector<Restart> under = counted(below);
  if (over.empty() || under.empty()) return {kNothing, kNothing, kNothing, 0};
  conformance::SplitMix random(seed);
  std::vector<double> room;
  std::vector<double> draws;
  for (int i = 0; i < resamples; ++i) {
    const double one = median_of_draw(over, random, room);
    draws.push_back(one / median_of_draw(under, random, room));
  }
  return interval_of(median_of_all(over) / median_of_all(under), draws,
                     std::min(count_of(over), count_of(under)));
}

Interval interval_over_processes(std::span<const Restart> above, std::span<const Restart> below) {
  const std::vector<double> over = logs_of_medians(above);
  const std::vector<double> under = logs_of_medians(below);
  const double endless = std::numeric_limits<double>::infinity();
  if (over.empty() || under.empty()) return {kNothing, kNothing, kNothing, 0};
  const double middle = mean_of(over) - mean_of(under);
  Interval out{std::exp(middle), 0, endless, over.size() + under.size()};
  if (over.size() < 2 || under.size() < 2) return out;
  const size_t freedom = out.samples - 2;
  const double variance = (squares_of(over) + squares_of(under)) / static_cast<double>(freedom);
  const double each = 1 / static_cast<double>(over.size()) + 1 / static_cast<double>(under.size());
  const double reach = student_quantile(freedom) * std::sqrt(variance * each);
  out.low = std::exp(middle - reach);
  out.high = std::exp(middle + reach);
  return out;
}

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "PASS";
    case Verdict::kFail:
      return "FAIL";
    case Verdict::kAmbiguous:
      return "AMBIGUOUS";
    case Verdict::kNoGoal:
      return "no goal";
  }
  return "?";
}

Verdict judge(const Interval& interval, Better better, double limit) {
  if (std::isnan(limit)) return Verdict::kNoGoal;
  if (interval.samples < kLeastSamples || std::isnan(interval.low) || std::isnan(interval.high))
    return Verdict::kAmbiguous;
  const bool less = better == Better::kLess;
  if (less ? interval.high <= limit : interval.low >= limit) return Verdict::kPass;
  if (less ? interval.low > limit : interval.high < limit) return Verdict::kFail;
  return Verdict::kAmbiguous;
}

double upper_bound_of_share(uint64_t hits, uint64_t count) {
  if (hits >= count) return 1;
  double low = static_cast<double>(hits) / static_cast<double>(count);
  double high = 1;
  constexpr int kHalvings = 60;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (at_most(hits, count, middle) > kOutside ? low : high) = middle;
  }
  return high;
}

double lower_bound_of_share(uint64_t hits, uint64_t count) {
  return count == 0 ? 0 : 1 - upper_bound_of_share(count - hits, count);
}

}  // namespace xhal::bench
