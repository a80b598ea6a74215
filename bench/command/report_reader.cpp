// SPDX-License-Identifier: Apache-2.0
#include "bench/command/report_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "report/document.h"
#include "report/fields.h"
#include "run/command.h"
#include "run/exit_codes.h"

namespace xhal::bench {
namespace {

using namespace conformance;
using namespace ending;
using nlohmann::json;

std::vector<double> series_of(const json& values, const std::string& where) {
  if (!values.is_array()) throw Malformed{where + " is no list"};
  std::vector<double> out;
  out.reserve(values.size());
  for (const json& value : values) {
    if (!value.is_null() && !value.is_number()) throw Malformed{where + " holds what is no number"};
    out.push_back(value.is_null() ? kUncounted : value.get<double>());
  }
  return out;
}

void check_figures(const json& object, const std::string& where, std::initializer_list<const char*> names) {
  if (!object.is_object()) throw Malformed{where + " is no object"};
  for (const char* name : names) {
    const auto found = object.find(name);
    if (found == object.end()) throw Malformed{fmt::format("{} has no '{}'", where, name)};
    if (!found->is_null() && !found->is_number())
      throw Malformed{fmt::format("'{}' of {} is of the wrong kind", name, where)};
  }
}

KeptComparison comparison_of(const json& comparison, const std::string& where) {
  expect(comparison, "a comparison of " + where,
         {{"reference", Kind::kText},
          {"better", Kind::kText},
          {"known_miss", Kind::kText},
          {"verdict", Kind::kText}});
  const std::string reference = comparison["reference"];
  check_figures(comparison, fmt::format("comparison {} of {}", reference, where),
                {"median", "low", "high", "goal"});
  const std::string better = comparison["better"];
  if (better != "less" && better != "more")
    throw Malformed{fmt::format("{} has 'better' {}, which is neither less nor more", where, better)};
  return {reference, better == "less" ? Better::kLess : Better::kMore, {}};
}

// One process's samples of a row: every side one figure a round, every comparison one ratio a round.
void add_restart(const json& restart, const std::string& where, KeptRow& row) {
  expect(restart, "a restart of " + where,
         {{"sides", Kind::kTexts},
          {"units", Kind::kList},
          {"ns", Kind::kList},
          {"values", Kind::kList},
          {"ratios", Kind::kList},
          {"others_s", Kind::kNumber},
          {"passed_s", Kind::kNumber}});
  row.contention += {restart["others_s"], restart["passed_s"]};
  const size_t rounds = series_of(restart["values"], "'values' of " + where).size();
  if (restart["sides"].empty() || restart["ns"].size() != restart["sides"].size())
    throw Malformed{where + " has not one series for each side"};
  for (const json& series : restart["ns"]) {
    if (series_of(series, "'ns' of " + where).size() != rounds)
      throw Malformed{where + " has not one figure of each side for each round"};
  }
  if (restart["ratios"].size() != row.comparisons.size())
    throw Malformed{where + " has not one series of ratios for each reference"};
  for (size_t i = 0; i < row.comparisons.size(); ++i) {
    Restart ratios = series_of(restart["ratios"][i], "'ratios' of " + where);
    if (ratios.size() != rounds) throw Malformed{where + " has not one ratio for each round"};
    row.comparisons[i].ratios.push_back(std::move(ratios));
  }
}

KeptRow row_of(const json& json_row) {
  expect(json_row, "a row", {{"name", Kind::kText}});
  KeptRow row;
  row.name = json_row["name"];
  const std::string where = "row " + row.name;
  expect(json_row, where,
         {{"id", Kind::kText},
          {"parameters", Kind::kText},
          {"measures", Kind::kText},
          {"regime", Kind::kText},
          {"formula", Kind::kText},
          {"unit", Kind::kText},
          {"state", Kind::kText},
          {"why", Kind::kText},
          {"verdict", Kind::kText},
          {"comparisons", Kind::kList},
          {"restarts", Kind::kList}});
  row.state = json_row["state"];
  row.why = json_row["why"];
  constexpr RowState kStates[] = {RowState::kMeasured, RowState::kNotHere, RowState::kFailed,
                                  RowState::kCrashed, RowState::kSkipped};
  if (std::ranges::none_of(kStates, [&](RowState one) { return name_of(one) == row.state; }))
    throw Malformed{fmt::format("{} has the state '{}', which is none", where, row.state)};
  if (!row.measured()) return row;
  expect(json_row, where, {{"value", Kind::kObject}, {"times_ns", Kind::kObject}});
  check_figures(json_row["value"], "'value' of " + where, {"median", "low", "high"});
  check_figures(json_row["times_ns"], "'times_ns' of " + where, {"p5", "p25", "p50", "p75", "p99"});
  for (const json& comparison : json_row["comparisons"]) {
    KeptComparison kept = comparison_of(comparison, where);
    if (row.find(kept.reference) != nullptr)
      throw Malformed{fmt::format("{} has the reference {} twice", where, kept.reference)};
    row.comparisons.push_back(std::move(kept));
  }
  for (const json& restart : json_row["restarts"]) add_restart(restart, where, row);
  if (json_row["restarts"].empty()) throw Malformed{where + " is measured and has no samples"};
  return row;
}

// All that is read of a report without asking, also by the page.
void check(const json& report) {
  if (!report.is_object() || report.value("schema", json()) != kReportSchema)
    throw Malformed{fmt::format("its schema is not {}", kReportSchema)};
  using enum Kind;
  expect(report, "the report",
         {{"abi", kText},
          {"suite", kObject},
          {"started", kText},
          {"environment", kObject},
          {"driver", kObject},
          {"device", kObject},
          {"seed", kNumber},
          {"options", kObject},
          {"machine", kObject},
          {"seconds", kNumber},
          {"interrupted", kBool},
          {"totals", kObject},
          {"rows", kList}});
  expect(report["suite"], "suite", {{"version", kText}, {"commit", kText}, {"dirty", kBool}});
  expect(report["environment"], "environment",
         {{"kernel", kText}, {"machine", kText}, {"cpu", kText}, {"cpus", kNumber}});
  expect(report["driver"], "driver",
         {{"name", kText}, {"path", kText}, {"sha256", kText}, {"version", kText}});
  expect(report["device"], "device",
         {{"name", kText}, {"architecture", kText}, {"uuid", kText}, {"index", kNumber}});
  expect(report["options"], "options",
         {{"filters", kTexts},
          {"seconds", kNumber},
          {"restarts", kNumber},
          {"planted", kNumber},
          {"busy", kNumber},
          {"target", kText},
          {"kernels_sha256", kText},
          {"bench_kernels_sha256", kText},
          {"goals_sha256", kText}});
  expect(report["machine"], "machine", {{"before", kObject}, {"after", kObject}});
  for (const char* when : {"before", "after"}) {
    expect(report["machine"][when], fmt::format("machine {}", when),
           {{"load_average", kNumber},
            {"stolen_share", kNumber},
            {"clock_source", kText},
            {"spin_round_trip_ns", kNumber}});
  }
  for (const auto& [name, count] : report["totals"].items()) {
    if (!count.is_number_unsigned()) throw Malformed{fmt::format("'{}' of totals is no number", name)};
  }
}

KeptReport checked(json document) {
  check(document);
  KeptReport out;
  std::set<std::string> names;
  for (const json& row : document["rows"]) {
    out.rows.push_back(row_of(row));
    if (!names.insert(out.rows.back().name).second)
      throw Malformed{fmt::format("it has row {} twice", out.rows.back().name)};
  }
  out.document = std::move(document);
  return out;
}

// What the two say of a member of an object, when they do not say the same.
std::string differing(const json& one, const json& other, const char* object, const char* member) {
  const std::string first = text_at(one[object], member);
  const std::string second = text_at(other[object], member);
  return first == second ? "" : fmt::format("{} and {}", shortened(first, 60), shortened(second, 60));
}

}  // namespace

bool KeptRow::measured() const { return state == name_of(RowState::kMeasured); }

const KeptComparison* KeptRow::find(const std::string& reference) const {
  const auto found =
      std::ranges::find_if(comparisons, [&](const auto& one) { return one.reference == reference; });
  return found == comparisons.end() ? nullptr : &*found;
}

const KeptRow* KeptReport::find(const std::string& row) const {
  const auto found = std::ranges::find_if(rows, [&](const auto& one) { return one.name == row; });
  return found == rows.end() ? nullptr : &*found;
}

KeptReport kept_report(const std::string& path) {
  json document = parsed("report", path);
  try {
    KeptReport out = checked(std::move(document));
    out.path = path;
    return out;
  } catch (const Malformed& bad) {
    stop(kExitUsage,
         fmt::format("report {}: {}; give a file that xhal-bench --format json --output FILE wrote", path,
                     bad.what));
  }
}

KeptReport kept_report(const BenchReport& report) {
  KeptReport out;
  out.document = json_of(report);
  for (const RowResult& row : report.rows) out.rows.push_back(kept_row(row));
  return out;
}

KeptRow kept_row(const RowResult& row) {
  KeptRow out{row.info->name(), std::string(name_of(row.state)), row.why, {}, {}};
  for (const Samples& samples : row.restarts) out.contention += samples.contention;
  if (row.state != RowState::kMeasured) return out;
  for (size_t i = 0; i < row.comparisons.size(); ++i) {
    KeptComparison kept{row.comparisons[i].reference, row.comparisons[i].better, {}};
    for (const Samples& samples : row.restarts) kept.ratios.push_back(samples.ratios.at(i));
    out.comparisons.push_back(std::move(kept));
  }
  return out;
}

std::string other_subject(const KeptReport& one, const KeptReport& other) {
  if (const std::string names = differing(one.document, other.document, "driver", "name"); !names.empty())
    return "they are of different drivers, " + names;
  for (const char* member : {"name", "architecture"}) {
    const std::string names = differing(one.document, other.document, "device", member);
    if (!names.empty()) return "they are of different devices, " + names;
  }
  return {};
}

std::vector<std::string> other_circumstances(const KeptReport& one, const KeptReport& other) {
  constexpr struct {
    const char* object;
    const char* member;
    const char* name;
  } kLooked[] = {{"options", "goals_sha256", "goals"},
                 {"options", "kernels_sha256", "kernels of the suite"},
                 {"options", "bench_kernels_sha256", "kernels of the benchmarks"},
                 {"environment", "cpu", "processors"},
                 {"environment", "kernel", "kernels of the system"}};
  std::vector<std::string> out;
  for (const auto& look : kLooked) {
    const std::string names = differing(one.document, other.document, look.object, look.member);
    if (!names.empty()) out.push_back(fmt::format("they have different {}: {}", look.name, names));
  }
  return out;
}

}  // namespace xhal::bench
