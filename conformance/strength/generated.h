// SPDX-License-Identifier: Apache-2.0
// What the suite notices of the generated faults: every entry of the contract, wrong in every way that its parameters have room for.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "faults/census.hpp"
#include "strength/strength.h"

namespace xhal::conformance {

inline constexpr const char* kGeneratedSchema = "xhal-conform-generated/1";

enum class GeneratedVerdict {
  kKilled,         // an assertion of a clause failed in a test that passes without the fault
  kSurvived,       // nobody noticed
  kNoticed,        // a test failed, by no assertion of a clause
  kCrashed,        // no kill, and a test's process died
  kTimedOut,       // no kill, and a test had no end
  kEquivalent,     // survived, and the list says why nobody can notice
  kNotApplicable,  // the device lacks the feature or a second device
};
inline constexpr std::array kGeneratedVerdicts = {
    GeneratedVerdict::kKilled,       GeneratedVerdict::kSurvived, GeneratedVerdict::kNoticed,
    GeneratedVerdict::kCrashed,      GeneratedVerdict::kTimedOut, GeneratedVerdict::kEquivalent,
    GeneratedVerdict::kNotApplicable};
std::string_view name_of(GeneratedVerdict verdict);

struct GeneratedRecord {
  faults::GeneratedFault fault{};
  GeneratedVerdict verdict = GeneratedVerdict::kSurvived;
  std::string killed_by;  // the first test, and
  std::string clause;     // the clause that it names
  std::string why;        // of what was not killed: one line
  uint64_t lies = 0;      // calls in which it had its way while it was measured
  size_t tests = 0;       // that were run
  size_t calling = 0;     // that call the entry and pass without the fault
  double seconds = 0;
};

// Tests with the entries that each calls on the driver as it is, the most specific first for each entry.
class CallMap {
 public:
  // Runs them once, one after another. False when interrupted.
  bool learn(const RunPlan& plan);
  [[nodiscard]] std::vector<const TestCase*> callers_of(size_t call) const;
  [[nodiscard]] size_t sound() const { return tests_.size(); }

 private:
  struct Seen {
    const TestCase* test;
    std::array<bool, faults::kCallCount> calls;
    size_t entries;
    double milliseconds;
  };
  std::vector<Seen> tests_;
};

class Generated {
 public:
  explicit Generated(StrengthPlan plan) : plan_(std::move(plan)) {}

  bool learn() { return map_.learn(plan_.run); }
  [[nodiscard]] const CallMap& map() const { return map_; }
  // Nothing when it was interrupted.
  std::optional<GeneratedRecord> measure(const faults::GeneratedFault& fault);

 private:
  StrengthPlan plan_;
  CallMap map_;
  std::map<size_t, std::vector<const TestCase*>> killers_;  // of an entry's other faults, the latest first
};

// Why nobody can notice a fault, from a file that people write.
class Equivalents {
 public:
  // Stops with what is wrong with the file.
  explicit Equivalents(const std::string& path);
  // Leaves out what is said of other drivers.
  void keep_those_of(const std::string& driver);
  // "" when it is not listed.
  [[nodiscard]] std::string reason(const std::string& fault) const;
  [[nodiscard]] size_t size() const { return reasons_.size(); }

 private:
  struct Entry {
    std::string reason;
    std::string driver;  // "": any
  };
  std::map<std::string, Entry> reasons_;
};

}  // namespace xhal::conformance
