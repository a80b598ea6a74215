// SPDX-License-Identifier: Apache-2.0
#include "bench/command/gate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "bench/command/console.hpp"
#include "bench/command/measurement.hpp"
#include "report/print.h"
#include "report/report.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/level.h"

namespace xhal::bench {
namespace {

using namespace conformance;
using namespace ending;

// Away from the seeds of a run's own processes.
constexpr uint64_t kSeedOfAgain = 1000;
constexpr unsigned kTurnsOfAgain = 2;
constexpr double kLeastSeconds = 0.02;

bool any_slower(const std::vector<RowChange>& changes) {
  return std::ranges::any_of(changes, [](const RowChange& one) { return one.change == Change::kSlower; });
}

// Worth another look: the middle of the interval lies on the worse side, however wide it is.
bool looks_slower(const RowChange& one) {
  const double worse = one.better == Better::kLess ? one.quotient.median : 1 / one.quotient.median;
  return one.change == Change::kSlower || (one.change == Change::kAmbiguous && worse > one.bound);
}

class Gate {
 public:
  Gate(const GateOptions& options, const KeptReport& baseline, Measurement& measurement)
      : options_(options), baseline_(baseline), measurement_(measurement) {}

  // False when the user interrupts.
  bool judge_all() {
    auto& rows = measurement_.report().rows;
    std::vector<RowPair> pairs;
    for (const KeptRow& then : baseline_.rows) {
      if (!then.measured() || !wanted(then.name)) continue;
      const auto now =
          std::ranges::find_if(rows, [&](const auto& one) { return one.info->name() == then.name; });
      if (now == rows.end()) {
        lost(then.name, "this program does not have the row any more");
      } else {
        pairs.push_back({&then, &*now});
      }
    }
    const BenchOptions& run = options_.run;
    RowRunner fresh(measurement_.ground(), kSeedOfAgain);
    fresh.plant(run.planted);
    const Tolerance tolerance(options_.hold, run.share_directory, measurement_.ground().driver);
    const double rows_and_processes = static_cast<double>(measurement_.rows().size()) * run.restarts;
    const std::vector<Judgement> judgements = judge_rows(
        pairs, tolerance, fresh, run.restarts, std::max(run.seconds / rows_and_processes / 2, kLeastSeconds));
    for (size_t i = 0; i < judgements.size(); ++i) tell_of(pairs[i], judgements[i]);
    return !fresh.interrupted();
  }

  // The exit code.
  int tell() const {
    print(stdout, "\ngate: {} of {} rows that the baseline measured: {} slower, {} lost, {} ambiguous\n",
          judged_, judged_ + lost_, slower_, lost_, ambiguous_);
    if (judged_ + lost_ == 0) stop(kExitNothing, "the baseline measured none of the rows");
    print(stdout, "{}\n", slower_ + lost_ == 0 ? "gate: nothing got slower" : "gate: FAIL");
    return slower_ + lost_ == 0 ? kExitOk : kExitMisbehaved;
  }

 private:
  [[nodiscard]] bool wanted(const std::string& name) const {
    const std::string id = name.substr(0, name.find('/'));
    const auto& filters = options_.run.filters;
    return filters.empty() || std::ranges::any_of(filters, [&](const std::string& one) {
             return glob_matches(one, name) || glob_matches(one, id);
           });
  }

  void lost(const std::string& name, const std::string& why) {
    ++lost_;
    print(stdout, "LOST  {}: {}\n", one_line(name), one_line(why));
  }

  void tell_of(const RowPair& pair, const Judgement& judgement) {
    const RowResult& now = *pair.now;
    if (now.state != RowState::kMeasured)
      return lost(pair.then->name, fmt::format("{}: {}", name_of(now.state), now.why));
    if (judgement.changes.empty() && !pair.then->comparisons.empty())
      return lost(pair.then->name, "it has none of the baseline's references");
    ++judged_;
    slower_ += judgement.is_slower ? 1 : 0;
    bool is_ambiguous = false;
    for (const RowChange& change : judgement.changes) {
      is_ambiguous |= change.change == Change::kAmbiguous;
      if (change.change != Change::kSame) print(stdout, "{}\n", line_of(change));
    }
    ambiguous_ += is_ambiguous && !judgement.is_slower ? 1 : 0;
  }

  const GateOptions& options_;
  const KeptReport& baseline_;
  Measurement& measurement_;
  size_t judged_ = 0;
  size_t slower_ = 0;
  size_t lost_ = 0;
  size_t ambiguous_ = 0;
};

int gate_checked(const GateOptions& options) {
  const KeptReport baseline = kept_report(options.baseline);
  std::optional<OutputFile> file = output_file(options.run.output);
  Measurement measurement(options.run);
  if (const std::string why = other_subject(baseline, kept_report(measurement.report())); !why.empty())
    stop(kExitUsage, fmt::format("baseline {}: {}", options.baseline, why));
  for (const std::string& line : other_circumstances(baseline, kept_report(measurement.report())))
    print(stdout, "baseline and this run: {}\n", one_line(line));
  Console console(stdout, options.run);
  measurement.measure_all(console);
  console.summary(measurement.report());
  if (measurement.report().interrupted) return kExitInterrupted;
  print(stdout, "\nnow / baseline, 95 % interval, without what is the same within {} %\n",
        options.hold.tolerance_percent);
  Gate gate(options, baseline, measurement);
  const bool is_whole = gate.judge_all();
  if (file) file->commit(json_text(measurement.report()));
  return is_whole ? gate.tell() : int{kExitInterrupted};
}

}  // namespace

std::vector<Judgement> judge_rows(const std::vector<RowPair>& pairs, const Tolerance& tolerance,
                                  RowRunner& fresh, unsigned restarts, double seconds_of_rounds) {
  std::vector<Judgement> out(pairs.size());
  const auto look = [&](size_t i) {
    if (pairs[i].now->state == RowState::kMeasured)
      out[i].changes = changes_of(*pairs[i].then, kept_row(*pairs[i].now), tolerance);
  };
  std::vector<size_t> suspects;
  std::vector<RowResult*> rows;
  for (size_t i = 0; i < pairs.size(); ++i) {
    look(i);
    if (!std::ranges::any_of(out[i].changes, looks_slower)) continue;
    suspects.push_back(i);
    rows.push_back(pairs[i].now);
  }
  if (!fresh.add_passes(rows, kTurnsOfAgain * restarts, seconds_of_rounds)) return {};
  for (const size_t i : suspects) {
    look(i);
    out[i].is_slower = pairs[i].now->state == RowState::kMeasured && any_slower(out[i].changes);
  }
  return out;
}

int run_gate(const GateOptions& options) {
  return ended_with_output([&] { return gate_checked(options); });
}

}  // namespace xhal::bench
