// SPDX-License-Identifier: Apache-2.0
// What a run has found, and the forms in which it is told.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "frame/recorder.h"
#include "frame/test.h"
#include "run/level.h"
#include "run/shard.h"

namespace xhal::conformance {

inline constexpr const char* kReportSchema = "xhal-conform/1";
inline constexpr const char* kListSchema = "xhal-conform-list/1";

enum class Verdict {
  kConformant,
  kConformantWithWaivers,  // but for required tests that a waiver excuses
  kNotConformant,
  kNothingToTest,
  kNotJudged  // a filter or an interruption left tests out and nothing bad was seen, or the run is a shard
};
std::string_view name_of(Verdict verdict);
std::optional<Verdict> verdict_from_name(std::string_view name);

// What a totals field and a test's `outcome` say of a test that a waiver excuses.
inline constexpr std::string_view kWaived = "waived";

struct TestRecord {
  const TestCase* test = nullptr;
  TestResult result;
  bool required = false;
  std::optional<size_t> waiver;         // which of the report's excuses it
  std::vector<std::string> last_calls;  // of a crash or hang
  std::string log;                      // the end of what the worker printed, for bad outcomes
};

// Of a level's interface: what its tests say.
struct InterfaceVerdict {
  std::string name;
  std::string
      state;  // "works", "fails", "absent" where the device lacks the feature, "not judged" where tests are missing
  std::vector<std::string> clauses;
  size_t tests = 0;                 // that were asked for
  std::vector<std::string> failed;  // ids of those that did not pass
};

struct LevelVerdict {
  std::string level;
  Verdict verdict = Verdict::kNotJudged;
  size_t required = 0;
  size_t required_passed = 0;
  size_t by_substitute = 0;          // of those that passed: less was checked than what they are called after
  size_t not_observed = 0;           // not counted as required: their clause cannot be seen on this device
  size_t waived = 0;                 // of those required: they went wrong as a waiver expects
  std::vector<std::string> reasons;  // one line each
  std::vector<InterfaceVerdict> interfaces;
};

// Whether a fault stays within the scope that the device declares: its word, until a fault has been made and looked at.
struct Containment {
  std::string declared;  // "stream", "context", "device", "process"
  bool observed = false;
  std::string why_not;  // "" when observed
};

// An entry of a file of waivers, and what became of it.
struct Waiver {
  std::string test;  // glob over ids
  std::string reason;
  std::string link;        // of the public bug, or
  std::string reproducer;  // a file in the vendor's plain API
  std::string expires;     // "2027-05-31"
  std::string driver = "*";
  std::string device = "*";
  std::string message;             // the failure contains it
  std::string state = "unused";    // or "used", "passing", "expired", "not for this device", "not looked at"
  std::string problem;             // why the run fails by it; "" when it does not
  std::vector<std::string> tests;  // those that it excuses
};

// A shard of a report that was merged.
struct ShardOrigin {
  unsigned index = 1;
  double seconds = 0;
  std::string started;
  std::string device_uuid;
  nlohmann::json environment = nlohmann::json::object();
};

// A test that was run with a fault over the driver, which it had to notice.
struct ControlRecord {
  size_t index = 0;  // among all that was run
  std::string fault;
  std::string clause;  // that the fault breaks
  std::string test;
  std::string outcome;
  bool noticed = false;  // by an assertion of that clause
  std::string message;
};

// What the answer to a reviewer's challenge has beside the results (conformance/evidence).
struct Evidence {
  std::string challenge;
  std::string kernel_names;  // "derived", or why the kernels kept theirs
  std::vector<ControlRecord> controls;
  size_t transcript_lines = 0;
  std::string transcript_head;  // hash of the last of them
};

struct Report {
  std::string started;  // UTC, "2026-01-31T12:00:00Z"
  // Who tested.
  std::string suite_version;
  std::string suite_commit;
  bool suite_dirty = false;
  // Who was tested; as the driver tells it.
  nlohmann::json driver = nlohmann::json::object();
  nlohmann::json device = nlohmann::json::object();
  size_t device_count = 0;
  nlohmann::json environment = nlohmann::json::object();  // the machine
  // How.
  std::string level;
  uint64_t seed = 0;
  bool shuffled = true;
  std::vector<std::string> filters;
  unsigned jobs = 1;
  double timeout_s = 0;  // as the user gave it; 0: calibrated
  double entry_timeout_s = 0;
  std::string kernels;
  std::string kernels_sha256;  // of the pack's manifest
  std::string waivers_file;
  std::string waivers_sha256;
  bool allow_waivers = false;
  uint64_t round_trip_ns = 0;
  uint64_t patience_ns = 0;
  double test_deadline_s = 0;
  std::string target_arguments;     // "--backend sim --device 0"
  std::optional<Shard> shard;       // a part only
  std::vector<ShardOrigin> shards;  // merged of these
  unsigned resumed = 0;             // how often the run was interrupted and went on
  // What was seen.
  std::vector<TestRecord> tests;         // by id
  bool incomplete = false;               // interrupted: further tests were selected
  std::vector<const TestCase*> not_run;  // incomplete: those that apply and have no result, by id
  double seconds = 0;
  LevelVerdict verdict;
  std::vector<LevelVerdict> levels;  // of all levels whose tests were all run
  std::vector<Waiver> waivers;
  std::optional<Evidence> evidence;

  [[nodiscard]] size_t count(Outcome outcome) const;  // without what is waived
  [[nodiscard]] size_t waived() const;
  [[nodiscard]] bool anything_bad() const;
  [[nodiscard]] bool waivers_fail() const;
  [[nodiscard]] std::string rerun_command(const std::string& test) const;
};

Containment containment_of(const Report& report);

LevelVerdict judge(const Report& report, const Level& level, const Claims& claims);

// What a reader sees of the test: its outcome, or that it is waived.
std::string_view outcome_word(const TestRecord& record);

// Who was looked at by whom, where: the part that the reports of all tools have in common.
nlohmann::json identity_block(const Report& report);
nlohmann::json json_report(const Report& report);
// The report that json_report() made this of. Throws nlohmann::json::exception, or std::invalid_argument for a test that this program does
// not have.
Report report_from_json(const nlohmann::json& json);
nlohmann::json record_json(const Report& report, const TestRecord& record);
TestRecord record_from_json(const nlohmann::json& json);

// Text for one line of a terminal or an XML attribute: control characters and broken UTF-8 made harmless.
std::string one_line(std::string_view text);
// 'text' as a word of a POSIX shell.
std::string shell_word(const std::string& text);

}  // namespace xhal::conformance
