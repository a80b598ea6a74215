// SPDX-License-Identifier: Apache-2.0
#include "report/document.h"

#include <fmt/format.h>

#include <algorithm>

#include "frame/clause.h"
#include "frame/outcome.h"
#include "report/fields.h"
#include "report/report.h"
#include "run/command.h"
#include "run/exit_codes.h"

namespace xhal::conformance {

using namespace ending;
using nlohmann::json;

namespace {

// All that the other forms, and the commands that compare, read without asking.
void check(const json& report) {
  if (!report.is_object() || report.value("schema", json()) != kReportSchema)
    throw Malformed{fmt::format("its schema is not {}", kReportSchema)};
  using enum Kind;
  expect(report, "the report",
         {{"abi", kText},           {"suite", kObject},       {"started", kText},    {"environment", kObject},
          {"driver", kObject},      {"device", kObject},      {"level", kText},      {"levels", kList},
          {"seed", kNumber},        {"options", kObject},     {"verdict", kText},    {"reasons", kTexts},
          {"containment", kObject}, {"waivers", kList},       {"incomplete", kBool}, {"not_run", kTexts},
          {"seconds", kNumber},     {"totals", kObject},      {"tests", kList},      {"shards", kList},
          {"resumed", kNumber},     {"device_count", kNumber}});
  expect(report["suite"], "suite", {{"version", kText}, {"commit", kText}, {"dirty", kBool}});
  expect(report["environment"], "environment",
         {{"kernel", kText}, {"machine", kText}, {"cpu", kText}, {"cpus", kNumber}, {"variables", kObject}});
  for (const auto& [name, value] : report["environment"]["variables"].items()) {
    if (!value.is_string()) throw Malformed{fmt::format("variable {} is no text", name)};
  }
  expect(report["driver"], "driver",
         {{"name", kText},
          {"path", kText},
          {"sha256", kText},
          {"version", kText},
          {"emulated", kBool},
          {"libraries", kList}});
  for (const json& library : report["driver"]["libraries"])
    expect(library, "a library", {{"path", kText}, {"build_id", kText}});
  expect(report["device"], "device",
         {{"uuid", kText},
          {"name", kText},
          {"architecture", kText},
          {"features", kTexts},
          {"declared", kObject},
          {"index", kNumber}});
  expect(report["options"], "options",
         {{"shuffled", kBool},
          {"filters", kTexts},
          {"jobs", kNumber},
          {"entry_timeout_s", kNumber},
          {"target", kText},
          {"kernels", kText},
          {"kernels_sha256", kText},
          {"waivers", kText},
          {"waivers_sha256", kText},
          {"round_trip_ns", kNumber},
          {"test_deadline_s", kNumber}});
  expect(report["containment"], "containment",
         {{"declared", kText}, {"observed", kBool}, {"why_not", kText}});
  for (const json& shard : report["shards"])
    expect(shard, "a shard", {{"index", kNumber}, {"started", kText}, {"device_uuid", kText}});
  for (const json& level : report["levels"]) {
    expect(level, "a level",
           {{"level", kText},
            {"verdict", kText},
            {"required", kNumber},
            {"required_passed", kNumber},
            {"by_substitute", kNumber},
            {"not_observed", kNumber},
            {"waived", kNumber},
            {"reasons", kTexts},
            {"interfaces", kList}});
    for (const json& one : level["interfaces"])
      expect(
          one, "an interface",
          {{"name", kText}, {"state", kText}, {"clauses", kTexts}, {"tests", kNumber}, {"failed", kTexts}});
  }
  for (const json& waiver : report["waivers"]) {
    expect(waiver, "a waiver",
           {{"test", kText},
            {"reason", kText},
            {"expires", kText},
            {"driver", kText},
            {"device", kText},
            {"message", kText},
            {"state", kText},
            {"problem", kText},
            {"tests", kTexts}});
  }
  if (const auto evidence = report.find("evidence"); evidence != report.end() && !evidence->is_null()) {
    expect(*evidence, "evidence",
           {{"claim", kText},
            {"challenge", kText},
            {"kernel_names", kText},
            {"controls", kList},
            {"transcript", kObject}});
    for (const json& control : (*evidence)["controls"]) {
      expect(control, "a control",
             {{"index", kNumber},
              {"fault", kText},
              {"clause", kText},
              {"test", kText},
              {"outcome", kText},
              {"noticed", kBool}});
    }
    expect((*evidence)["transcript"], "transcript", {{"lines", kNumber}, {"head", kText}});
  }
  for (const auto& [name, count] : report["totals"].items()) {
    if (!count.is_number_unsigned()) throw Malformed{fmt::format("'{}' of totals is no number", name)};
  }
  for (const Outcome outcome : kOutcomes)
    expect(report["totals"], "totals", {{name_of(outcome).data(), kNumber}});
  expect(report["totals"], "totals", {{"waived", kNumber}});
  for (const json& test : report["tests"]) {
    expect(test, "a test", {{"id", kText}});
    const std::string id = "test " + test["id"].get<std::string>();
    expect(test, id,
           {{"clauses", kTexts},
            {"observes", kText},
            {"required", kBool},
            {"outcome", kText},
            {"milliseconds", kNumber},
            {"message", kText},
            {"notes", kTexts},
            {"substitute", kText},
            {"failures", kList}});
    const std::string outcome = test["outcome"];
    if (outcome != kWaived && !outcome_from_name(outcome))
      throw Malformed{fmt::format("{} has the outcome '{}', which is none", id, outcome)};
    for (const json& failure : test["failures"])
      expect(failure, "a failure of " + id, {{"where", kText}, {"expression", kText}, {"message", kText}});
    if (is_bad_outcome(outcome)) expect(test, id, {{"last_calls", kTexts}, {"log", kText}, {"rerun", kText}});
    if (outcome == kWaived) {
      expect(test, id, {{"waived_outcome", kText}, {"waiver", kObject}});
      expect(test["waiver"], "the waiver of " + id, {{"reason", kText}, {"expires", kText}});
    }
  }
}

}  // namespace

json read_report(const std::string& path) {
  json report = parsed("report", path);
  try {
    check(report);
  } catch (const Malformed& bad) {
    stop(kExitUsage, fmt::format("report {}: {}; give a file that xhal-conform --report json=FILE wrote",
                                 path, bad.what));
  }
  return report;
}

json read_power(const std::string& path) {
  json power = parsed("power", path);
  try {
    using enum Kind;
    expect(power, "the file", {{"killed", kNumber}, {"total", kNumber}, {"faults", kList}});
    for (const json& fault : power["faults"]) {
      expect(
          fault, "a fault",
          {{"name", kText}, {"family", kText}, {"clause", kText}, {"verdict", kText}, {"killed_by", kTexts}});
    }
  } catch (const Malformed& bad) {
    stop(kExitUsage,
         fmt::format("power {}: {}; give a file that xhal-conform faults --json wrote", path, bad.what));
  }
  return power;
}

bool is_bad_outcome(const std::string& outcome) {
  const auto known = outcome_from_name(outcome);
  return known && is_bad(*known);
}

std::string text_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string area_of(const std::string& id) { return id.substr(0, id.find('.')); }

std::string broken_clause(const json& test) {
  for (const json& failure : test["failures"]) {
    if (std::string clause = text_at(failure, "clause"); !clause.empty()) return clause;
  }
  return test["clauses"].empty() ? std::string() : test["clauses"].front().get<std::string>();
}

std::string evidence_line(const json& report) {
  const auto found = report.find("evidence");
  if (found == report.end() || found->is_null()) return {};
  const json& controls = (*found)["controls"];
  const auto noticed =
      std::ranges::count_if(controls, [](const json& one) { return one["noticed"].get<bool>(); });
  return fmt::format(
      "{}: the answer to the challenge '{}'; {} of {} tests with a known defect over the driver noticed it; "
      "kernel names: {}",
      text_at(*found, "claim"), text_at(*found, "challenge"), noticed, controls.size(),
      text_at(*found, "kernel_names"));
}

std::string rule_of(const std::string& clause) {
  const auto* const found = std::ranges::find(kClauseIds, clause);
  if (found == std::end(kClauseIds)) return {};
  return std::string(clause_info(static_cast<size_t>(found - std::begin(kClauseIds))).rule);
}

std::string shortened(const std::string& text, size_t most) {
  constexpr std::string_view kRest = "...";
  if (text.size() <= most) return text;
  size_t end = most - kRest.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + std::string(kRest);
}

}  // namespace xhal::conformance
