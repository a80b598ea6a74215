// SPDX-License-Identifier: Apache-2.0
// What samples of a noisy machine allow to be said: medians, intervals, verdicts. Never a mean, and never the least alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace xhal::bench {

// The q-th quantile, between the two nearest values; NaN of nothing. Values that are NaN did not count when they were measured and do not count here.
[[nodiscard]] double quantile(std::vector<double> values, double q);
[[nodiscard]] inline double median(std::vector<double> values) { return quantile(std::move(values), 0.5); }

struct Percentiles {
  double p5 = 0, p25 = 0, p50 = 0, p75 = 0, p99 = 0;
};
[[nodiscard]] Percentiles percentiles(std::vector<double> values);

// The samples of one process. A process has a layout and a place on the machine of its own, which all of its samples share.
using Restart = std::vector<double>;

struct Interval {
  double median = 0;
  double low = 0;
  double high = 0;
  size_t samples = 0;  // that it is made of
};

inline constexpr int kResamples = 1000;

// The median of all samples and the 95 % interval of it: a bootstrap that draws restarts first and samples of each then, so that what differs from
// process to process widens the interval however many samples there are. The same seed gives the same interval.
[[nodiscard]] Interval interval_of_median(std::span<const Restart> restarts, uint64_t seed,
                                          int resamples = kResamples);
// The same for the quotient of two medians, of runs that were made apart.
[[nodiscard]] Interval interval_of_quotient(std::span<const Restart> above, std::span<const Restart> below,
                                            uint64_t seed, int resamples = kResamples);

// The 99 % interval of the same quotient by the processes alone, each with its median only: what differs from process to process is all that counts,
// and of few processes little is known. Without two of each there is no interval: from 0 to infinity.
[[nodiscard]] Interval interval_over_processes(std::span<const Restart> above,
                                               std::span<const Restart> below);

enum class Better { kLess, kMore };

enum class Verdict { kPass, kFail, kAmbiguous, kNoGoal };
std::string_view name_of(Verdict verdict);

// Samples of all restarts below which an interval is not trusted.
inline constexpr size_t kLeastSamples = 15;

// Whether a figure keeps to its limit: PASS and FAIL only when there are samples enough and the whole interval lies on one side.
[[nodiscard]] Verdict judge(const Interval& interval, Better better, double limit);

// Of `count` trials `hits` were hits: the 95 % bounds, one-sided, of their share (Clopper and Pearson). A count of nothing proves nothing: 0 and 1.
[[nodiscard]] double upper_bound_of_share(uint64_t hits, uint64_t count);
[[nodiscard]] double lower_bound_of_share(uint64_t hits, uint64_t count);

}  // namespace xhal::bench
