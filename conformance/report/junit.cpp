// SPDX-License-Identifier: Apache-2.0
// JUnit XML, as the common CI systems read it: a suite for each area, one case for each test. A run that was interrupted has a case more,
// an error, so that nobody takes what was seen for all that there is; tests that were not run are skipped ones, and so are waived ones. Each
// waiver by which the run fails is a case, too.
#include <fmt/format.h>

#include <map>

#include "report/document.h"
#include "report/report.h"

namespace xhal::conformance {

using nlohmann::json;

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

std::string details(const json& test) {
  std::string out;
  for (const json& failure : test["failures"]) {
    out += to_string(Failure{text_at(failure, "clause"), text_at(failure, "where"),
                             text_at(failure, "expression"), text_at(failure, "message")}) +
           "\n";
  }
  if (!test["last_calls"].empty()) {
    out += "last calls:\n";
    for (const json& call : test["last_calls"]) out += "  " + call.get<std::string>() + "\n";
  }
  if (!text_at(test, "log").empty()) out += "output:\n" + text_at(test, "log") + "\n";
  return out + "again: " + text_at(test, "rerun") + "\n";
}

bool is_error(const std::string& outcome) { return outcome == "crashed" || outcome == "timed_out"; }

std::string skipped_case(const std::string& begin, const std::string& message) {
  return begin + fmt::format(">\n      <skipped message=\"{}\"/>\n    </testcase>\n", escaped(message, true));
}

std::string why_waived(const json& waiver) {
  const std::string link = text_at(waiver, "link");
  return fmt::format("waived: {} ({})", text_at(waiver, "reason"),
                     link.empty() ? text_at(waiver, "reproducer") : link);
}

struct Suite {
  size_t tests = 0;
  size_t failures = 0;
  size_t errors = 0;
  size_t skipped = 0;
  double seconds = 0;
  std::string cases;

  void add(const json& test) {
    const std::string outcome = text_at(test, "outcome");
    const std::string id = text_at(test, "id");
    const double time = test["milliseconds"].get<double>() / 1000;
    const std::string begin = fmt::format("    <testcase classname=\"{}\" name=\"{}\" time=\"{:.6f}\"",
                                          escaped(area_of(id), true), escaped(id, true), time);
    ++tests;
    seconds += time;
    const std::string substitute = text_at(test, "substitute");
    if (outcome == "passed") {
      cases +=
          substitute.empty()
              ? begin + "/>\n"
              : begin + fmt::format(">\n      <system-out>by substitute: {}</system-out>\n    </testcase>\n",
                                    escaped(substitute, false));
    } else if (outcome == "skipped" || outcome == kWaived) {
      ++skipped;
      cases +=
          skipped_case(begin, outcome == kWaived ? why_waived(test["waiver"]) : text_at(test, "message"));
    } else {
      (is_error(outcome) ? errors : failures) += 1;
      cases += begin + fmt::format(">\n      <{0} type=\"{1}\" message=\"{2}\">{3}</{0}>\n    </testcase>\n",
                                   is_error(outcome) ? "error" : "failure", outcome,
                                   escaped(text_at(test, "message"), true), escaped(details(test), false));
    }
  }

  void add_not_run(const std::string& id) {
    ++tests;
    ++skipped;
    cases += skipped_case(fmt::format("    <testcase classname=\"{}\" name=\"{}\" time=\"0\"",
                                      escaped(area_of(id), true), escaped(id, true)),
                          "not run: the run was interrupted");
  }

  // Of the run, not of a test.
  void add_error(const std::string& name, const char* type, const std::string& message) {
    ++tests;
    ++errors;
    cases += fmt::format(
        "    <testcase classname=\"run\" name=\"run.{}\" time=\"0\">\n"
        "      <error type=\"{}\" message=\"{}\"/>\n    </testcase>\n",
        escaped(name, true), type, escaped(message, true));
  }
};

// What holds for the whole run stands in each suite: the root element may carry no properties.
std::string properties_xml(const json& report) {
  const auto property = [](const char* name, const std::string& value) {
    return fmt::format("      <property name=\"{}\" value=\"{}\"/>\n", name, escaped(value, true));
  };
  const json& containment = report["containment"];
  const std::string observed =
      containment["observed"].get<bool>() ? "observed" : "not observed: " + text_at(containment, "why_not");
  const json asked = report["levels"].empty() ? json::object() : report["levels"].front();
  return "    <properties>\n" + property("verdict", text_at(report, "verdict")) +
         property("incomplete", report["incomplete"].get<bool>() ? "true" : "false") +
         property("fault_scope_declared", text_at(containment, "declared")) +
         property("containment", observed) +
         property("required_passed_by_substitute", std::to_string(asked.value("by_substitute", 0))) +
         property("required_not_observed", std::to_string(asked.value("not_observed", 0))) +
         property("required_waived", std::to_string(asked.value("waived", 0))) + "    </properties>\n";
}

}  // namespace

std::string junit_form(const json& report) {
  std::map<std::string, Suite> areas;
  for (const json& test : report["tests"]) areas[area_of(text_at(test, "id"))].add(test);
  for (const json& id : report["not_run"]) areas[area_of(id)].add_not_run(id);
  if (report["incomplete"].get<bool>()) {
    areas["run"].add_error(
        "interrupted", "interrupted",
        report["tests"].empty() && report["not_run"].empty()
            ? "the run was interrupted before its first test"
            : fmt::format("the run was interrupted: {} tests were not run", report["not_run"].size()));
  }
  for (const json& waiver : report["waivers"]) {
    if (text_at(waiver, "problem").empty()) continue;
    areas["run"].add_error("waiver." + text_at(waiver, "test"), "waiver", text_at(waiver, "problem"));
  }
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
      escaped(text_at(report["driver"], "name"), true), escaped(text_at(report, "level"), true), all.tests,
      all.failures, all.errors, all.skipped, report["seconds"].get<double>(), suites);
}

}  // namespace xhal::conformance
