// SPDX-License-Identifier: Apache-2.0
#include "run/verdict.h"

#include <algorithm>
#include <set>

#include "evidence/controls.h"
#include "run/exit_codes.h"
#include "run/interfaces.h"
#include "run/subject.h"
#include "run/waivers.h"

namespace xhal::conformance {

using namespace ending;

namespace {

LevelVerdict judged(const Report& report, const Level& level, const Claims& claims) {
  LevelVerdict out = judge(report, level, claims);
  out.interfaces = judge_interfaces(report, level, claims);
  return out;
}

std::vector<LevelVerdict> other_levels(const Report& report, const Level& level, const Claims& claims,
                                       const std::string& share_directory) {
  std::vector<LevelVerdict> out;
  std::set<const TestCase*> ran;
  for (const TestRecord& record : report.tests) ran.insert(record.test);
  for (const std::string& name : level_names(share_directory + "/levels")) {
    if (name == level.name) continue;
    try {
      const Level other = load_level(name, share_directory + "/levels");
      const bool whole = std::ranges::all_of(checked_cases(), [&](const TestCase& test) {
        return !is_required(test, other, claims) || ran.contains(&test);
      });
      // A level whose features are missing is no news in a run that did not ask for it.
      if (whole && missing_features(other, claims).empty()) out.push_back(judged(report, other, claims));
    } catch (const LevelError&) {
      // A broken file of another level does not spoil this run.
    }
  }
  return out;
}

}  // namespace

std::vector<const TestCase*> selected_tests(const std::vector<std::string>& filters, const Level& level,
                                            const Claims& claims) {
  std::vector<const TestCase*> out;
  for (const TestCase* test : filtered(filters)) {
    if (level.all_claimed || belongs(*test, level, claims)) out.push_back(test);
  }
  return out;
}

void conclude(Report& report, const Level& level, const Claims& claims, const std::string& share_directory) {
  std::ranges::sort(report.tests, {}, [](const TestRecord& one) { return one.test->id; });
  apply_waivers(report);
  report.verdict = judged(report, level, claims);
  report.levels = other_levels(report, level, claims, share_directory);
  report.levels.insert(report.levels.begin(), report.verdict);
  apply_controls(report);
}

int exit_code_of(const Report& report) {
  if (report.incomplete) return kExitInterrupted;
  if (report.waivers_fail()) return kExitMisbehaved;
  switch (report.verdict.verdict) {
    case Verdict::kConformant:
      return kExitOk;
    case Verdict::kConformantWithWaivers:
      return report.allow_waivers ? kExitOk : kExitMisbehaved;
    case Verdict::kNotJudged:
      return report.anything_bad() ? kExitMisbehaved : kExitOk;
    case Verdict::kNotConformant:
      return kExitMisbehaved;
    case Verdict::kNothingToTest:
      return kExitNothing;
  }
  return kExitInternal;
}

}  // namespace xhal::conformance
