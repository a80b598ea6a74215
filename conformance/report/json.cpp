// SPDX-License-Identifier: Apache-2.0
#include "report/report.h"

#include "evidence/challenge.h"
#include "report/suspects.h"

namespace xhal::conformance {

namespace {

nlohmann::json clause_ids(const std::vector<Clause>& clauses) {
  nlohmann::json out = nlohmann::json::array();
  for (const Clause clause : clauses) out.push_back(clause.id());
  return out;
}

nlohmann::json optional_text(const std::string& text) {
  return text.empty() ? nlohmann::json(nullptr) : nlohmann::json(text);
}

nlohmann::json waiver_json(const Waiver& waiver) {
  return {{"test", waiver.test},
          {"reason", waiver.reason},
          {"link", optional_text(waiver.link)},
          {"reproducer", optional_text(waiver.reproducer)},
          {"expires", waiver.expires},
          {"driver", waiver.driver},
          {"device", waiver.device},
          {"message", waiver.message},
          {"state", waiver.state},
          {"problem", waiver.problem},
          {"tests", waiver.tests}};
}

nlohmann::json shards_json(const std::vector<ShardOrigin>& shards) {
  nlohmann::json out = nlohmann::json::array();
  for (const ShardOrigin& shard : shards) {
    out.push_back({{"index", shard.index},
                   {"seconds", shard.seconds},
                   {"started", shard.started},
                   {"device_uuid", shard.device_uuid},
                   {"environment", shard.environment}});
  }
  return out;
}

nlohmann::json level_json(const LevelVerdict& level) {
  nlohmann::json interfaces = nlohmann::json::array();
  for (const InterfaceVerdict& one : level.interfaces) {
    interfaces.push_back({{"name", one.name},
                          {"state", one.state},
                          {"clauses", one.clauses},
                          {"tests", one.tests},
                          {"failed", one.failed}});
  }
  return {{"level", level.level},
          {"interfaces", interfaces},
          {"verdict", name_of(level.verdict)},
          {"required", level.required},
          {"required_passed", level.required_passed},
          {"by_substitute", level.by_substitute},
          {"not_observed", level.not_observed},
          {"waived", level.waived},
          {"reasons", level.reasons}};
}

nlohmann::json evidence_json(const Report& report) {
  if (!report.evidence) return nullptr;
  const Evidence& evidence = *report.evidence;
  nlohmann::json controls = nlohmann::json::array();
  for (const ControlRecord& control : evidence.controls) {
    controls.push_back({{"index", control.index},
                        {"fault", control.fault},
                        {"clause", control.clause},
                        {"test", control.test},
                        {"outcome", control.outcome},
                        {"noticed", control.noticed},
                        {"message", control.message}});
  }
  nlohmann::json others = nlohmann::json::array();
  for (const TestRecord& record : report.tests) {
    const std::string why = record.test->definition->info.not_bit_exact;
    if (!why.empty()) others.push_back({{"test", record.test->id}, {"why", why}});
  }
  return {{"claim", kEvidenceClaim},
          {"challenge", evidence.challenge},
          {"kernel_names", evidence.kernel_names},
          {"controls", controls},
          {"not_bit_exact", others},
          {"transcript", {{"lines", evidence.transcript_lines}, {"head", evidence.transcript_head}}}};
}

}  // namespace

nlohmann::json record_json(const Report& report, const TestRecord& record) {
  nlohmann::json failures = nlohmann::json::array();
  for (const Failure& failure : record.result.failures) {
    failures.push_back({{"clause", optional_text(failure.clause)},
                        {"where", failure.where},
                        {"expression", failure.expression},
                        {"message", failure.message}});
  }
  nlohmann::json out = {{"id", record.test->id},
                        {"clauses", clause_ids(record.test->definition->info.clauses)},
                        {"asserted", record.result.asserted},
                        {"observes", record.test->definition->info.observes},
                        {"required", record.required},
                        {"outcome", outcome_word(record)},
                        {"milliseconds", record.result.milliseconds},
                        {"message", record.result.message},
                        {"notes", record.result.notes},
                        {"substitute", record.result.substitute},
                        {"failures", failures}};
  if (!record.result.digest.empty())
    out["digest"] = {{"sha256", record.result.digest}, {"bytes", record.result.digest_bytes}};
  if (is_bad(record.result.outcome)) {
    out["last_calls"] = record.last_calls;
    out["log"] = record.log;
    out["rerun"] = report.rerun_command(record.test->id);
  }
  if (record.waiver) {
    const Waiver& waiver = report.waivers.at(*record.waiver);
    out["waived_outcome"] = name_of(record.result.outcome);
    out["waiver"] = {{"entry", *record.waiver},
                     {"reason", waiver.reason},
                     {"link", optional_text(waiver.link)},
                     {"reproducer", optional_text(waiver.reproducer)},
                     {"expires", waiver.expires}};
  }
  return out;
}

nlohmann::json identity_block(const Report& report) {
  return {
      {"abi", std::to_string(XHAL_ABI_MAJOR) + "." + std::to_string(XHAL_ABI_MINOR) + "." +
                  std::to_string(XHAL_ABI_REVISION)},
      {"suite",
       {{"version", report.suite_version}, {"commit", report.suite_commit}, {"dirty", report.suite_dirty}}},
      {"started", report.started},
      {"environment", report.environment},
      {"driver", report.driver},
      {"device", report.device},
      {"device_count", report.device_count}};
}

nlohmann::json json_report(const Report& report) {
  nlohmann::json totals = nlohmann::json::object();
  for (const Outcome outcome : kOutcomes) totals[std::string(name_of(outcome))] = report.count(outcome);
  totals["waived"] = report.waived();
  nlohmann::json tests = nlohmann::json::array();
  for (const TestRecord& record : report.tests) tests.push_back(record_json(report, record));
  nlohmann::json levels = nlohmann::json::array();
  for (const LevelVerdict& level : report.levels) levels.push_back(level_json(level));
  nlohmann::json not_run = nlohmann::json::array();
  for (const TestCase* test : report.not_run) not_run.push_back(test->id);
  nlohmann::json waivers = nlohmann::json::array();
  for (const Waiver& waiver : report.waivers) waivers.push_back(waiver_json(waiver));
  nlohmann::json shard = nullptr;
  if (report.shard) shard = {{"index", report.shard->index}, {"count", report.shard->count}};
  nlohmann::json suspects = nlohmann::json::array();
  for (const Suspect& one : suspects_of(report.tests)) {
    if (suspects.size() == kShownSuspects) break;
    suspects.push_back({{"clause", one.clause}, {"failed", one.failed}, {"tests", one.tests}});
  }
  const Containment containment = containment_of(report);
  nlohmann::json out = identity_block(report);
  out.update(
      {{"schema", kReportSchema},
       {"level", report.level},
       {"levels", levels},
       {"seed", report.seed},
       {"options",
        {{"shuffled", report.shuffled},
         {"filters", report.filters},
         {"jobs", report.jobs},
         {"timeout_s", report.timeout_s > 0 ? nlohmann::json(report.timeout_s) : nlohmann::json(nullptr)},
         {"entry_timeout_s", report.entry_timeout_s},
         {"target", report.target_arguments},
         {"kernels", report.kernels},
         {"kernels_sha256", report.kernels_sha256},
         {"waivers", report.waivers_file},
         {"waivers_sha256", report.waivers_sha256},
         {"allow_waivers", report.allow_waivers},
         {"round_trip_ns", report.round_trip_ns},
         {"patience_ns", report.patience_ns},
         {"test_deadline_s", report.test_deadline_s}}},
       {"shard", shard},
       {"shards", shards_json(report.shards)},
       {"resumed", report.resumed},
       {"verdict", name_of(report.verdict.verdict)},
       {"reasons", report.verdict.reasons},
       {"suspects", suspects},
       {"containment",
        {{"declared", containment.declared},
         {"observed", containment.observed},
         {"why_not", containment.why_not}}},
       {"waivers", waivers},
       {"evidence", evidence_json(report)},
       {"incomplete", report.incomplete},
       {"not_run", not_run},
       {"seconds", report.seconds},
       {"totals", totals},
       {"tests", tests}});
  return out;
}

}  // namespace xhal::conformance
