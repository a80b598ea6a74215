// SPDX-License-Identifier: Apache-2.0
// JUnit XML, as the common CI systems read it: a suite for each area, one case for each test. A run that was interrupted has a case more,
// an error, so that nobody takes what was seen for all that there is; tests that were not run are skipped ones.
#include <fmt/format.h>

#include <map>

#include "report/report.h"

namespace xhal::conformance {

namespace {

std::string escaped(std::string_view text, bool attribute) {
  std::string out;
  std::string clean;
  // Line breaks may stay in element text; everything else that XML forbids goes.
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = attribute ? text.size() : std::min(text.find('\n', begin), text.size());
    clean += one_line(text.substr(begin, end - begin));
    if (end >= text.size()) break;
    clean += '\n';
    begin = end + 1;
  }
  for (const char c : clean) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string details(const Report& report, const TestRecord& record) {
  std::string out;
  for (const Failure& failure : record.result.failures) out += to_string(failure) + "\n";
  if (!record.last_calls.empty()) {
    out += "last calls:\n";
    for (const std::string& call : record.last_calls) out += "  " + call + "\n";
  }
  if (!record.log.empty()) out += "output:\n" + record.log + "\n";
  return out + "again: " + report.rerun_command(record.test->id) + "\n";
}

std::string case_xml(const Report& report, const TestRecord& record) {
  const Outcome outcome = record.result.outcome;
  std::string out = fmt::format("    <testcase classname=\"{}\" name=\"{}\" time=\"{:.6f}\"",
                                escaped(record.test->definition->area, true), escaped(record.test->id, true),
                                record.result.milliseconds / 1000);
  if (outcome == Outcome::kPassed) {
    if (record.result.substitute.empty()) return out + "/>\n";
    return out + fmt::format(">\n      <system-out>by substitute: {}</system-out>\n    </testcase>\n",
                             escaped(record.result.substitute, false));
  }
  const std::string message = escaped(record.result.message, true);
  if (outcome == Outcome::kSkipped)
    return out + fmt::format(">\n      <skipped message=\"{}\"/>\n    </testcase>\n", message);
  const char* const element =
      outcome == Outcome::kCrashed || outcome == Outcome::kTimedOut ? "error" : "failure";
  return out + fmt::format(">\n      <{0} type=\"{1}\" message=\"{2}\">{3}</{0}>\n    </testcase>\n", element,
                           name_of(outcome), message, escaped(details(report, record), false));
}

struct Suite {
  size_t tests = 0;
  size_t failures = 0;
  size_t errors = 0;
  size_t skipped = 0;
  double seconds = 0;
  std::string cases;

  void add(const Report& report, const TestRecord& record) {
    const Outcome outcome = record.result.outcome;
    const bool error = outcome == Outcome::kCrashed || outcome == Outcome::kTimedOut;
    ++tests;
    errors += error ? 1 : 0;
    skipped += outcome == Outcome::kSkipped ? 1 : 0;
    failures += is_bad(outcome) && !error ? 1 : 0;
    seconds += record.result.milliseconds / 1000;
    cases += case_xml(report, record);
  }
};

Suite interruption(const Report& report) {
  Suite suite;
  suite.tests = suite.errors = 1;
  const std::string message =
      report.tests.empty() && report.not_run.empty()
          ? "the run was interrupted before its first test"
          : fmt::format("the run was interrupted: {} tests were not run", report.not_run.size());
  suite.cases = fmt::format(
      "    <testcase classname=\"run\" name=\"run.interrupted\" time=\"0\">\n"
      "      <error type=\"interrupted\" message=\"{}\"/>\n    </testcase>\n",
      message);
  return suite;
}

// What holds for the whole run stands in each suite: the root element may carry no properties.
std::string properties_xml(const Report& report) {
  const Containment containment = containment_of(report);
  const auto property = [](const char* name, const std::string& value) {
    return fmt::format("      <property name=\"{}\" value=\"{}\"/>\n", name, escaped(value, true));
  };
  const std::string observed = containment.observed ? "observed" : "not observed: " + containment.why_not;
  return "    <properties>\n" + property("verdict", std::string(name_of(report.verdict.verdict))) +
         property("incomplete", report.incomplete ? "true" : "false") +
         property("fault_scope_declared", containment.declared) + property("containment", observed) +
         property("required_passed_by_substitute", std::to_string(report.verdict.by_substitute)) +
         property("required_not_observed", std::to_string(report.verdict.not_observed)) +
         "    </properties>\n";
}

}  // namespace

std::string junit_report(const Report& report) {
  std::map<std::string, Suite> areas;
  for (const TestRecord& record : report.tests) areas[record.test->definition->area].add(report, record);
  for (const TestCase* test : report.not_run) {
    TestRecord record;
    record.test = test;
    record.result.outcome = Outcome::kSkipped;
    record.result.message = "not run: the run was interrupted";
    areas[test->definition->area].add(report, record);
  }
  if (report.incomplete) areas["run"] = interruption(report);
  const std::string properties = properties_xml(report);
  std::string suites;
  Suite all;
  for (const auto& [area, suite] : areas) {
    suites += fmt::format(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" "
        "time=\"{:.6f}\">\n{}{}  </testsuite>\n",
        escaped(area, true), suite.tests, suite.failures, suite.errors, suite.skipped, suite.seconds,
        properties, suite.cases);
    all.tests += suite.tests;
    all.failures += suite.failures;
    all.errors += suite.errors;
    all.skipped += suite.skipped;
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuites name=\"xhal-conform {} {}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" "
      "time=\"{:.6f}\">\n{}</testsuites>\n",
      escaped(report.driver.value("name", ""), true), escaped(report.level, true), all.tests, all.failures,
      all.errors, all.skipped, report.seconds, suites);
}

}  // namespace xhal::conformance
