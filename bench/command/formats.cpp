// SPDX-License-Identifier: Apache-2.0
// JSON, with all samples, and CSV, with what they say.
#include <fmt/format.h>

#include <cmath>

#include "bench/command/bench_run.hpp"

namespace xhal::bench {
namespace {

using nlohmann::json;

// Six digits are more than any clock is worth; what did not count is null.
json number(double value) {
  if (!std::isfinite(value)) return nullptr;
  if (value == 0) return 0.0;
  const double scale = std::pow(10.0, 5 - std::floor(std::log10(std::abs(value))));
  return std::round(value * scale) / scale;
}

json numbers(const std::vector<double>& values) {
  json out = json::array();
  for (const double value : values) out.push_back(number(value));
  return out;
}

json interval_json(const Interval& interval) {
  return {
      {"median", number(interval.median)}, {"low", number(interval.low)}, {"high", number(interval.high)}};
}

json samples_json(const Samples& samples) {
  json ns = json::array();
  for (const auto& series : samples.ns) ns.push_back(numbers(series));
  json ratios = json::array();
  for (const auto& series : samples.ratios) ratios.push_back(numbers(series));
  return {{"sides", samples.sides},
          {"units", samples.units},
          {"ns", ns},
          {"values", numbers(samples.values)},
          {"ratios", ratios},
          {"others_s", number(samples.contention.others_s)},
          {"passed_s", number(samples.contention.passed_s)}};
}

json row_json(const RowResult& row) {
  json out = {{"name", row.info->name()},
              {"id", row.info->id},
              {"parameters", row.info->parameters},
              {"measures", row.info->measures},
              {"regime", row.info->regime()},
              {"formula", row.info->formula},
              {"unit", row.info->unit},
              {"state", name_of(row.state)},
              {"why", row.why},
              {"verdict", name_of(row.verdict())},
              {"comparisons", json::array()},
              {"restarts", json::array()}};
  if (row.state != RowState::kMeasured) return out;
  out["value"] = interval_json(row.value);
  out["times_ns"] = {{"p5", number(row.times.p5)},
                     {"p25", number(row.times.p25)},
                     {"p50", number(row.times.p50)},
                     {"p75", number(row.times.p75)},
                     {"p99", number(row.times.p99)}};
  for (const ComparisonResult& one : row.comparisons) {
    json comparison = interval_json(one.ratio);
    comparison["reference"] = one.reference;
    comparison["better"] = one.better == Better::kLess ? "less" : "more";
    comparison["goal"] = number(one.goal);
    comparison["known_miss"] = one.miss;
    comparison["verdict"] = name_of(one.verdict);
    out["comparisons"].push_back(std::move(comparison));
  }
  for (const Samples& samples : row.restarts) out["restarts"].push_back(samples_json(samples));
  return out;
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string csv_number(double value) { return std::isfinite(value) ? fmt::format("{:.6g}", value) : ""; }

}  // namespace

json json_of(const BenchReport& report) {
  json out = conformance::identity_block(report.identity);
  json rows = json::array();
  for (const RowResult& row : report.rows) rows.push_back(row_json(row));
  out.update({{"schema", kReportSchema},
              {"seed", report.seed},
              {"options",
               {{"filters", report.options.filters},
                {"seconds", report.options.seconds},
                {"restarts", report.options.restarts},
                {"planted", report.options.planted},
                {"busy", report.options.busy},
                {"target", report.identity.target_arguments},
                {"kernels_sha256", report.identity.kernels_sha256},
                {"bench_kernels_sha256", report.bench_kernels_sha256},
                {"goals_sha256", report.goals_sha256}}},
              {"machine", report.machine},
              {"seconds", report.seconds},
              {"interrupted", report.interrupted},
              {"totals",
               {{"pass", report.count(Verdict::kPass)},
                {"fail", report.count(Verdict::kFail)},
                {"ambiguous", report.count(Verdict::kAmbiguous)},
                {"no_goal", report.count(Verdict::kNoGoal)},
                {"not_here", report.count(RowState::kNotHere)},
                {"failed", report.count(RowState::kFailed)},
                {"crashed", report.count(RowState::kCrashed)},
                {"skipped", report.count(RowState::kSkipped)}}},
              {"rows", rows}});
  return out;
}

std::string json_text(const BenchReport& report) { return json_of(report).dump(1) + "\n"; }

std::string csv_text(const BenchReport& report) {
  std::string out =
      "row,state,value,unit,p5_ns,p25_ns,p50_ns,p99_ns,reference,ratio,low,high,goal,verdict,why\n";
  for (const RowResult& row : report.rows) {
    const std::string head =
        fmt::format("{},{},{},{},{},{},{},{}", csv_cell(row.info->name()), name_of(row.state),
                    csv_number(row.value.median), row.info->unit, csv_number(row.times.p5),
                    csv_number(row.times.p25), csv_number(row.times.p50), csv_number(row.times.p99));
    if (row.comparisons.empty() || row.state != RowState::kMeasured) {
      out += fmt::format("{},,,,,,,{}\n", head, csv_cell(row.why));
      continue;
    }
    for (const ComparisonResult& one : row.comparisons) {
      out += fmt::format("{},{},{},{},{},{},{},\n", head, csv_cell(one.reference),
                         csv_number(one.ratio.median), csv_number(one.ratio.low), csv_number(one.ratio.high),
                         csv_number(one.goal), name_of(one.verdict));
    }
  }
  return out;
}

}  // namespace xhal::bench
