// SPDX-License-Identifier: Apache-2.0
#include "evidence/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "evidence/challenge.h"
#include "evidence/challenged_run.h"
#include "evidence/examine.h"
#include "evidence/replay.h"
#include "report/document.h"
#include "report/print.h"
#include "report/sha256.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/subject.h"
#include "run/verdict.h"

namespace xhal::conformance {

namespace fs = std::filesystem;
using namespace ending;

namespace {

std::optional<std::string> text_of(const fs::path& path) {
  std::error_code error;
  std::ifstream in(path, std::ios::binary);
  if (!fs::is_regular_file(path, error) || !in) return std::nullopt;
  return std::string{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// Stops where this is no bundle at all; nothing where its run left no report.
std::optional<Bundle> read_bundle(const std::string& folder) {
  const auto transcript = text_of(fs::path(folder) / kTranscriptFile);
  if (!transcript) {
    stop(kExitUsage,
         fmt::format("bundle {}: there is no {} that can be read; name the folder that --bundle made", folder,
                     kTranscriptFile));
  }
  Bundle out;
  out.transcript = read_transcript(*transcript);
  const fs::path path = fs::path(folder) / kReportFile;
  const auto text = text_of(path);
  if (!text) {
    print(stdout,
          "finding: {} is missing: the run was killed, {} of its tests had begun; it has to be run again\n",
          kReportFile, out.transcript.entries.size());
    return std::nullopt;
  }
  out.report_hash = sha256(*text);
  out.report = read_report(path.string());
  const auto evidence = out.report.find("evidence");
  if (evidence == out.report.end() || evidence->is_null())
    stop(kExitUsage, fmt::format("bundle {}: its report is of a run without --challenge", folder));
  return out;
}

void print_verdict(const Examination& seen) {
  const Report& report = *seen.again;
  const auto text = [](const nlohmann::json& object, const char* key) {
    return one_line(object.value(key, ""));
  };
  const Evidence& evidence = *report.evidence;
  print(stdout, "challenge '{}', seed {}\n", one_line(evidence.challenge), report.seed);
  print(stdout, "driver {} {}{}, device {}, suite {} ({})\n", text(report.driver, "name"),
        text(report.driver, "version"), report.driver.value("emulated", false) ? " EMULATED" : "",
        text(report.device, "name"), one_line(report.suite_version),
        one_line(report.suite_commit.substr(0, 12)));
  print(stdout, "driver file {} sha256 {}\n", text(report.driver, "path"), text(report.driver, "sha256"));
  const auto noticed =
      std::ranges::count_if(evidence.controls, [](const ControlRecord& one) { return one.noticed; });
  print(stdout, "{} tests, {} controls of which {} were noticed\n", report.tests.size(),
        evidence.controls.size(), noticed);
  print(stdout, "verdict of the run, level {}: {}\n", one_line(report.level),
        name_of(report.verdict.verdict));
  for (const std::string& reason : report.verdict.reasons) print(stdout, "  {}\n", one_line(reason));
}

int verify_checked(VerifyOptions& options) {
  if (options.share_directory.empty()) options.share_directory = default_share_directory();
  if (options.target.kernel_directory.empty())
    options.target.kernel_directory = options.share_directory + "/kernels";
  if (!options.challenge.empty()) {
    const std::string why = Challenge::why_unfit(options.challenge);
    if (!why.empty()) stop(kExitUsage, fmt::format("--challenge: {}", why));
  }
  const auto bundle = read_bundle(options.bundle);
  if (!bundle) return kExitMisbehaved;
  Examination seen = examine(*bundle, options.challenge, options.share_directory);
  for (const std::string& finding : seen.findings) print(stdout, "finding: {}\n", one_line(finding));
  size_t findings = seen.findings.size();
  if (options.replay && seen.again) {
    const uint64_t draw = drawn_seed();
    const Replay again = replay(*seen.again, *options.replay, draw, options.target, options.entry_deadline_s);
    if (again.interrupted) stop(kExitInterrupted, "interrupted while tests were replayed");
    for (const std::string& finding : again.findings) print(stdout, "finding: {}\n", one_line(finding));
    findings += again.findings.size();
    seen.notes.insert(seen.notes.end(), again.notes.begin(), again.notes.end());
    seen.notes.push_back(fmt::format("replayed {} of {} tests, {} digests differ", again.compared,
                                     again.possible, again.findings.size()));
  } else if (!options.replay) {
    seen.notes.emplace_back("no digest was computed again: --replay N does that for N tests");
  }
  for (const std::string& note : seen.notes) print(stdout, "note: {}\n", one_line(note));
  if (seen.again) print_verdict(seen);
  if (findings > 0) {
    print(stdout, "the bundle does not hold: {} {}\n", findings, findings == 1 ? "finding" : "findings");
    return kExitMisbehaved;
  }
  print(stdout, "the bundle holds; it is {}\n", kEvidenceClaim);
  Report report = *seen.again;
  // Whoever filters a run of their own knows what they left out; this one is a stranger's.
  if (report.verdict.verdict == Verdict::kNotJudged) return kExitMisbehaved;
  report.allow_waivers = options.allow_waivers;
  return exit_code_of(report);
}

}  // namespace

int verify(VerifyOptions options) {
  return ended([&] { return verify_checked(options); });
}

}  // namespace xhal::conformance
