// SPDX-License-Identifier: Apache-2.0
// Measures rows in worker processes, or in this one, and says what the samples of all of them say.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "bench/command/bench_run.hpp"
#include "bench/command/row_table.hpp"
#include "bench/command/row_task.hpp"
#include "bench/runner/bench.hpp"
#include "run/task_process.h"

namespace xhal::bench {

// Who is measured and how: the same for all runners of a command.
struct Ground {
  BenchOptions options;  // complete
  RowTable goals;
  conformance::RunSettings settings;
  std::string driver;
  uint64_t seed = 0;
  int interrupt_fd = -1;
};

// The folder of the benchmarks' own kernels.
std::string bench_kernels(const BenchOptions& options);

// Each process measures row after row; another runner has other processes.
class RowRunner {
 public:
  // `first_seed` is added to the ground's, so that no two runners of a command take their turns in the same order.
  explicit RowRunner(const Ground& ground, uint64_t first_seed = 0)
      : ground_(ground), first_seed_(first_seed) {}

  void plant(double part) { planted_ = part; }

  // Every row in `count` more processes. One process measures all rows before the next begins: samples of a row lie apart in time then, and what
  // drifts within minutes shows as a difference between its processes. Rows that end otherwise than measured are left alone from then on. False when
  // the user has interrupted.
  bool add_passes(const std::vector<RowResult*>& rows, unsigned count, double seconds_of_rounds);
  // The same, step by step: a row once more in the process of the pass that is under way, and that process's end.
  void add_sample(RowResult& row, double seconds_of_rounds);
  void end_pass();

  [[nodiscard]] bool interrupted() const { return interrupted_; }

 private:
  RowAnswer ask(const RowRequest& request);
  [[nodiscard]] ComparisonResult result_of(const RowInfo& info, const Comparison& comparison) const;

  const Ground& ground_;
  const uint64_t first_seed_;
  double planted_ = 0;
  unsigned pass_ = 0;
  std::unique_ptr<conformance::TaskProcess> worker_;
  std::unique_ptr<conformance::Session> session_;
  std::unique_ptr<Bench> bench_;
  bool interrupted_ = false;
};

// What can be measured further.
[[nodiscard]] bool is_alive(const RowResult& row);

}  // namespace xhal::bench
