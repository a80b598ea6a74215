// SPDX-License-Identifier: Apache-2.0
#include "bench/command/measurement.hpp"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "bench/command/machine.hpp"
#include "report/sha256.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/identity.h"
#include "run/level.h"
#include "run/run.h"
#include "run/subject.h"

namespace xhal::bench {
namespace {

using namespace conformance;
using namespace ending;
using SteadyClock = std::chrono::steady_clock;

double seconds_since(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

std::string goals_file(const BenchOptions& options) {
  return options.goals.empty() ? options.share_directory + "/bench/goals.toml" : options.goals;
}

Goals goals_of(const BenchOptions& options) {
  try {
    return Goals(goals_file(options));
  } catch (const GoalsError& error) {
    stop(kExitUsage, error.what());
  }
}

// Google Benchmark has the rows and their order, and calls us for each and for what is to be told of it.
class Reporter : public benchmark::BenchmarkReporter {
 public:
  Reporter(Console& console, BenchReport& report) : console_(console), report_(report) {}
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override { console_.row(report_.rows.back()); }

 private:
  Console& console_;
  BenchReport& report_;
};

}  // namespace

std::vector<const RowInfo*> chosen_rows(const std::vector<std::string>& filters) {
  std::vector<const RowInfo*> out;
  std::vector<bool> used(filters.size(), false);
  for (const RowInfo& row : all_rows()) {
    bool wanted = filters.empty();
    for (size_t i = 0; i < filters.size(); ++i) {
      if (!glob_matches(filters[i], row.name()) && !glob_matches(filters[i], row.id)) continue;
      wanted = true;
      used[i] = true;
    }
    if (wanted) out.push_back(&row);
  }
  for (size_t i = 0; i < used.size(); ++i) {
    if (!used[i])
      stop(kExitNothing, fmt::format("--filter {}: matches no row; --list shows their names", filters[i]));
  }
  return out;
}

Measurement::Measurement(BenchOptions options) {
  if (options.share_directory.empty()) options.share_directory = default_share_directory();
  if (options.target.kernel_directory.empty())
    options.target.kernel_directory = options.share_directory + "/kernels";
  rows_ = chosen_rows(options.filters);
  ground_.goals = goals_of(options);
  const Probe found = probed(options.target, options.entry_deadline_s, interrupts_.fd());
  if (found.ending == Probe::Ending::kInterrupted) stop(kExitInterrupted, "interrupted");

  report_.seed = options.seed.value_or(drawn_seed());
  ground_.seed = report_.seed;
  ground_.settings = settings_of(options.target, report_.seed, found);
  ground_.driver = found.driver.value("name", "");
  ground_.interrupt_fd = interrupts_.fd();
  Options identity;
  identity.target = options.target;
  identity.share_directory = options.share_directory;
  report_.identity = new_report(identity, found, ground_.settings);
  report_.options = options;
  report_.bench_kernels_sha256 = sha256_of_file(bench_kernels(options) + "/manifest.json");
  report_.goals_sha256 = sha256_of_file(goals_file(options));
  ground_.options = std::move(options);
}

void Measurement::measure_all(Console& console) {
  report_.machine = {{"before", machine_state()}};
  console.head(report_);
  const auto begin = SteadyClock::now();
  RowRunner runner(ground_);
  runner.plant(ground_.options.planted);
  for (const RowInfo* info : rows_) {
    benchmark::RegisterBenchmark(info->name().c_str(),
                                 [&, info](benchmark::State& state) {
                                   console.begin(*info, report_.rows.size(), rows_.size());
                                   const double left = ground_.options.seconds - seconds_since(begin);
                                   const double share =
                                       left / static_cast<double>(rows_.size() - report_.rows.size());
                                   for (auto _ : state) {
                                     report_.rows.push_back(runner.measure_row(*info, share));
                                     const double value = report_.rows.back().value.median;
                                     state.SetIterationTime(value > 0 ? value * 1e-9 : 0);
                                   }
                                 })
        ->Iterations(1)
        ->UseManualTime();
  }
  Reporter reporter(console, report_);
  benchmark::RunSpecifiedBenchmarks(&reporter, ".");
  report_.interrupted = runner.interrupted();
  report_.seconds = seconds_since(begin);
  report_.machine["after"] = machine_state();
}

}  // namespace xhal::bench
