// SPDX-License-Identifier: Apache-2.0
// Measuring a row in a worker process, and asking for it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "bench/command/results.hpp"
#include "run/task_process.h"

namespace xhal::bench {

// To be called before run_as_worker().
void add_row_task();

// What a worker needs beside the plan.
struct RowRequest {
  const RowInfo* row = nullptr;
  Plan plan;
  std::string kernel_directory;  // of the benchmarks' own pack
};

// One process's part of a row. `end` is kDone when the worker lives on; the state tells the rest.
struct RowAnswer {
  RowState state = RowState::kCrashed;
  std::string why;
  Samples samples;
  std::vector<Comparison> comparisons;  // names and directions
  bool interrupted = false;
};
RowAnswer ask_for_row(conformance::TaskProcess& worker, const RowRequest& request);
// The same in this process, for a debugger or a profiler.
RowAnswer measure_here(Bench& bench, const RowRequest& request);

}  // namespace xhal::bench
