// SPDX-License-Identifier: Apache-2.0
#include "report/report.h"

namespace xhal::conformance {

namespace {

nlohmann::json clause_ids(const std::vector<Clause>& clauses) {
  nlohmann::json out = nlohmann::json::array();
  for (const Clause clause : clauses) out.push_back(clause.id());
  return out;
}

nlohmann::json test_json(const Report& report, const TestRecord& record) {
  nlohmann::json failures = nlohmann::json::array();
  for (const Failure& failure : record.result.failures) {
    failures.push_back(
        {{"clause", failure.clause.empty() ? nlohmann::json(nullptr) : nlohmann::json(failure.clause)},
         {"where", failure.where},
         {"expression", failure.expression},
         {"message", failure.message}});
  }
  nlohmann::json out = {{"id", record.test->id},
                        {"clauses", clause_ids(record.test->definition->info.clauses)},
                        {"asserted", record.result.asserted},
                        {"observes", record.test->definition->info.observes},
                        {"required", record.required},
                        {"outcome", name_of(record.result.outcome)},
                        {"milliseconds", record.result.milliseconds},
                        {"message", record.result.message},
                        {"notes", record.result.notes},
                        {"substitute", record.result.substitute},
                        {"failures", failures}};
  if (is_bad(record.result.outcome)) {
    out["last_calls"] = record.last_calls;
    out["log"] = record.log;
    out["rerun"] = report.rerun_command(record.test->id);
  }
  return out;
}

nlohmann::json level_json(const LevelVerdict& level) {
  return {{"level", level.level},
          {"verdict", name_of(level.verdict)},
          {"required", level.required},
          {"required_passed", level.required_passed},
          {"by_substitute", level.by_substitute},
          {"not_observed", level.not_observed},
          {"reasons", level.reasons}};
}

}  // namespace

nlohmann::json json_report(const Report& report) {
  nlohmann::json totals = nlohmann::json::object();
  for (const Outcome outcome : kOutcomes) totals[std::string(name_of(outcome))] = report.count(outcome);
  totals["waived"] = 0;  // waivers do not exist yet; readers may rely on the field
  nlohmann::json tests = nlohmann::json::array();
  for (const TestRecord& record : report.tests) tests.push_back(test_json(report, record));
  nlohmann::json levels = nlohmann::json::array();
  for (const LevelVerdict& level : report.levels) levels.push_back(level_json(level));
  nlohmann::json not_run = nlohmann::json::array();
  for (const TestCase* test : report.not_run) not_run.push_back(test->id);
  const Containment containment = containment_of(report);
  return {
      {"schema", kReportSchema},
      {"abi", std::to_string(XHAL_ABI_MAJOR) + "." + std::to_string(XHAL_ABI_MINOR) + "." +
                  std::to_string(XHAL_ABI_REVISION)},
      {"suite",
       {{"version", report.suite_version}, {"commit", report.suite_commit}, {"dirty", report.suite_dirty}}},
      {"driver", report.driver},
      {"device", report.device},
      {"device_count", report.device_count},
      {"level", report.level},
      {"levels", levels},
      {"seed", report.seed},
      {"options",
       {{"shuffled", report.shuffled},
        {"filters", report.filters},
        {"round_trip_ns", report.round_trip_ns},
        {"patience_ns", report.patience_ns},
        {"test_deadline_s", report.test_deadline_s}}},
      {"verdict", name_of(report.verdict.verdict)},
      {"reasons", report.verdict.reasons},
      {"containment",
       {{"declared", containment.declared},
        {"observed", containment.observed},
        {"why_not", containment.why_not}}},
      {"incomplete", report.incomplete},
      {"not_run", not_run},
      {"seconds", report.seconds},
      {"totals", totals},
      {"tests", tests}};
}

}  // namespace xhal::conformance
