// SPDX-License-Identifier: Apache-2.0
#include "bench/command/console.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/command/bench_run.hpp"
#include "report/print.h"

namespace xhal::bench {
namespace {

using conformance::print;

constexpr int kNameWidth = 44;

std::string ratio_text(const ComparisonResult& comparison) {
  if (std::isnan(comparison.ratio.median)) return "not counted";
  std::string out = fmt::format("{:.3g} [{:.3g}, {:.3g}]", comparison.ratio.median, comparison.ratio.low,
                                comparison.ratio.high);
  if (!std::isnan(comparison.goal))
    out += fmt::format(" {} {:.3g}", comparison.better == Better::kLess ? "<=" : ">=", comparison.goal);
  return out;
}

}  // namespace

std::string value_text(double value, std::string_view unit) {
  if (std::isnan(value)) return "-";
  if (unit != "ns") return fmt::format("{:.4g}{}{}", value, unit.empty() ? "" : " ", unit);
  constexpr double kStep = 1000;
  const char* const units[] = {"ns", "us", "ms", "s"};
  size_t i = 0;
  for (; std::abs(value) >= kStep && i < 3; ++i) value /= kStep;
  return fmt::format("{:.3g} {}", value, units[i]);
}

Console::Console(std::FILE* out, const BenchOptions& options)
    : out_(out), color_(options.color), terminal_(options.terminal) {}

void Console::head(const BenchReport& report) {
  const auto& driver = report.identity.driver;
  print(out_, "driver {} {}, device {}; seed {}\n", driver.value("name", "?"), driver.value("version", "?"),
        report.identity.device.value("name", "?"), report.seed);
  print(out_, "{:<{}}  {:>9}  {}\n", "row", kNameWidth, "value", "ratio to a reference, 95 % interval, goal");
}

void Console::progress(const RowInfo& row, double seconds_left) const {
  if (!terminal_) return;
  clear_line();
  print(stderr, "{}, {:.0f} s left", row.name(), std::max(seconds_left, 0.0));
}

void Console::row(const RowResult& row) {
  clear_line();
  const std::string name = row.info->name();
  if (row.state != RowState::kMeasured) {
    print(out_, "{:<{}}  {:>9}  {}{}{}\n", name, kNameWidth, "-", name_of(row.state),
          row.why.empty() ? "" : ": ", row.why);
    return;
  }
  const std::string value = value_text(row.value.median, row.info->unit);
  if (row.comparisons.empty()) {
    print(out_, "{:<{}}  {:>9}  no reference available\n", name, kNameWidth, value);
    return;
  }
  bool is_first = true;
  for (const ComparisonResult& comparison : row.comparisons) {
    print(out_, "{:<{}}  {:>9}  {:<20} {:<34} {}\n", is_first ? name : "", kNameWidth, is_first ? value : "",
          comparison.reference, ratio_text(comparison),
          paint(name_of(comparison.verdict), comparison.verdict));
    is_first = false;
  }
}

void Console::summary(const BenchReport& report) {
  clear_line();
  print(out_, "\n{} rows in {:.0f} s: {} PASS, {} FAIL, {} AMBIGUOUS, {} without a goal", report.rows.size(),
        report.seconds, report.count(Verdict::kPass), report.count(Verdict::kFail),
        report.count(Verdict::kAmbiguous), report.count(Verdict::kNoGoal));
  for (const RowState state :
       {RowState::kNotHere, RowState::kFailed, RowState::kCrashed, RowState::kSkipped}) {
    if (report.count(state) > 0) print(out_, ", {} {}", report.count(state), name_of(state));
  }
  print(out_, "\n");
  for (const RowResult& row : report.rows) {
    for (const ComparisonResult& comparison : row.comparisons) {
      if (comparison.verdict == Verdict::kFail && !comparison.miss.empty())
        print(out_, "known miss: {} beside {}: {}\n", row.info->name(), comparison.reference,
              comparison.miss);
    }
  }
  const auto busy = std::ranges::count_if(
      report.rows, [&](const RowResult& row) { return row.contention().is_above(report.options.busy); });
  if (busy > 0)
    print(out_, "{} rows neither pass nor fail: others used more than {:.0f} % of the processors meanwhile\n",
          busy, 100 * report.options.busy);
  const double load = report.machine.value("before", nlohmann::json::object()).value("load_average", 0.0);
  const unsigned cpus = report.identity.environment.value("cpus", 1u);
  if (load > static_cast<double>(cpus))
    print(out_, "the machine was busy: load average {:.1f} on {} processors\n", load, cpus);
}

std::string Console::paint(std::string_view text, Verdict verdict) const {
  if (!color_ || verdict == Verdict::kNoGoal) return std::string(text);
  const int code = verdict == Verdict::kPass ? 32 : verdict == Verdict::kFail ? 31 : 33;
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

void Console::clear_line() const {
  if (terminal_) print(stderr, "\r\x1b[K");
}

}  // namespace xhal::bench
