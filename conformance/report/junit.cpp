// SPDX-License-Identifier: Apache-2.0
// JUnit XML, as the common CI systems read it: a suite for each area, one case for each test.
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
  if (outcome == Outcome::kPassed) return out + "/>\n";
  const std::string message = escaped(record.result.message, true);
  if (outcome == Outcome::kSkipped)
    return out + fmt::format(">\n      <skipped message=\"{}\"/>\n    </testcase>\n", message);
  const char* const element =
      outcome == Outcome::kCrashed || outcome == Outcome::kTimedOut ? "error" : "failure";
  return out + fmt::format(">\n      <{0} type=\"{1}\" message=\"{2}\">{3}</{0}>\n    </testcase>\n", element,
                           name_of(outcome), message, escaped(details(report, record), false));
}

}  // namespace

std::string junit_report(const Report& report) {
  std::map<std::string, std::vector<const TestRecord*>> areas;
  for (const TestRecord& record : report.tests) areas[record.test->definition->area].push_back(&record);
  std::string suites;
  size_t all_failures = 0;
  size_t all_errors = 0;
  size_t all_skipped = 0;
  for (const auto& [area, records] : areas) {
    size_t failures = 0;
    size_t errors = 0;
    size_t skipped = 0;
    double seconds = 0;
    std::string cases;
    for (const TestRecord* record : records) {
      const Outcome outcome = record->result.outcome;
      const bool error = outcome == Outcome::kCrashed || outcome == Outcome::kTimedOut;
      errors += error ? 1 : 0;
      skipped += outcome == Outcome::kSkipped ? 1 : 0;
      failures += is_bad(outcome) && !error ? 1 : 0;
      seconds += record->result.milliseconds / 1000;
      cases += case_xml(report, *record);
    }
    suites += fmt::format(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" "
        "time=\"{:.6f}\">\n{}  </testsuite>\n",
        escaped(area, true), records.size(), failures, errors, skipped, seconds, cases);
    all_failures += failures;
    all_errors += errors;
    all_skipped += skipped;
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuites name=\"xhal-conform {} {}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" "
      "time=\"{:.6f}\">\n{}</testsuites>\n",
      escaped(report.driver.value("name", ""), true), escaped(report.level, true), report.tests.size(),
      all_failures, all_errors, all_skipped, report.seconds, suites);
}

}  // namespace xhal::conformance
