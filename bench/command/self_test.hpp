// SPDX-License-Identifier: Apache-2.0
// The gate on trial: how often it cries for nothing, and how often it notices what was made slower.
#pragma once

#include <string>

#include "bench/command/bench_run.hpp"
#include "bench/command/tolerance.hpp"

namespace xhal::bench {

inline constexpr const char* kSelfTestSchema = "xhal-bench-self-test/1";

struct SelfTestOptions {
  BenchOptions
      run;  // `planted`: of the slower one; `seconds`: no trial begins behind them; `output`: a file for the result, as JSON
  std::string shard;
  unsigned trials = 20;  // of each row
  double row_seconds = 0.1;
  HoldOptions hold = {.tolerance_percent = 3, .drift = {}};  // `busy` is `run`'s
  double wished_catches = 0.9;
};

// Prints, and gives the exit code: 1 when a row's false alarms are more than one in a hundred beyond doubt, or no row notices anything.
int run_self_test(const SelfTestOptions& options);

}  // namespace xhal::bench
