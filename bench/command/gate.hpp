// SPDX-License-Identifier: Apache-2.0
// A run held against a baseline: fails for what is slower beyond doubt, and for nothing else.
#pragma once

#include <string>
#include <vector>

#include "bench/command/compare.hpp"
#include "bench/command/results.hpp"
#include "bench/command/row_runner.hpp"

namespace xhal::bench {

struct GateOptions {
  BenchOptions run;  // `output`: a file for the new report, as JSON
  std::string baseline;
  HoldOptions hold = {.tolerance_percent = 3, .drift = {}};  // `busy` is `run`'s
};

// A row of the baseline and what was measured of it now.
struct RowPair {
  const KeptRow* then = nullptr;
  RowResult* now = nullptr;
};

// What the gate says of a row that was measured both times.
struct Judgement {
  std::vector<RowChange> changes;  // by all samples there are
  bool is_slower = false;          // to any reference
};

// Rows that look slower are measured in twice as many processes again, which `fresh` has; then all samples together decide. In the order of the pairs;
// a row that is measured no more afterwards says so itself. Nothing when the user has interrupted.
std::vector<Judgement> judge_rows(const std::vector<RowPair>& pairs, const Tolerance& tolerance,
                                  RowRunner& fresh, unsigned restarts, double seconds_of_rounds);

// Prints, and gives the exit code: 1 for a row that is slower, has vanished, or is measured no more.
int run_gate(const GateOptions& options);

}  // namespace xhal::bench
