// SPDX-License-Identifier: Apache-2.0
#include "bench/command/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "frame/random.h"
#include "report/document.h"
#include "report/print.h"
#include "report/report.h"
#include "run/command.h"
#include "run/exit_codes.h"

namespace xhal::bench {
namespace {

using namespace conformance;
using namespace ending;

constexpr int kNameWidth = 44;

enum class Place { kBelow, kWithin, kAbove, kUnknown };

Place place_of(const Interval& interval, double bound) {
  if (std::isnan(interval.low) || std::isnan(interval.high)) return Place::kUnknown;
  if (interval.low > bound) return Place::kAbove;
  if (interval.high < 1 / bound) return Place::kBelow;
  return interval.low >= 1 / bound && interval.high <= bound ? Place::kWithin : Place::kUnknown;
}

// A ratio that may be of either sign, as of what is left of two times, has no quotient.
bool has_quotient(const std::vector<Restart>& restarts) {
  return std::ranges::all_of(restarts, [](const Restart& one) {
    const double middle = median(one);
    return std::isnan(middle) || middle > 0;
  });
}

std::string identity(const KeptReport& report) {
  const auto& json = report.document;
  return fmt::format(
      "{}: {} {} on {}, commit {}{}, {}", one_line(report.path), one_line(text_at(json["driver"], "name")),
      one_line(text_at(json["driver"], "version")), one_line(text_at(json["device"], "name")),
      one_line(text_at(json["suite"], "commit")).substr(0, 12),
      json["suite"]["dirty"].get<bool>() ? " with changes" : "", one_line(text_at(json, "started")));
}

// What one report has and the other has not.
size_t tell_alone(const KeptReport& one, const KeptReport& other, const char* name) {
  size_t count = 0;
  for (const KeptRow& row : one.rows) {
    if (!row.measured()) continue;
    const KeptRow* const twin = other.find(row.name);
    if (twin == nullptr || !twin->measured()) {
      ++count;
      const std::string there = twin == nullptr ? "" : fmt::format("; {} in the other", twin->state);
      print(stdout, "{:<{}}  in {} alone{}\n", one_line(row.name), kNameWidth, name, there);
      continue;
    }
    for (const KeptComparison& comparison : row.comparisons) {
      if (twin->find(comparison.reference) != nullptr) continue;
      ++count;
      print(stdout, "{:<{}}  {} in {} alone\n", one_line(row.name), kNameWidth,
            one_line(comparison.reference), name);
    }
  }
  return count;
}

int compare_checked(const CompareOptions& options) {
  const KeptReport before = kept_report(options.before);
  const KeptReport after = kept_report(options.after);
  if (const std::string why = other_subject(before, after); !why.empty())
    stop(kExitUsage, fmt::format("{} and {} cannot be compared: {}", options.before, options.after, why));
  print(stdout, "A  {}\nB  {}\n", identity(before), identity(after));
  for (const std::string& line : other_circumstances(before, after)) print(stdout, "{}\n", one_line(line));
  const Tolerance tolerance(options.hold, "", text_at(before.document["driver"], "name"));
  print(stdout, "{:<{}}  {:<20} {}\n", "row", kNameWidth, "reference", "B / A, 95 % interval");
  std::array<size_t, 4> counts{};
  for (const KeptRow& row : before.rows) {
    const KeptRow* const twin = after.find(row.name);
    if (twin == nullptr) continue;
    for (const RowChange& change : changes_of(row, *twin, tolerance)) {
      ++counts[static_cast<size_t>(change.change)];
      print(stdout, "{}\n", line_of(change));
    }
  }
  const size_t alone = tell_alone(before, after, "A") + tell_alone(after, before, "B");
  const auto count = [&](Change change) { return counts[static_cast<size_t>(change)]; };
  if (counts == std::array<size_t, 4>{})
    stop(kExitNothing, "the reports have no row in common that was measured in both");
  print(stdout, "\n{} same, {} faster, {} slower, {} ambiguous, {} in one alone\n", count(Change::kSame),
        count(Change::kFaster), count(Change::kSlower), count(Change::kAmbiguous), alone);
  const size_t ratios = std::reduce(counts.begin(), counts.end());
  const size_t by_chance = tolerance.by_chance(ratios);
  if (by_chance > 0)
    print(stdout, "of {} ratios up to {} are slower, and up to {} faster, between runs of one build\n",
          ratios, by_chance, by_chance);
  const bool is_slower = count(Change::kSlower) > by_chance;
  print(stdout, "{}\n", is_slower ? "SLOWER" : count(Change::kFaster) > by_chance ? "FASTER" : "SAME");
  return is_slower ? kExitMisbehaved : kExitOk;
}

}  // namespace

std::string_view name_of(Change change) {
  switch (change) {
    case Change::kSame:
      return "SAME";
    case Change::kFaster:
      return "FASTER";
    case Change::kSlower:
      return "SLOWER";
    case Change::kAmbiguous:
      return "AMBIGUOUS";
  }
  return "?";
}

RowChange change_of(const std::string& row, const KeptComparison& then, const KeptComparison& now,
                    const Tolerance& tolerance) {
  RowChange out;
  out.row = row;
  out.reference = now.reference;
  out.better = now.better;
  out.bound = tolerance.bound(row, now.reference);
  out.drifts = out.bound > 1 + tolerance.options().tolerance_percent / 100;
  out.quotient = interval_of_quotient(now.ratios, then.ratios, hash_text(row + now.reference));
  if (std::isinf(out.bound) || then.better != now.better || out.quotient.samples < kLeastSamples ||
      !has_quotient(then.ratios) || !has_quotient(now.ratios))
    return out;
  const Place place = place_of(out.quotient, out.bound);
  if (place == Place::kWithin) out.change = Change::kSame;
  const bool is_outside = place == Place::kAbove || place == Place::kBelow;
  if (!is_outside || place_of(interval_over_processes(now.ratios, then.ratios), out.bound) != place)
    return out;
  const bool is_worse = (place == Place::kAbove) == (now.better == Better::kLess);
  out.change = is_worse ? Change::kSlower : Change::kFaster;
  return out;
}

std::vector<RowChange> changes_of(const KeptRow& then, const KeptRow& now, const Tolerance& tolerance) {
  std::vector<RowChange> out;
  const double busy = tolerance.options().busy;
  const bool is_busy = then.contention.is_above(busy) || now.contention.is_above(busy);
  for (const KeptComparison& comparison : then.comparisons) {
    if (const KeptComparison* twin = now.find(comparison.reference)) {
      out.push_back(change_of(then.name, comparison, *twin, tolerance));
      if (is_busy) out.back().change = Change::kAmbiguous;
    }
  }
  return out;
}

std::string line_of(const RowChange& change) {
  const Interval& quotient = change.quotient;
  const std::string figure =
      std::isnan(quotient.median)
          ? std::string("not counted")
          : fmt::format("{:.3f} [{:.3f}, {:.3f}]", quotient.median, quotient.low, quotient.high);
  const std::string drift =
      change.drifts ? fmt::format("  (runs drift by {:.2f})", change.bound) : std::string();
  return fmt::format("{:<{}}  {:<20} {:<24} {}{}", one_line(change.row), kNameWidth,
                     one_line(change.reference), figure, name_of(change.change), drift);
}

int compare_runs(const CompareOptions& options) {
  return ended([&] { return compare_checked(options); });
}

}  // namespace xhal::bench
