// SPDX-License-Identifier: Apache-2.0
#include "bench/command/measurement.hpp"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>

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

RowTable goals_of(const BenchOptions& options) {
  try {
    return {goals_file(options), kGoals};
  } catch (const RowTableError& error) {
    stop(kExitUsage, error.what());
  }
}

// What sets rows up takes time as well.
constexpr double kMeasuring = 0.5;
constexpr double kLeastSeconds = 0.01;
// Of the time that is left, what the rows get that every run measures; the rest is for those that stay ambiguous.
constexpr double kFirstPart = 0.65;

bool is_ambiguous(const RowResult& row) {
  return std::ranges::any_of(row.comparisons,
                             [](const auto& one) { return one.verdict == Verdict::kAmbiguous; });
}

// All rows in so many processes, and those that stay ambiguous in as many again, a few times. Google Benchmark has the rows and their order, and calls
// us for each of a pass; it tells nothing itself, since no pass is the whole of a row.
class Passes : public benchmark::BenchmarkReporter {
 public:
  Passes(const Ground& ground, Console& console, std::vector<RowResult>& rows)
      : ground_(ground), console_(console), rows_(rows), runner_(ground) {
    runner_.plant(ground.options.planted);
    for (RowResult& row : rows_) {
      benchmark::RegisterBenchmark(row.info->name().c_str(),
                                   [this, &row](benchmark::State& state) { sample(row, state); })
          ->Iterations(1)
          ->UseManualTime();
    }
  }
  ~Passes() override { benchmark::ClearRegisteredBenchmarks(); }
  Passes(const Passes&) = delete;
  Passes& operator=(const Passes&) = delete;

  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {}

  // False when the user interrupts.
  bool run() {
    const unsigned turns = ground_.options.in_process ? 1 : ground_.options.turns;
    for (unsigned turn = 0; turn < turns && !runner_.interrupted(); ++turn) {
      wanted_ = [turn](const RowResult& row) { return is_alive(row) && (turn == 0 || is_ambiguous(row)); };
      const bool is_last = turn + 1 == turns;
      take_turn(seconds_left() * (is_last ? 1 : kFirstPart));
    }
    return !runner_.interrupted();
  }
  [[nodiscard]] double seconds() const { return seconds_since(begin_); }

 private:
  [[nodiscard]] double seconds_left() const { return ground_.options.seconds - seconds(); }

  void take_turn(double seconds) {
    const unsigned passes = ground_.options.in_process ? 1 : ground_.options.restarts;
    const auto rows = static_cast<size_t>(std::ranges::count_if(rows_, wanted_));
    samples_left_ = rows * passes;
    turn_ends_ = this->seconds() + seconds;
    for (unsigned pass = 0; pass < passes && rows > 0 && !runner_.interrupted(); ++pass) {
      benchmark::RunSpecifiedBenchmarks(this, ".");
      runner_.end_pass();
    }
    for (RowResult& row : rows_) evaluate(row, ground_.seed, ground_.options.busy);
  }

  void sample(RowResult& row, benchmark::State& state) {
    if (runner_.interrupted() || !wanted_(row)) return state.SkipWithError("not in this pass");
    console_.progress(*row.info, seconds_left());
    const double share = (turn_ends_ - seconds()) / static_cast<double>(std::max<size_t>(samples_left_, 1));
    for (auto _ : state) {
      runner_.add_sample(row, std::max(share * kMeasuring, kLeastSeconds));
      state.SetIterationTime(share);
    }
    if (samples_left_ > 0) --samples_left_;
  }

  const Ground& ground_;
  Console& console_;
  std::vector<RowResult>& rows_;
  RowRunner runner_;
  std::function<bool(const RowResult&)> wanted_;
  SteadyClock::time_point begin_ = SteadyClock::now();
  double turn_ends_ = 0;
  size_t samples_left_ = 0;
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
  use_kernel_compiler(options.kernel_compiler, options.target, options.share_directory + "/kernels",
                      options.entry_deadline_s, interrupts_.fd());
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
  report_.rows.resize(rows_.size());
  for (size_t i = 0; i < rows_.size(); ++i) report_.rows[i].info = rows_[i];
  {
    Passes passes(ground_, console, report_.rows);
    report_.interrupted = !passes.run();
    report_.seconds = passes.seconds();
  }
  report_.machine["after"] = machine_state();
  for (const RowResult& row : report_.rows) console.row(row);
}

}  // namespace xhal::bench
