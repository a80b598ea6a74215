// SPDX-License-Identifier: Apache-2.0
#include "bench/command/bench_run.hpp"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "bench/command/console.hpp"
#include "bench/command/goals.hpp"
#include "bench/command/machine.hpp"
#include "bench/command/row_task.hpp"
#include "bench/runner/bench.hpp"
#include "report/output_file.h"
#include "report/print.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/identity.h"
#include "run/interrupts.h"
#include "run/level.h"
#include "run/run.h"
#include "run/subject.h"
#include "run/task_process.h"

namespace xhal::bench {
namespace {

using namespace conformance;
using namespace ending;
using SteadyClock = std::chrono::steady_clock;

// Of a row's time the part in which rounds are made: the rest goes into what a row sets up, and into rows that are ambiguous.
constexpr double kMeasuring = 0.4;
constexpr double kLeastSeconds = 0.01;
// A row that takes longer hangs: it sets up a thousand streams at most.
constexpr double kRowPatience = 30;

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

class BenchRunner {
 public:
  BenchRunner(const BenchOptions& options, const Goals& goals, const RunSettings& settings,
              std::string driver, uint64_t seed, size_t row_count, int interrupt_fd)
      : options_(options),
        goals_(goals),
        settings_(settings),
        driver_(std::move(driver)),
        seed_(seed),
        rows_left_(row_count),
        interrupt_fd_(interrupt_fd),
        end_(SteadyClock::now() + std::chrono::duration_cast<SteadyClock::duration>(
                                      std::chrono::duration<double>(options.seconds))) {}

  RowResult measure_row(const RowInfo& info) {
    RowResult row;
    row.info = &info;
    if (interrupted_) return row;
    const double left = std::chrono::duration<double>(end_ - SteadyClock::now()).count();
    const unsigned restarts = options_.in_process ? 1 : options_.restarts;
    const double share = left / static_cast<double>(std::max<size_t>(rows_left_, 1)) / restarts;
    rows_left_ -= rows_left_ > 0 ? 1 : 0;
    const double seconds = std::max(share * kMeasuring, kLeastSeconds);
    for (unsigned turn = 0; turn < options_.turns; ++turn) {
      for (unsigned i = 0; i < restarts && !interrupted_; ++i) {
        if (!add_restart(row, turn * restarts + i, seconds)) return row;
      }
      if (interrupted_) return row;
      row.state = RowState::kMeasured;
      evaluate(row, seed_);
      const bool is_ambiguous = std::ranges::any_of(
          row.comparisons, [](const auto& one) { return one.verdict == Verdict::kAmbiguous; });
      if (!is_ambiguous || options_.in_process) break;
    }
    return row;
  }

  [[nodiscard]] bool interrupted() const { return interrupted_; }

 private:
  // False when the row has ended otherwise than measured.
  bool add_restart(RowResult& row, unsigned process, double seconds) {
    RowRequest request;
    request.row = row.info;
    request.plan.seconds = seconds;
    request.plan.seed = seed_ + process;
    request.plan.planted = options_.planted;
    request.kernel_directory = options_.share_directory + "/bench/kernels";
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

  RowAnswer ask(unsigned process, const RowRequest& request) {
    if (options_.in_process) {
      if (session_ == nullptr) {
        session_ = std::make_unique<Session>(options_.target);
        bench_ = std::make_unique<Bench>(*session_, request.kernel_directory);
      }
      return measure_here(*bench_, request);
    }
    if (workers_.size() <= process) workers_.resize(process + 1);
    auto& worker = workers_[process];
    if (worker == nullptr)
      worker = std::make_unique<TaskProcess>(options_.target, settings_, kRowPatience + request.plan.seconds,
                                             interrupt_fd_);
    return ask_for_row(*worker, request);
  }

  [[nodiscard]] ComparisonResult result_of(const RowInfo& info, const Comparison& comparison) const {
    ComparisonResult out;
    out.reference = comparison.reference;
    out.better = comparison.better;
    if (const Goal* goal = goals_.find(info.name(), comparison.reference, driver_)) {
      out.goal = goal->limit;
      out.miss = goal->miss;
    }
    return out;
  }

  const BenchOptions& options_;
  const Goals& goals_;
  const RunSettings settings_;
  const std::string driver_;
  const uint64_t seed_;
  size_t rows_left_;
  const int interrupt_fd_;
  const SteadyClock::time_point end_;
  std::vector<std::unique_ptr<TaskProcess>> workers_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Bench> bench_;
  bool interrupted_ = false;
};

Goals goals_of(const BenchOptions& options) {
  try {
    return Goals(options.goals.empty() ? options.share_directory + "/bench/goals.toml" : options.goals);
  } catch (const GoalsError& error) {
    stop(kExitUsage, error.what());
  }
}

int exit_code_of(const BenchReport& report) {
  if (report.interrupted) return kExitInterrupted;
  const bool is_bad =
      report.count(Verdict::kFail) + report.count(RowState::kFailed) + report.count(RowState::kCrashed) > 0;
  if (is_bad) return kExitMisbehaved;
  return report.count(RowState::kMeasured) == 0 ? kExitNothing : kExitOk;
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

void measure_all(const std::vector<const RowInfo*>& rows, BenchRunner& runner, Console& console,
                 BenchReport& report) {
  for (const RowInfo* info : rows) {
    benchmark::RegisterBenchmark(info->name().c_str(),
                                 [&, info](benchmark::State& state) {
                                   console.begin(*info, report.rows.size(), rows.size());
                                   for (auto _ : state) {
                                     report.rows.push_back(runner.measure_row(*info));
                                     const double value = report.rows.back().value.median;
                                     state.SetIterationTime(value > 0 ? value * 1e-9 : 0);
                                   }
                                 })
        ->Iterations(1)
        ->UseManualTime();
  }
  Reporter reporter(console, report);
  benchmark::RunSpecifiedBenchmarks(&reporter, ".");
}

int run(BenchOptions options) {
  if (options.share_directory.empty()) options.share_directory = default_share_directory();
  if (options.target.kernel_directory.empty())
    options.target.kernel_directory = options.share_directory + "/kernels";
  const auto rows = chosen_rows(options.filters);
  const Goals goals = goals_of(options);
  std::optional<OutputFile> file;
  try {
    if (!options.output.empty()) file.emplace(options.output);
  } catch (const OutputError& error) {
    stop(kExitUsage, error.what());
  }
  Interrupts interrupts;
  const Probe found = probed(options.target, options.entry_deadline_s, interrupts.fd());
  if (found.ending == Probe::Ending::kInterrupted) return kExitInterrupted;

  BenchReport report;
  report.seed = options.seed.value_or(drawn_seed());
  const RunSettings settings = settings_of(options.target, report.seed, found);
  Options identity;
  identity.target = options.target;
  identity.share_directory = options.share_directory;
  report.identity = new_report(identity, found, settings);
  report.options = options;
  report.machine = {{"before", machine_state()}};
  const bool text_to_stdout = options.format == "console" && options.output.empty();
  Console console(text_to_stdout || !options.output.empty() ? stdout : stderr, options);
  console.head(report);
  const auto begin = SteadyClock::now();
  {
    BenchRunner runner(options, goals, settings, found.driver.value("name", ""), report.seed, rows.size(),
                       interrupts.fd());
    measure_all(rows, runner, console, report);
    report.interrupted = runner.interrupted();
  }
  report.seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
  report.machine["after"] = machine_state();
  console.summary(report);
  if (options.format != "console") {
    const std::string text = options.format == "json" ? json_of(report).dump(1) + "\n" : csv_text(report);
    if (file) {
      file->commit(text);
    } else {
      print(stdout, "{}", text);
    }
  }
  return exit_code_of(report);
}

}  // namespace

size_t BenchReport::count(Verdict verdict) const {
  return static_cast<size_t>(std::ranges::count_if(rows, [&](const RowResult& row) {
    return row.state == RowState::kMeasured && row.verdict() == verdict;
  }));
}

size_t BenchReport::count(RowState state) const {
  return static_cast<size_t>(
      std::ranges::count_if(rows, [&](const RowResult& row) { return row.state == state; }));
}

int run_bench(BenchOptions options) {
  return ended([&] {
    try {
      return run(std::move(options));
    } catch (const OutputError& error) {
      stop(kExitInternal, error.what());
    }
  });
}

int list_rows(const BenchOptions& options) {
  return ended([&] {
    for (const RowInfo* row : chosen_rows(options.filters)) print(stdout, "{}\n", row->name());
    return int{kExitOk};
  });
}

int describe_rows(const std::string& pattern) {
  return ended([&] {
    for (const RowInfo* row : chosen_rows({pattern})) {
      print(stdout, "{}\n  measures  {}\n  value     {}\n  ratio     {}\n", row->name(), row->measures,
            row->unit.empty() ? "a number" : row->unit, row->formula);
    }
    return int{kExitOk};
  });
}

}  // namespace xhal::bench
