// SPDX-License-Identifier: Apache-2.0
// Measures rows in worker processes, or in this one, and says what the samples of all of them say.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "bench/command/bench_run.hpp"
#include "bench/command/goals.hpp"
#include "bench/command/row_task.hpp"
#include "bench/runner/bench.hpp"
#include "run/task_process.h"

namespace xhal::bench {

// Who is measured and how: the same for all runners of a command.
struct Ground {
  BenchOptions options;  // complete
  Goals goals;
  conformance::RunSettings settings;
  std::string driver;
  uint64_t seed = 0;
  int interrupt_fd = -1;
};

// The folder of the benchmarks' own kernels.
std::string bench_kernels(const BenchOptions& options);

// Its workers live as long as it does and take row after row; another runner has other processes.
class RowRunner {
 public:
  // `first_seed` is added to the ground's, so that no two runners of a command take their turns in the same order.
  explicit RowRunner(const Ground& ground, uint64_t first_seed = 0)
      : ground_(ground), first_seed_(first_seed) {}

  void plant(double part) { planted_ = part; }
  // The row in as many processes as the options say, and in more when it is ambiguous. `seconds`: of one turn of a row, with all that belongs to it.
  RowResult measure_row(const RowInfo& info, double seconds);
  // One turn more: each restart with so many seconds of rounds. False when the row has ended otherwise than measured, or the user has interrupted.
  bool add_turn(RowResult& row, double seconds_of_rounds);

  // Of the seconds that a turn of a row may take, those in which each process makes rounds.
  [[nodiscard]] double rounds_of(double seconds) const;
  [[nodiscard]] bool interrupted() const { return interrupted_; }

 private:
  [[nodiscard]] unsigned restarts() const {
    return ground_.options.in_process ? 1 : ground_.options.restarts;
  }
  bool add_restart(RowResult& row, unsigned process, double seconds);
  RowAnswer ask(unsigned process, const RowRequest& request);
  [[nodiscard]] ComparisonResult result_of(const RowInfo& info, const Comparison& comparison) const;

  const Ground& ground_;
  const uint64_t first_seed_;
  double planted_ = 0;
  std::vector<std::unique_ptr<conformance::TaskProcess>> workers_;
  std::unique_ptr<conformance::Session> session_;
  std::unique_ptr<Bench> bench_;
  bool interrupted_ = false;
};

}  // namespace xhal::bench
