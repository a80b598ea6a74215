// SPDX-License-Identifier: Apache-2.0
// Two runs beside each other: what got slower, and what nobody can tell.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/command/report_reader.hpp"
#include "bench/command/tolerance.hpp"

namespace xhal::bench {

enum class Change { kSame, kFaster, kSlower, kAmbiguous };
std::string_view name_of(Change change);

// The ratios of one row to one reference, of a run and of an earlier one.
struct RowChange {
  std::string row;
  std::string reference;
  Better better = Better::kLess;
  Interval quotient;    // of the medians: now / then
  double bound = 1;     // of the tolerance, drift included
  bool drifts = false;  // by more than was asked for
  Change change = Change::kAmbiguous;
};

// SAME when the whole interval lies within the tolerance; FASTER and SLOWER when it lies outside on one side, and the interval over processes does too.
// Bounds are a factor and its inverse, so that two reports that change places change nothing but the word.
RowChange change_of(const std::string& row, const KeptComparison& then, const KeptComparison& now,
                    const Tolerance& tolerance);
// Of all references that both have.
std::vector<RowChange> changes_of(const KeptRow& then, const KeptRow& now, const Tolerance& tolerance);

// "launch.submit/args=3  ring  1.02 [1.01, 1.04]  SAME"
std::string line_of(const RowChange& change);

struct CompareOptions {
  std::string before;
  std::string after;
  HoldOptions hold = {.tolerance_percent = 5, .drift = {}};
};

// Prints, and gives the exit code: 1 when something is slower.
int compare_runs(const CompareOptions& options);

}  // namespace xhal::bench
