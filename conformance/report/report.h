// SPDX-License-Identifier: Apache-2.0
// What a run has found, and the forms in which it is told.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "frame/recorder.h"
#include "frame/test.h"
#include "run/level.h"

namespace xhal::conformance {

inline constexpr const char* kReportSchema = "xhal-conform/1";
inline constexpr const char* kListSchema = "xhal-conform-list/1";

enum class Verdict {
  kConformant,
  kNotConformant,
  kNothingToTest,
  kNotJudged  // nothing bad was seen, but a filter or an interruption left tests out
};
std::string_view name_of(Verdict verdict);

struct TestRecord {
  const TestCase* test = nullptr;
  TestResult result;
  bool required = false;
  std::vector<std::string> last_calls;  // of a crash or hang
  std::string log;                      // the end of what the worker printed, for bad outcomes
};

struct LevelVerdict {
  std::string level;
  Verdict verdict = Verdict::kNotJudged;
  size_t required = 0;
  size_t required_passed = 0;
  size_t by_substitute = 0;          // of those that passed: less was checked than what they are called after
  size_t not_observed = 0;           // not counted as required: their clause cannot be seen on this device
  std::vector<std::string> reasons;  // one line each
};

// Whether a fault stays within the scope that the device declares: its word, until a fault has been made and looked at.
struct Containment {
  std::string declared;  // "stream", "context", "device", "process"
  bool observed = false;
  std::string why_not;  // "" when observed
};

struct Report {
  // Who tested.
  std::string suite_version;
  std::string suite_commit;
  bool suite_dirty = false;
  // Who was tested; as the driver tells it.
  nlohmann::json driver = nlohmann::json::object();
  nlohmann::json device = nlohmann::json::object();
  size_t device_count = 0;
  // How.
  std::string level;
  uint64_t seed = 0;
  bool shuffled = true;
  std::vector<std::string> filters;
  uint64_t round_trip_ns = 0;
  uint64_t patience_ns = 0;
  double test_deadline_s = 0;
  std::string target_arguments;  // "--backend sim --device 0"
  // What was seen.
  std::vector<TestRecord> tests;         // by id
  bool incomplete = false;               // interrupted: further tests were selected
  std::vector<const TestCase*> not_run;  // incomplete: those that apply and have no result, by id
  double seconds = 0;
  LevelVerdict verdict;
  std::vector<LevelVerdict> levels;  // of all levels whose tests were all run

  [[nodiscard]] size_t count(Outcome outcome) const;
  [[nodiscard]] std::string rerun_command(const std::string& test) const;
};

Containment containment_of(const Report& report);

LevelVerdict judge(const Report& report, const Level& level, const Claims& claims);

nlohmann::json json_report(const Report& report);
std::string junit_report(const Report& report);

// Text for one line of a terminal or an XML attribute: control characters and broken UTF-8 made harmless.
std::string one_line(std::string_view text);
// 'text' as a word of a POSIX shell.
std::string shell_word(const std::string& text);

}  // namespace xhal::conformance
