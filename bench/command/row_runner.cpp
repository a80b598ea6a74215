// SPDX-License-Identifier: Apache-2.0
#include "bench/command/row_runner.hpp"

#include <algorithm>

namespace xhal::bench {
namespace {

using conformance::Session;
using conformance::TaskProcess;

// Of a row's time the part in which rounds are made: the rest goes into what a row sets up, and into rows that are ambiguous.
constexpr double kMeasuring = 0.4;
constexpr double kLeastSeconds = 0.01;
// A row that takes longer hangs: it sets up a thousand streams at most.
constexpr double kRowPatience = 30;

}  // namespace

std::string bench_kernels(const BenchOptions& options) { return options.share_directory + "/bench/kernels"; }

double RowRunner::rounds_of(double seconds) const {
  return std::max(seconds / restarts() * kMeasuring, kLeastSeconds);
}

RowResult RowRunner::measure_row(const RowInfo& info, double seconds) {
  RowResult row;
  row.info = &info;
  for (unsigned turn = 0; turn < ground_.options.turns; ++turn) {
    if (!add_turn(row, rounds_of(seconds))) return row;
    const bool is_ambiguous = std::ranges::any_of(
        row.comparisons, [](const auto& one) { return one.verdict == Verdict::kAmbiguous; });
    if (!is_ambiguous || ground_.options.in_process) break;
  }
  return row;
}

bool RowRunner::add_turn(RowResult& row, double seconds_of_rounds) {
  const auto first = static_cast<unsigned>(row.restarts.size());
  for (unsigned i = 0; i < restarts(); ++i) {
    if (interrupted_ || !add_restart(row, first + i, seconds_of_rounds)) return false;
  }
  row.state = RowState::kMeasured;
  evaluate(row, ground_.seed);
  return true;
}

bool RowRunner::add_restart(RowResult& row, unsigned process, double seconds) {
  RowRequest request;
  request.row = row.info;
  request.plan.seconds = seconds;
  request.plan.seed = ground_.seed + first_seed_ + process;
  request.plan.planted = planted_;
  request.kernel_directory = bench_kernels(ground_.options);
  RowAnswer answer = ask(process, request);
  if (answer.interrupted) {
    interrupted_ = true;
    row.restarts.clear();
    row.state = RowState::kSkipped;
    return false;
  }
  if (answer.state != RowState::kMeasured) {
    row.state = answer.state;
    row.why = answer.why;
    return false;
  }
  if (row.comparisons.empty()) {
    for (const Comparison& comparison : answer.comparisons)
      row.comparisons.push_back(result_of(*row.info, comparison));
  }
  row.restarts.push_back(std::move(answer.samples));
  return true;
}

RowAnswer RowRunner::ask(unsigned process, const RowRequest& request) {
  if (ground_.options.in_process) {
    if (session_ == nullptr) {
      session_ = std::make_unique<Session>(ground_.options.target);
      bench_ = std::make_unique<Bench>(*session_, request.kernel_directory);
    }
    return measure_here(*bench_, request);
  }
  if (workers_.size() <= process) workers_.resize(process + 1);
  auto& worker = workers_[process];
  if (worker == nullptr)
    worker = std::make_unique<TaskProcess>(ground_.options.target, ground_.settings,
                                           kRowPatience + request.plan.seconds, ground_.interrupt_fd);
  return ask_for_row(*worker, request);
}

ComparisonResult RowRunner::result_of(const RowInfo& info, const Comparison& comparison) const {
  ComparisonResult out;
  out.reference = comparison.reference;
  out.better = comparison.better;
  if (const Goal* goal = ground_.goals.find(info.name(), comparison.reference, ground_.driver)) {
    out.goal = goal->limit;
    out.miss = goal->miss;
  }
  return out;
}

}  // namespace xhal::bench
