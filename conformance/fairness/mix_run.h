// SPDX-License-Identifier: Apache-2.0
// One odd driver, judged, and how that is told.
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "fairness/fairness.h"
#include "fairness/variant_list.h"
#include "report/report.h"
#include "run/runner.h"

namespace xhal::conformance {

inline constexpr const char* kVariantsSchema = "xhal-conform-variants/1";

enum class MixVerdict {
  kConformant,     // every test passed that must, with every seed, and it was odd meanwhile
  kNotJudged,      // the same of the tests that a filter chose
  kNotConformant,  // a test went wrong: the test is unfair, or the variant is not legal
  kNeverOdd,       // no test went wrong, and its oddness never happened: nothing was shown
  kTakenApart,  // the same of a mix of more than two, whose pairs with what never was odd are run by themselves
  kBroken,      // it could not be opened
  kNotApplicable,  // the driver cannot be so, or has not what it would be odd about
};
std::string_view name_of(MixVerdict verdict);

struct MixFailure {
  std::string test;
  uint64_t seed = 0;
  std::string outcome;
  std::vector<std::string> clauses;  // of the assertions that failed
  std::string message;
  std::string rerun;  // a command for a shell
};

struct MixRecord {
  Mix mix;
  MixVerdict verdict = MixVerdict::kNotApplicable;
  std::string why;  // one line, unless conformant
  std::map<std::string, uint64_t> oddness;
  std::map<std::string, uint64_t> totals;  // by outcome, of all seeds
  std::vector<MixFailure> failures;
  double seconds = 0;

  [[nodiscard]] bool is_bad() const {
    return verdict == MixVerdict::kNotConformant || verdict == MixVerdict::kNeverOdd ||
           verdict == MixVerdict::kBroken;
  }
};

struct MixPlan {
  const FairnessOptions& options;
  const Level& level;
  Probe base;  // the driver as it is
  int interrupt_fd = -1;
};

// Why the driver cannot be so; "" when it can.
std::string why_not(const Variant& variant, const Probe& base);

// Nothing when it was interrupted.
std::optional<MixRecord> run_mix(const Mix& mix, const MixPlan& plan);

// One oddness may hide another. Of such a mix of more than two: each variant that never was odd, with each of the others.
std::vector<Mix> pairs_of_hidden(const MixRecord& record);

nlohmann::json json_of(const MixRecord& record);
// What the console says of it, with a line for each test that went wrong.
void print_record(std::FILE* out, const MixRecord& record);

}  // namespace xhal::conformance
