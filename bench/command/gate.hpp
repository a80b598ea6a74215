// SPDX-License-Identifier: Apache-2.0
// A run held against a baseline: fails for what is slower beyond doubt, and for nothing else.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/command/compare.hpp"
#include "bench/command/results.hpp"
#include "bench/command/row_runner.hpp"

namespace xhal::bench {

struct GateOptions {
  BenchOptions run;  // `output`: a file for the new report, as JSON
  std::string baseline;
  double tolerance_percent = 3;
};

// What the gate says of a row that was measured both times.
struct Judgement {
  std::vector<RowChange> changes;  // by all samples there are
  bool is_slower = false;          // to any reference
};

// A row that looks slower is measured again, by `again`, which adds to it and says whether that went well; then all samples together decide.
Judgement judge_row(const KeptRow& then, RowResult& now, double tolerance,
                    const std::function<bool(RowResult&)>& again);
// Two turns of a row more, each by processes that have not measured it.
bool measure_again(RowResult& row, RowRunner& fresh, double seconds_of_rounds);

// Prints, and gives the exit code: 1 for a row that is slower, has vanished, or is measured no more.
int run_gate(const GateOptions& options);

}  // namespace xhal::bench
