// SPDX-License-Identifier: Apache-2.0
// What a run has found, row by row.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "bench/runner/measure.hpp"
#include "bench/runner/row.hpp"
#include "bench/statistics/statistics.hpp"

namespace xhal::bench {

enum class RowState {
  kMeasured,
  kNotHere,  // the driver, the device or the machine does not have what it needs
  kFailed,   // a call failed, or a result was wrong
  kCrashed,  // or hung: the process in which it was measured is gone
  kSkipped   // the run was interrupted before
};
std::string_view name_of(RowState state);

struct ComparisonResult {
  std::string reference;
  Interval ratio;
  Better better = Better::kLess;
  double goal = std::numeric_limits<double>::quiet_NaN();
  std::string miss;  // why the goal is known to be missed; "" when it is not
  Verdict verdict = Verdict::kNoGoal;
};

struct RowResult {
  const RowInfo* info = nullptr;
  RowState state = RowState::kSkipped;
  std::string why;                // one line, unless measured
  std::vector<Samples> restarts;  // raw, by process
  Interval value;
  Percentiles times;  // of the subject's blocks, in ns a unit
  std::vector<ComparisonResult> comparisons;

  // What others used of the processors while it was measured.
  [[nodiscard]] Contention contention() const;
  // The worst of the comparisons that have a goal.
  [[nodiscard]] Verdict verdict() const;
};

// Computes what the samples say: `comparisons` keep their names, goals and sides. Where others used more than `busy` of the processors nothing passes
// or fails: whose work they delayed is chance.
void evaluate(RowResult& row, uint64_t seed, double busy);

}  // namespace xhal::bench
