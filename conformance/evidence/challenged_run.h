// SPDX-License-Identifier: Apache-2.0
// The answer to a challenge: a run in the order that it gives, with its controls, and the bundle that is left of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "evidence/challenge.h"
#include "evidence/controls.h"
#include "evidence/transcript.h"
#include "report/output_file.h"
#include "run/run.h"
#include "run/runner.h"

namespace xhal::conformance {

inline constexpr const char* kReportFile = "report.json";
inline constexpr const char* kTranscriptFile = "transcript.jsonl";

class ChallengedRun {
 public:
  // Makes the bundle's folder. What the options leave open gets its value of the challenge; what contradicts one stops the run.
  explicit ChallengedRun(Options& options);

  // Before anything is run: looks whether the controls can be put over the driver.
  void open(Report& report, const Probe& found, const Options& options, int interrupt_fd);
  // As run_tests() does, with the controls between.
  std::vector<TestRecord> run(const RunPlan& plan, const Claims& claims, Report& report,
                              RunListener& listener, bool* interrupted);
  // Behind all that is judged: puts the report into the bundle.
  void seal(const Report& report);

 private:
  std::string folder_;
  Challenge challenge_;
  std::optional<OutputFile> report_file_;
  std::optional<TranscriptWriter> transcript_;
};

// The plan of one test with a fault over the driver.
RunPlan control_plan(const RunPlan& plan, const Step& step);

}  // namespace xhal::conformance
