// SPDX-License-Identifier: Apache-2.0
#include "run/interfaces.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "report/print.h"
#include "run/subject.h"

namespace xhal::conformance {

namespace {

// Core is everybody's; a device that claims nothing else of what the interface stands on has it not.
bool is_absent(const Interface& interface, const Claims& claims) {
  bool has_own = false;
  for (const size_t clause : interface.clauses) {
    const int32_t feature = xhal_feature_from_name(std::string(clause_info(clause).feature).c_str());
    if (feature <= static_cast<int32_t>(XHAL_FEATURE_CORE)) return false;
    if (claims.claims(static_cast<uint32_t>(feature))) return false;
    has_own = true;
  }
  return has_own;
}

}  // namespace

std::vector<InterfaceVerdict> judge_interfaces(const Report& report, const Level& level,
                                               const Claims& claims) {
  std::map<const TestCase*, const TestRecord*> records;
  for (const TestRecord& record : report.tests) records[record.test] = &record;
  std::vector<InterfaceVerdict> out;
  for (const Interface& interface : level.interfaces) {
    InterfaceVerdict verdict;
    verdict.name = interface.name;
    for (const size_t clause : interface.clauses) verdict.clauses.emplace_back(clause_info(clause).id);
    bool is_whole = true;
    for (const TestCase& test : checked_cases()) {
      if (!stands_on(test, interface) || !belongs(test, level, claims)) continue;
      const bool required = is_required(test, level, claims);
      const auto found = records.find(&test);
      if (found == records.end()) {
        is_whole = is_whole && !required;
        continue;
      }
      const Outcome outcome = found->second->result.outcome;
      const bool is_skipped = outcome == Outcome::kSkipped;
      if (is_skipped && (!required || test.definition->info.may_be_unobservable)) continue;
      ++verdict.tests;
      if (outcome != Outcome::kPassed) verdict.failed.push_back(test.id);
    }
    if (is_absent(interface, claims))
      verdict.state = "absent";
    else if (!verdict.failed.empty())
      verdict.state = "fails";
    else
      verdict.state = is_whole && verdict.tests > 0 ? "works" : "not judged";
    out.push_back(std::move(verdict));
  }
  return out;
}

void print_interfaces(const Level& level) {
  for (const Interface& interface : level.interfaces) {
    std::string clauses;
    for (const size_t clause : interface.clauses) {
      clauses += clauses.empty() ? "" : " ";
      clauses += clause_info(clause).id;
    }
    print(stdout, "\n{}\n  {}\n", interface.name, clauses);
    for (const TestCase& test : checked_cases()) {
      if (stands_on(test, interface)) print(stdout, "  {}\n", test.id);
    }
  }
}

}  // namespace xhal::conformance
