// SPDX-License-Identifier: Apache-2.0
// A report that was written comes back as the one that it was: to be merged, and to go on after an interruption.
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "report/report.h"
#include "run/subject.h"

namespace xhal::conformance {

namespace {

// null is "".
std::string text_at(const nlohmann::json& json, const char* key) {
  const nlohmann::json& value = json.at(key);
  return value.is_null() ? std::string() : value.get<std::string>();
}

const TestCase& test_of(const std::string& id) {
  const std::vector<TestCase>& cases = checked_cases();
  const auto found = std::ranges::lower_bound(cases, id, {}, &TestCase::id);
  if (found == cases.end() || found->id != id)
    throw std::invalid_argument(fmt::format("this program has no test {}", id));
  return *found;
}

Verdict verdict_at(const nlohmann::json& json) {
  const auto verdict = verdict_from_name(json.at("verdict").get<std::string>());
  if (!verdict) throw std::invalid_argument("its verdict is none");
  return *verdict;
}

LevelVerdict level_from_json(const nlohmann::json& json) {
  LevelVerdict out;
  out.level = json.at("level");
  out.verdict = verdict_at(json);
  out.required = json.at("required");
  out.required_passed = json.at("required_passed");
  out.by_substitute = json.at("by_substitute");
  out.not_observed = json.at("not_observed");
  out.waived = json.at("waived");
  out.reasons = json.at("reasons");
  for (const nlohmann::json& one : json.at("interfaces")) {
    out.interfaces.push_back(
        {one.at("name"), one.at("state"), one.at("clauses"), one.at("tests"), one.at("failed")});
  }
  return out;
}

Waiver waiver_from_json(const nlohmann::json& json) {
  Waiver out;
  out.test = json.at("test");
  out.reason = json.at("reason");
  out.link = text_at(json, "link");
  out.reproducer = text_at(json, "reproducer");
  out.expires = json.at("expires");
  out.driver = json.at("driver");
  out.device = json.at("device");
  out.message = json.at("message");
  out.state = json.at("state");
  out.problem = json.at("problem");
  out.tests = json.at("tests");
  return out;
}

Evidence evidence_from_json(const nlohmann::json& json) {
  Evidence out;
  out.challenge = json.at("challenge");
  out.kernel_names = json.at("kernel_names");
  for (const nlohmann::json& control : json.at("controls")) {
    out.controls.push_back({control.at("index"), control.at("fault"), control.at("clause"),
                            control.at("test"), control.at("outcome"), control.at("noticed"),
                            control.at("message")});
  }
  out.transcript_lines = json.at("transcript").at("lines");
  out.transcript_head = json.at("transcript").at("head");
  return out;
}

void options_from_json(const nlohmann::json& json, Report& out) {
  out.shuffled = json.at("shuffled");
  out.filters = json.at("filters");
  out.jobs = json.at("jobs");
  out.timeout_s = json.at("timeout_s").is_null() ? 0 : json.at("timeout_s").get<double>();
  out.entry_timeout_s = json.at("entry_timeout_s");
  out.target_arguments = json.at("target");
  out.kernels = json.at("kernels");
  out.kernels_sha256 = json.at("kernels_sha256");
  out.waivers_file = json.at("waivers");
  out.waivers_sha256 = json.at("waivers_sha256");
  out.allow_waivers = json.at("allow_waivers");
  out.round_trip_ns = json.at("round_trip_ns");
  out.patience_ns = json.at("patience_ns");
  out.test_deadline_s = json.at("test_deadline_s");
}

}  // namespace

TestRecord record_from_json(const nlohmann::json& json) {
  TestRecord out;
  out.test = &test_of(json.at("id"));
  out.required = json.at("required");
  const bool waived = json.contains("waiver");
  const auto outcome = outcome_from_name(json.at(waived ? "waived_outcome" : "outcome").get<std::string>());
  if (!outcome) throw std::invalid_argument(fmt::format("the outcome of {} is none", out.test->id));
  if (waived) out.waiver = json.at("waiver").at("entry").get<size_t>();
  TestResult& result = out.result;
  result.outcome = *outcome;
  result.message = json.at("message");
  for (const nlohmann::json& failure : json.at("failures")) {
    result.failures.push_back(
        {text_at(failure, "clause"), failure.at("where"), failure.at("expression"), failure.at("message")});
  }
  result.notes = json.at("notes");
  result.substitute = json.at("substitute");
  result.asserted = json.at("asserted");
  result.milliseconds = json.at("milliseconds");
  if (const auto digest = json.find("digest"); digest != json.end()) {
    result.digest = digest->at("sha256");
    result.digest_bytes = digest->at("bytes");
  }
  out.last_calls = json.value("last_calls", std::vector<std::string>());
  out.log = json.value("log", "");
  return out;
}

Report report_from_json(const nlohmann::json& json) {
  Report out;
  out.started = json.at("started");
  out.environment = json.at("environment");
  const nlohmann::json& suite = json.at("suite");
  out.suite_version = suite.at("version");
  out.suite_commit = suite.at("commit");
  out.suite_dirty = suite.at("dirty");
  out.driver = json.at("driver");
  out.device = json.at("device");
  out.device_count = json.at("device_count");
  out.level = json.at("level");
  out.seed = json.at("seed");
  options_from_json(json.at("options"), out);
  if (const auto& shard = json.at("shard"); !shard.is_null())
    out.shard = Shard{shard.at("index"), shard.at("count")};
  for (const nlohmann::json& shard : json.at("shards")) {
    out.shards.push_back({shard.at("index"), shard.at("seconds"), shard.at("started"),
                          shard.at("device_uuid"), shard.at("environment")});
  }
  out.resumed = json.at("resumed");
  for (const nlohmann::json& waiver : json.at("waivers")) out.waivers.push_back(waiver_from_json(waiver));
  // Reports of before have none.
  if (const auto evidence = json.find("evidence"); evidence != json.end() && !evidence->is_null())
    out.evidence = evidence_from_json(*evidence);
  for (const nlohmann::json& test : json.at("tests")) {
    out.tests.push_back(record_from_json(test));
    if (out.tests.back().waiver && *out.tests.back().waiver >= out.waivers.size())
      throw std::invalid_argument(fmt::format("{} is excused by no waiver", out.tests.back().test->id));
  }
  out.incomplete = json.at("incomplete");
  for (const nlohmann::json& id : json.at("not_run")) out.not_run.push_back(&test_of(id));
  out.seconds = json.at("seconds");
  for (const nlohmann::json& level : json.at("levels")) out.levels.push_back(level_from_json(level));
  // The first of the levels is the one that was asked for.
  if (!out.levels.empty()) out.verdict = out.levels.front();
  out.verdict.verdict = verdict_at(json);
  out.verdict.reasons = json.at("reasons");
  return out;
}

}  // namespace xhal::conformance
