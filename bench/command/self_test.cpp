// SPDX-License-Identifier: Apache-2.0
#include "bench/command/self_test.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "bench/command/gate.hpp"
#include "bench/command/measurement.hpp"
#include "report/print.h"
#include "report/report.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/shard.h"

namespace xhal::bench {
namespace {

using namespace conformance;
using namespace ending;
using nlohmann::json;
using SteadyClock = std::chrono::steady_clock;

constexpr int kNameWidth = 44;
// More false alarms than this are too many.
constexpr double kBearable = 0.01;
// Of one trial: five runners with seeds of their own, and restarts in each.
constexpr uint64_t kSeedsOfRunner = 1000;

struct Tally {
  const RowInfo* info = nullptr;
  RowState state = RowState::kSkipped;
  std::string why;  // it is tried no more
  uint64_t trials = 0;
  uint64_t false_alarms = 0;
  uint64_t catches = 0;

  [[nodiscard]] bool is_over() const { return state != RowState::kSkipped && state != RowState::kMeasured; }
  [[nodiscard]] bool has_too_many_alarms() const {
    return trials > 0 && lower_bound_of_share(false_alarms, trials) > kBearable;
  }
  [[nodiscard]] bool gates(double wish) const {
    return trials > 0 && static_cast<double>(catches) >= wish * static_cast<double>(trials);
  }
};

// One trial's runners: each has processes of its own, which all rows of the trial share.
struct Trial {
  Trial(const Ground& ground, unsigned number, double planted)
      : before(ground, seed(number, 0)),
        unchanged(ground, seed(number, 1)),
        unchanged_again(ground, seed(number, 2)),
        slower(ground, seed(number, 3)),
        slower_again(ground, seed(number, 4)) {
    slower.plant(planted);
    slower_again.plant(planted);
  }
  static uint64_t seed(unsigned number, unsigned runner) {
    return (uint64_t{number} * 5 + runner) * kSeedsOfRunner;
  }

  [[nodiscard]] bool interrupted() const {
    return before.interrupted() || unchanged.interrupted() || unchanged_again.interrupted() ||
           slower.interrupted() || slower_again.interrupted();
  }

  RowRunner before, unchanged, unchanged_again, slower, slower_again;
};

class SelfTest {
 public:
  SelfTest(const SelfTestOptions& options, Measurement& measurement)
      : options_(options),
        measurement_(measurement),
        tolerance_(options.hold, options.run.share_directory, measurement.ground().driver),
        shard_(chosen_shard(options.shard)) {
    for (const RowInfo* info : measurement.rows()) {
      if (shard_ && shard_of(info->name(), shard_->count) != shard_->index) continue;
      tallies_.emplace_back().info = info;
    }
    if (tallies_.empty()) stop(kExitNothing, "no row is in this shard");
  }

  void try_all() {
    const auto end = SteadyClock::now() + std::chrono::duration_cast<SteadyClock::duration>(
                                              std::chrono::duration<double>(options_.run.seconds));
    for (unsigned number = 0; number < options_.trials && !interrupted_; ++number) {
      Trial trial(measurement_.ground(), number, options_.run.planted);
      if (number > 0 && SteadyClock::now() >= end) break;
      try_rows(trial, number % 2 == 1);
      interrupted_ = trial.interrupted();
      if (options_.run.terminal) print(stderr, "\r\x1b[K{} of {} trials", number + 1, options_.trials);
    }
    if (options_.run.terminal) print(stderr, "\r\x1b[K");
  }

  // The exit code.
  int tell() const;
  [[nodiscard]] json to_json() const;

 private:
  // What one arm of a trial measures of the rows that are still tried.
  std::vector<RowResult> measured(RowRunner& runner) const {
    std::vector<RowResult> out;
    std::vector<RowResult*> rows;
    for (const Tally& tally : tallies_) out.emplace_back().info = tally.info;
    for (size_t i = 0; i < out.size(); ++i) {
      if (!tallies_[i].is_over()) rows.push_back(&out[i]);
    }
    runner.add_passes(rows, options_.run.restarts, options_.row_seconds);
    return out;
  }

  // Whether each row is told to be slower than before.
  std::vector<Judgement> judged(const std::vector<KeptRow>& before, std::vector<RowResult>& now,
                                RowRunner& again) const {
    std::vector<RowPair> pairs;
    for (size_t i = 0; i < now.size(); ++i) pairs.push_back({&before[i], &now[i]});
    return judge_rows(pairs, tolerance_, again, options_.run.restarts, options_.row_seconds);
  }

  // What is planted is measured first in every other trial, so that what drifts meets both alike.
  void try_rows(Trial& trial, bool slower_first) {
    std::vector<KeptRow> before;
    const std::vector<RowResult> first = measured(trial.before);
    for (const RowResult& row : first) before.push_back(kept_row(row));
    std::vector<RowResult> unchanged;
    std::vector<RowResult> slower;
    for (const bool is_slower : {slower_first, !slower_first})
      (is_slower ? slower : unchanged) = measured(is_slower ? trial.slower : trial.unchanged);
    if (trial.interrupted()) return;
    const std::vector<Judgement> alarms = judged(before, unchanged, trial.unchanged_again);
    const std::vector<Judgement> catches = judged(before, slower, trial.slower_again);
    if (trial.interrupted()) return;
    for (size_t i = 0; i < tallies_.size(); ++i) {
      Tally& tally = tallies_[i];
      if (tally.is_over()) continue;
      for (const RowResult* row : {&first[i], &std::as_const(unchanged[i]), &std::as_const(slower[i])}) {
        if (tally.is_over()) break;
        tally.state = row->state;
        tally.why = row->why;
      }
      if (tally.is_over()) continue;
      ++tally.trials;
      tally.false_alarms += alarms[i].is_slower ? 1 : 0;
      tally.catches += catches[i].is_slower ? 1 : 0;
    }
  }

  const SelfTestOptions& options_;
  Measurement& measurement_;
  Tolerance tolerance_;
  std::optional<Shard> shard_;
  std::vector<Tally> tallies_;
  bool interrupted_ = false;
};

int SelfTest::tell() const {
  print(stdout, "{:<{}}  {:>6}  {:>22}  {:>22}\n", "row", kNameWidth, "trials", "false alarms, at most",
        "catches, at least");
  Tally all;
  size_t bad = 0;
  size_t gating = 0;
  std::string idle;
  for (const Tally& tally : tallies_) {
    const std::string name = tally.info->name();
    if (tally.is_over()) {
      bad += tally.state == RowState::kNotHere ? 0 : 1;
      print(stdout, "{:<{}}  {}: {}\n", name, kNameWidth, name_of(tally.state), tally.why);
      continue;
    }
    if (tally.trials == 0) continue;
    all.trials += tally.trials;
    all.false_alarms += tally.false_alarms;
    all.catches += tally.catches;
    bad += tally.has_too_many_alarms() ? 1 : 0;
    const bool gates = tally.gates(options_.wished_catches);
    gating += gates ? 1 : 0;
    if (!gates) idle += fmt::format("not gating: {}: {} of {} caught\n", name, tally.catches, tally.trials);
    print(stdout, "{:<{}}  {:>6}  {:>12} {:>7.1f} %  {:>12} {:>7.1f} %{}\n", name, kNameWidth, tally.trials,
          tally.false_alarms, 100 * upper_bound_of_share(tally.false_alarms, tally.trials), tally.catches,
          100 * lower_bound_of_share(tally.catches, tally.trials),
          tally.has_too_many_alarms() ? "  TOO MANY ALARMS" : "");
  }
  print(stdout, "\n{}", idle);
  print(stdout,
        "{} trials: {} false alarms (at most {:.2f} %), {} catches of {:.0f} % more (at least {:.1f} %); {} "
        "of {} rows "
        "gate\n",
        all.trials, all.false_alarms, 100 * upper_bound_of_share(all.false_alarms, all.trials), all.catches,
        100 * options_.run.planted, 100 * lower_bound_of_share(all.catches, all.trials), gating,
        tallies_.size());
  if (interrupted_) return kExitInterrupted;
  if (bad > 0) return kExitMisbehaved;
  if (all.trials == 0) return kExitNothing;
  return gating > 0 ? kExitOk : kExitMisbehaved;
}

json SelfTest::to_json() const {
  json rows = json::array();
  for (const Tally& tally : tallies_) {
    rows.push_back({{"name", tally.info->name()},
                    {"state", name_of(tally.state)},
                    {"why", tally.why},
                    {"trials", tally.trials},
                    {"false_alarms", tally.false_alarms},
                    {"false_alarms_at_most", upper_bound_of_share(tally.false_alarms, tally.trials)},
                    {"catches", tally.catches},
                    {"catches_at_least", lower_bound_of_share(tally.catches, tally.trials)},
                    {"gating", tally.gates(options_.wished_catches)}});
  }
  json out = identity_block(measurement_.report().identity);
  out.update({{"schema", kSelfTestSchema},
              {"seed", measurement_.report().seed},
              {"options",
               {{"trials", options_.trials},
                {"restarts", options_.run.restarts},
                {"row_seconds", options_.row_seconds},
                {"planted", options_.run.planted},
                {"tolerance_percent", options_.hold.tolerance_percent},
                {"wished_catches", options_.wished_catches}}},
              {"shard", shard_ ? json{{"index", shard_->index}, {"count", shard_->count}} : json()},
              {"interrupted", interrupted_},
              {"rows", rows}});
  return out;
}

int self_test_checked(const SelfTestOptions& options) {
  std::optional<OutputFile> file = output_file(options.run.output);
  Measurement measurement(options.run);
  SelfTest test(options, measurement);
  test.try_all();
  const int code = test.tell();
  if (file) file->commit(test.to_json().dump(1) + "\n");
  return code;
}

}  // namespace

int run_self_test(const SelfTestOptions& options) {
  return ended_with_output([&] { return self_test_checked(options); });
}

}  // namespace xhal::bench
