// SPDX-License-Identifier: Apache-2.0
#include "report/suspects.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "report/document.h"

namespace xhal::conformance {
namespace {

// What is broken breaks most of what judges it; a clause that many tests judge in passing fails in few of them; one test alone is little evidence; a
// test that speaks against several says less of each; and what fails behind another failure of the same test may follow from that. Of the
// weights that were tried on the faults of conformance/faults, each under all tests, the simplest of the best: those near it send a
// reader as well.
double weight_of(const Suspect& one) { return one.said / std::sqrt(static_cast<double>(one.tests) + 1); }

void add_once(std::vector<std::string_view>& to, std::string_view clause) {
  if (!clause.empty() && std::ranges::find(to, clause) == to.end()) to.push_back(clause);
}

}  // namespace

std::vector<Suspect> suspects_of(const std::vector<Testimony>& tests) {
  std::map<std::string_view, Suspect> all;
  for (const Testimony& test : tests) {
    std::vector<std::string_view> judged = test.judges;
    for (const std::string_view clause : test.broken) add_once(judged, clause);
    for (const std::string_view clause : judged) ++all[clause].tests;
    if (test.broken.empty()) continue;
    const double part = 1.0 / static_cast<double>(test.broken.size());
    for (const std::string_view clause : test.broken) {
      ++all[clause].failed;
      all[clause].said += part;
    }
    ++all[test.broken.front()].first;
    all[test.broken.front()].said += part;
  }
  std::vector<Suspect> out;
  for (auto& [clause, suspect] : all) {
    if (suspect.failed == 0) continue;
    suspect.clause = clause;
    out.push_back(std::move(suspect));
  }
  std::ranges::stable_sort(out, std::greater<>(), weight_of);
  return out;
}

std::vector<std::string_view> broken_clauses(const TestRecord& record) {
  std::vector<std::string_view> out;
  for (const Failure& failure : record.result.failures) add_once(out, failure.clause);
  return out;
}

std::vector<Suspect> suspects_of(const std::vector<TestRecord>& records) {
  std::vector<Testimony> tests;
  for (const TestRecord& record : records) {
    if (record.result.outcome == Outcome::kSkipped) continue;
    Testimony one;
    for (const Clause clause : record.test->definition->info.clauses) one.judges.push_back(clause.id());
    one.broken = broken_clauses(record);
    tests.push_back(std::move(one));
  }
  return suspects_of(tests);
}

std::vector<Suspect> suspects_of(const nlohmann::json& report) {
  std::vector<Testimony> tests;
  for (const nlohmann::json& test : report["tests"]) {
    if (test["outcome"] == name_of(Outcome::kSkipped)) continue;
    Testimony one;
    for (const nlohmann::json& clause : test["clauses"])
      one.judges.push_back(clause.get_ref<const std::string&>());
    for (const nlohmann::json& failure : test["failures"]) {
      const auto clause = failure.find("clause");
      if (clause != failure.end() && clause->is_string())
        add_once(one.broken, clause->get_ref<const std::string&>());
    }
    tests.push_back(std::move(one));
  }
  return suspects_of(tests);
}

}  // namespace xhal::conformance
