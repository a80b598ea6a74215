// SPDX-License-Identifier: Apache-2.0
#include "evidence/controls.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <stdexcept>

#include "frame/random.h"
#include "run/subject.h"

namespace xhal::conformance {

namespace {

struct Control {
  const FaultInfo* fault = nullptr;
  std::vector<const TestCase*> tests;
};

const FaultInfo& fault_named(std::string_view name) {
  const auto faults = all_faults();
  const auto found = std::ranges::find(faults, name, &FaultInfo::name);
  if (found == faults.end()) throw std::logic_error(fmt::format("there is no fault {}", name));
  return *found;
}

const TestCase& test_named(std::string_view id) {
  const auto& cases = checked_cases();
  const auto found =
      std::ranges::lower_bound(cases, id, {}, [](const TestCase& one) { return std::string_view(one.id); });
  if (found == cases.end() || found->id != id) throw std::logic_error(fmt::format("there is no test {}", id));
  return *found;
}

std::vector<Control> applicable(const Claims& claims) {
  std::vector<Control> out;
  for (const ControlFault& one : control_faults()) {
    Control control{&fault_named(one.fault), {}};
    if (!claims.claims(control.fault->feature)) continue;
    for (const std::string_view id : one.tests) {
      const TestCase& test = test_named(id);
      if (why_not_applicable(test, claims).empty()) control.tests.push_back(&test);
    }
    if (!control.tests.empty()) out.push_back(std::move(control));
  }
  return out;
}

}  // namespace

std::vector<Step> schedule_of(const Challenge& challenge, const std::vector<const TestCase*>& tests,
                              const Claims& claims) {
  SplitMix random(challenge.control_seed());
  std::vector<Control> candidates = applicable(claims);
  shuffle(candidates, random.next());
  // Of different clauses, as long as there are enough.
  std::vector<Control> controls;
  std::vector<Control> others;
  std::set<uint16_t> clauses;
  for (Control& one : candidates) {
    auto& where = clauses.insert(one.fault->clause.index()).second ? controls : others;
    where.push_back(std::move(one));
  }
  std::ranges::move(others, std::back_inserter(controls));
  controls.resize(std::min(controls.size(), kControls));
  std::vector<std::pair<size_t, Step>> placed;
  for (Control& control : controls) {
    shuffle(control.tests, random.next());
    control.tests.resize(std::min(control.tests.size(), kTestsAControl));
    for (const TestCase* test : control.tests)
      placed.push_back({random.below(tests.size() + 1), {test, control.fault}});
  }
  std::ranges::stable_sort(placed, {}, [](const auto& one) { return one.first; });
  std::vector<Step> out;
  auto next = placed.begin();
  for (size_t i = 0; i <= tests.size(); ++i) {
    for (; next != placed.end() && next->first == i; ++next) out.push_back(next->second);
    if (i < tests.size()) out.push_back({tests[i], nullptr});
  }
  return out;
}

ControlRecord control_of(const Step& step, size_t index, const TestRecord& record) {
  const Outcome outcome = record.result.outcome;
  const auto& failures = record.result.failures;
  const bool by_assertion = outcome == Outcome::kFailed || outcome == Outcome::kRefused;
  const bool of_clause = std::ranges::any_of(
      failures, [&](const Failure& failure) { return failure.clause == step.fault->clause.id(); });
  return {index,
          std::string(step.fault->name),
          std::string(step.fault->clause.id()),
          step.test->id,
          std::string(name_of(outcome)),
          by_assertion && of_clause,
          record.result.message};
}

void apply_controls(Report& report) {
  if (!report.evidence) return;
  std::vector<std::string> reasons;
  for (const ControlRecord& control : report.evidence->controls) {
    if (control.noticed) continue;
    reasons.push_back(
        fmt::format("controls failed: with the fault {} over the driver {} {}, by no assertion of {}",
                    control.fault, control.test, control.outcome, control.clause));
  }
  if (reasons.empty()) return;
  const auto spoil = [&](LevelVerdict& level) {
    level.verdict = Verdict::kNotConformant;
    level.reasons.insert(level.reasons.end(), reasons.begin(), reasons.end());
  };
  spoil(report.verdict);
  for (LevelVerdict& level : report.levels) spoil(level);
}

}  // namespace xhal::conformance
