// SPDX-License-Identifier: Apache-2.0
#include "bench/command/row_runner.hpp"

#include <algorithm>

namespace xhal::bench {
namespace {

using conformance::Session;
using conformance::TaskProcess;

// A row that takes longer hangs: it sets up a thousand streams at most.
constexpr double kRowPatience = 30;

}  // namespace

std::string bench_kernels(const BenchOptions& options) { return options.share_directory + "/bench/kernels"; }

bool is_alive(const RowResult& row) {
  return row.state == RowState::kMeasured || row.state == RowState::kSkipped;
}

bool RowRunner::add_passes(const std::vector<RowResult*>& rows, unsigned count, double seconds_of_rounds) {
  for (unsigned i = 0; i < count && !interrupted_; ++i) {
    for (RowResult* row : rows) {
      if (is_alive(*row) && !interrupted_) add_sample(*row, seconds_of_rounds);
    }
    end_pass();
  }
  for (RowResult* row : rows) evaluate(*row, ground_.seed, ground_.options.busy);
  return !interrupted_;
}

void RowRunner::add_sample(RowResult& row, double seconds_of_rounds) {
  RowRequest request;
  request.row = row.info;
  request.plan.seconds = seconds_of_rounds;
  request.plan.seed = ground_.seed + first_seed_ + pass_;
  request.plan.planted = planted_;
  request.kernel_directory = bench_kernels(ground_.options);
  RowAnswer answer = ask(request);
  interrupted_ |= answer.interrupted;
  if (answer.interrupted) return;
  row.state = answer.state;
  row.why = answer.why;
  if (answer.state != RowState::kMeasured) return;
  if (row.comparisons.empty()) {
    for (const Comparison& comparison : answer.comparisons)
      row.comparisons.push_back(result_of(*row.info, comparison));
  }
  row.restarts.push_back(std::move(answer.samples));
}

void RowRunner::end_pass() {
  worker_.reset();
  ++pass_;
}

RowAnswer RowRunner::ask(const RowRequest& request) {
  if (ground_.options.in_process) {
    if (session_ == nullptr) {
      session_ = std::make_unique<Session>(ground_.options.target);
      bench_ = std::make_unique<Bench>(*session_, request.kernel_directory);
    }
    return measure_here(*bench_, request);
  }
  if (worker_ == nullptr)
    worker_ = std::make_unique<TaskProcess>(ground_.options.target, ground_.settings,
                                            kRowPatience + request.plan.seconds, ground_.interrupt_fd);
  return ask_for_row(*worker_, request);
}

ComparisonResult RowRunner::result_of(const RowInfo& info, const Comparison& comparison) const {
  ComparisonResult out;
  out.reference = comparison.reference;
  out.better = comparison.better;
  if (const RowEntry* goal = ground_.goals.find(info.name(), comparison.reference, ground_.driver)) {
    out.goal = goal->number;
    out.miss = goal->reason;
  }
  return out;
}

}  // namespace xhal::bench
