// SPDX-License-Identifier: Apache-2.0
// What the suite notices of the fault pack over a driver.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "report/suspects.h"
#include "run/runner.h"
#include "strength/fault_list.h"

namespace xhal::conformance {

inline constexpr const char* kFaultsSchema = "xhal-conform-faults/1";

enum class FaultVerdict {
  kKilled,    // an assertion of its clause failed, with every seed, in a test that passes without the fault
  kSurvived,  // nobody noticed
  kCrashed,   // no kill, and a test's process died
  kTimedOut,  // no kill, and a test had no end
  kUnstable,  // noticed with some seeds, or behind other tests, only
  kNotApplicable,  // the device lacks the feature, or no test of the clause applies to it
};
std::string_view name_of(FaultVerdict verdict);

// Tests in which assertions of the same clauses failed, in the same order.
struct Failing {
  std::vector<std::string> clauses;
  std::vector<std::string> tests;
};

struct FaultRecord {
  const FaultInfo* fault = nullptr;
  FaultVerdict verdict = FaultVerdict::kSurvived;
  std::string why;                     // of a verdict that is no kill: one line
  std::vector<std::string> without;    // features that were kept back while it was measured
  std::vector<std::string> killed_by;  // ids of tests, with the first seed
  uint32_t seeds = 0;                  // with which it was killed
  std::vector<std::string>
      repeated_by;  // tests that killed it with every further seed that they were asked with
  std::vector<std::string> crashed;
  std::vector<std::string> timed_out;
  std::vector<std::string> noticed_by;  // tests in which any assertion failed that holds without the fault
  std::vector<Suspect> suspects;        // what a report says of these tests, with the first seed
  size_t first_of = 0;                  // the clause's place among them; 0: not at all
  std::vector<Failing> failures;        // of what the suspects were concluded
  size_t tests = 0;                     // that were run with the fault and the first seed
  double seconds = 0;
};

struct StrengthPlan {
  RunPlan run;  // tests: all that apply to the device; settings.seed: the first
  Claims claims;
  uint32_t seeds = 1;
  bool all_tests = false;         // every test, not only those of the fault's clause
  uint64_t long_patience_ns = 0;  // for tests that the run's own is too short for
  double entry_deadline_s = 60;   // for loading and enumerating
};

// One fault after another over one driver. What the tests say without a fault is asked once.
class Strength {
 public:
  explicit Strength(StrengthPlan plan) : plan_(std::move(plan)) {}

  // With the first seed. Nothing when it was interrupted.
  std::optional<FaultRecord> measure(const FaultInfo& fault);
  // With all further ones, those that were killed: the quickest of the tests that did it is asked again, and only where it does not
  // repeat, the others. A kill that does not repeat is none. False when interrupted.
  bool repeat(std::vector<FaultRecord>& records, const std::function<void(uint64_t)>& begun);
  // Whether it passes without a fault, with the first seed: others meet none.
  bool passes(const TestCase* test);

 private:
  struct Clean {
    std::map<const TestCase*, Outcome> outcomes;
  };
  // Features that the driver claims and that tests of what is not claimed want it to lack: the layer `variants` keeps them back.
  using Withheld = std::set<uint32_t>;
  // Tests that killed a fault, the quickest first, and then the others of its clause.
  struct Candidates {
    std::vector<const TestCase*> killers;
    std::vector<const TestCase*> others;
  };

  // Whether it is killed with this seed, by the first of the tests that does; nothing when interrupted.
  std::optional<const TestCase*> killed_with(uint64_t seed, const FaultInfo& fault,
                                             const std::vector<const TestCase*>& tests);

  std::optional<std::vector<TestRecord>> run(const std::vector<const TestCase*>& tests, uint64_t seed,
                                             const FaultInfo* fault);
  // All of them over a device that lacks these features.
  std::optional<std::vector<TestRecord>> run_without(const Withheld& features,
                                                     const std::vector<const TestCase*>& tests, uint64_t seed,
                                                     const FaultInfo* fault);
  // Outcomes without a fault; false when interrupted.
  bool know_clean(const std::vector<const TestCase*>& tests, uint64_t seed);
  std::vector<const TestCase*> tests_of(const FaultInfo& fault);
  Withheld withheld_for(const TestCase& test) const;
  const Claims& claims_without(const Withheld& features);
  Target target_for(const Withheld& features, const FaultInfo* fault) const;

  StrengthPlan plan_;
  std::map<Withheld, Claims> lesser_;
  std::map<uint64_t, Clean> clean_;  // by seed
  std::map<const FaultInfo*, Candidates> candidates_;
  std::set<const TestCase*> slow_;  // fail on the driver as it is unless they have long patience
};

// Everything of a measurement, for the JSON and the console.
struct StrengthReport {
  nlohmann::json identity;  // suite, driver, device and options, as in the report of a run
  std::vector<FaultRecord> faults;
  std::vector<const TestCase*> tests;  // all_tests: those that met every fault
  bool all_tests = false;
  bool incomplete = false;
  double seconds = 0;
  double first_seed_seconds = 0;
  std::map<std::string, bool>
      first_contact;  // by fault: whether the tests of the day noticed it when it was new

  [[nodiscard]] size_t count(FaultVerdict verdict) const;
  // All but those that do not apply.
  [[nodiscard]] size_t total() const { return faults.size() - count(FaultVerdict::kNotApplicable); }
};

nlohmann::json json_of(const StrengthReport& report);
void print_summary(std::FILE* out, const StrengthReport& report);
// The line of a fault that was not killed.
std::string line_of(const FaultRecord& record);

}  // namespace xhal::conformance
