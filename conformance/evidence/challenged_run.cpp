// SPDX-License-Identifier: Apache-2.0
#include "evidence/challenged_run.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "build_info.h"
#include "report/report_files.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/shard.h"
#include "run/subject.h"

namespace xhal::conformance {

namespace fs = std::filesystem;
using namespace ending;

namespace {

constexpr const char* kLayers = "XHAL_LAYERS";
constexpr const char* kFault = "XHAL_FAULTS";

std::string checked(const std::string& challenge) {
  const std::string why = Challenge::why_unfit(challenge);
  if (!why.empty()) stop(kExitUsage, fmt::format("--challenge: {}", why));
  return challenge;
}

void make_folder(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  const bool is_empty = !error && fs::is_directory(folder, error) && fs::is_empty(folder, error);
  if (error)
    stop(kExitUsage, fmt::format("--bundle {}: cannot make this folder: {}", folder, error.message()));
  if (!is_empty)
    stop(kExitUsage, fmt::format("--bundle {}: name a folder that is empty or not there", folder));
}

// Tells the transcript and the user, who counts the run's own tests alone.
class Both : public RunListener {
 public:
  Both(TranscriptWriter& transcript, RunListener& user, size_t done, size_t total)
      : transcript_(transcript), user_(user), done_(done), total_(total) {}

  void begun(const TestCase& test) override {
    transcript_.begun(test);
    user_.begun(test);
  }
  void ended(const TestRecord& record, size_t done, size_t total) override {
    transcript_.ended(record, done, total);
    user_.ended(record, done_ + done, total_);
  }

 private:
  TranscriptWriter& transcript_;
  RunListener& user_;
  size_t done_;
  size_t total_;
};

}  // namespace

RunPlan control_plan(const RunPlan& plan, const Step& step) {
  RunPlan out = plan;
  out.tests = {step.test};
  out.target.environment.emplace_back(kLayers, "faults");
  out.target.environment.emplace_back(kFault, fmt::format("name={}", step.fault->name));
  return out;
}

ChallengedRun::ChallengedRun(Options& options)
    : folder_(options.bundle), challenge_(checked(options.challenge), build::commit()) {
  const char* const layers = std::getenv(kLayers);
  if (layers != nullptr && *layers != 0) {
    stop(kExitUsage,
         fmt::format("--challenge: {} is set; the driver is judged alone, and by layers of the challenge",
                     kLayers));
  }
  if (chosen_shard(options.shard))
    stop(kExitUsage, "--challenge: it is answered by one whole run, not by shards");
  options.seed = challenge_.seed();
  options.target.kernel_key = challenge_.kernel_key();
  make_folder(folder_);
  try {
    report_file_.emplace(folder_ + "/" + kReportFile);
  } catch (const OutputError& error) {
    stop(kExitUsage, error.what());
  }
}

void ChallengedRun::open(Report& report, const Probe& found, const Options& options, int interrupt_fd) {
  // Nobody would notice a layer that cannot be loaded: the controls' tests fail, and none of them by a clause.
  Target layered = options.target;
  layered.kernel_key.clear();
  layered.environment.emplace_back(kLayers, "faults");
  layered.environment.emplace_back(kFault, "name=none");
  if (probed(layered, options.entry_deadline_s, interrupt_fd).ending == Probe::Ending::kInterrupted)
    stop(kExitInterrupted, "interrupted before the first test");
  transcript_.emplace(folder_ + "/" + kTranscriptFile);
  report.evidence = Evidence{challenge_.text(), found.kernel_names, {}, 0, ""};
  transcript_->open(report);
}

std::vector<TestRecord> ChallengedRun::run(const RunPlan& plan, const Claims& claims, Report& report,
                                           RunListener& listener, bool* interrupted) {
  std::vector<TestRecord> out;
  const std::vector<Step> steps = schedule_of(challenge_, plan.tests, claims);
  *interrupted = false;
  for (size_t i = 0; i < steps.size() && !*interrupted;) {
    if (steps[i].fault != nullptr) {
      // A user who saw it fail would look for a defect.
      for (const TestRecord& record : run_tests(control_plan(plan, steps[i]), *transcript_, interrupted))
        report.evidence->controls.push_back(control_of(steps[i], i, record));
      ++i;
      continue;
    }
    RunPlan part = plan;
    part.tests.clear();
    for (; i < steps.size() && steps[i].fault == nullptr; ++i) part.tests.push_back(steps[i].test);
    Both both(*transcript_, listener, out.size(), plan.tests.size());
    for (TestRecord& record : run_tests(part, both, interrupted)) out.push_back(std::move(record));
  }
  report.evidence->transcript_lines = transcript_->lines();
  report.evidence->transcript_head = transcript_->head();
  report.seconds = transcript_->seconds();
  return out;
}

void ChallengedRun::seal(const Report& report) {
  const std::string text = json_text(json_report(report));
  try {
    report_file_->commit(text);
  } catch (const OutputError& error) {
    stop(kExitInternal, error.what());
  }
  transcript_->seal(text);
}

}  // namespace xhal::conformance
