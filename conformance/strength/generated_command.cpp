// SPDX-License-Identifier: Apache-2.0
// xhal-conform faults --generated, behind its command line.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "report/output_file.h"
#include "report/print.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "strength/generated.h"
#include "strength/setup.h"

namespace xhal::conformance {

using namespace ending;
using faults::GeneratedFault;
using faults::kCalls;
using faults::kHows;

namespace {

bool matches_any(const std::vector<std::string>& globs, std::string_view text) {
  return globs.empty() ||
         std::ranges::any_of(globs, [&](const std::string& glob) { return glob_matches(glob, text); });
}

std::vector<GeneratedFault> selected(const FaultOptions& options) {
  for (const std::string& how : options.hows) {
    if (std::ranges::any_of(kHows, [&](const auto& one) { return one.name == how; })) continue;
    std::vector<std::string_view> names;
    for (const auto& one : kHows) names.push_back(one.name);
    stop(kExitUsage, fmt::format("--how {}: there is no such way to be wrong; there are {}", how,
                                 fmt::join(names, ", ")));
  }
  std::vector<GeneratedFault> out;
  for (const GeneratedFault& fault : faults::generated_faults()) {
    const std::string name = fault.name();
    const std::string how(faults::info_of(fault.how).name);
    if (matches_any(options.faults, name) && matches_any(options.entries, kCalls[fault.call].name) &&
        (options.hows.empty() || std::ranges::find(options.hows, how) != options.hows.end()) &&
        shard_of(name, options.shard.count) == options.shard.index)
      out.push_back(fault);
  }
  if (out.empty())
    stop(kExitNothing, "--generated: no fault is selected; --generated --list shows their names");
  return out;
}

struct Measurement {
  explicit Measurement(const Equivalents& listed) : equivalents(listed) {}
  nlohmann::json identity;
  std::vector<GeneratedRecord> faults;
  const Equivalents& equivalents;
  size_t sound = 0;
  bool incomplete = false;
  double seconds = 0;

  [[nodiscard]] size_t count(GeneratedVerdict verdict) const {
    return static_cast<size_t>(std::ranges::count_if(
        faults, [&](const GeneratedRecord& record) { return record.verdict == verdict; }));
  }
  // All that somebody could notice.
  [[nodiscard]] size_t total() const {
    return faults.size() - count(GeneratedVerdict::kNotApplicable) - count(GeneratedVerdict::kEquivalent);
  }
  // Listed as equivalent, and killed all the same.
  [[nodiscard]] std::vector<std::string> refuted() const {
    std::vector<std::string> out;
    for (const GeneratedRecord& record : faults) {
      if (record.verdict == GeneratedVerdict::kKilled && !equivalents.reason(record.fault.name()).empty())
        out.push_back(record.fault.name());
    }
    return out;
  }
};

nlohmann::json json_of(const Measurement& report) {
  nlohmann::json out = report.identity;
  out["schema"] = kGeneratedSchema;
  out["killed"] = report.count(GeneratedVerdict::kKilled);
  out["total"] = report.total();
  out["tests"] = report.sound;
  out["verdicts"] = nlohmann::json::object();
  for (const GeneratedVerdict verdict : kGeneratedVerdicts)
    out["verdicts"][std::string(name_of(verdict))] = report.count(verdict);
  out["hows"] = nlohmann::json::array();
  for (size_t i = 0; i < kHows.size(); ++i) {
    size_t killed = 0;
    size_t total = 0;
    for (const GeneratedRecord& record : report.faults) {
      if (static_cast<size_t>(record.fault.how) != i || record.verdict == GeneratedVerdict::kNotApplicable ||
          record.verdict == GeneratedVerdict::kEquivalent)
        continue;
      ++total;
      killed += record.verdict == GeneratedVerdict::kKilled ? 1 : 0;
    }
    out["hows"].push_back(
        {{"name", kHows[i].name}, {"about", kHows[i].about}, {"killed", killed}, {"total", total}});
  }
  out["faults"] = nlohmann::json::array();
  for (const GeneratedRecord& record : report.faults) {
    const auto& call = kCalls[record.fault.call];
    const std::string name = record.fault.name();
    out["faults"].push_back({{"name", name},
                             {"entry", call.name},
                             {"how", faults::info_of(record.fault.how).name},
                             {"feature", feature_name(call.feature)},
                             {"verdict", name_of(record.verdict)},
                             {"killed_by", record.killed_by},
                             {"clause", record.clause},
                             {"why", record.why},
                             {"equivalent", report.equivalents.reason(name)},
                             {"lies", record.lies},
                             {"tests", record.tests},
                             {"calling", record.calling},
                             {"seconds", record.seconds}});
  }
  out["refuted"] = report.refuted();
  out["incomplete"] = report.incomplete;
  out["seconds"] = report.seconds;
  return out;
}

std::string line_of(const GeneratedRecord& record) {
  return fmt::format("{:<14} {} ({})", name_of(record.verdict), record.fault.name(), record.why);
}

void print_summary(std::FILE* out, const Measurement& report) {
  const size_t killed = report.count(GeneratedVerdict::kKilled);
  print(
      out, "\n{} of {} generated faults killed ({:.1f} %)", killed, report.total(),
      report.total() == 0 ? 0.0 : 100.0 * static_cast<double>(killed) / static_cast<double>(report.total()));
  for (const GeneratedVerdict verdict : kGeneratedVerdicts) {
    if (verdict != GeneratedVerdict::kKilled && report.count(verdict) > 0)
      print(out, ", {} {}", report.count(verdict), name_of(verdict));
  }
  print(out, "\n");
  for (const std::string& name : report.refuted())
    print(out, "{} is listed as equivalent and was killed: take it out of equivalent.toml\n", name);
  print(out, "{:.0f} s{}\n", report.seconds, report.incomplete ? ", interrupted" : "");
}

int exit_code_of(const Measurement& report) {
  if (report.incomplete) return kExitInterrupted;
  if (!report.refuted().empty()) return kExitMisbehaved;
  if (report.total() == 0) return kExitNothing;
  return report.count(GeneratedVerdict::kKilled) == report.total() ? kExitOk : kExitMisbehaved;
}

}  // namespace

int list_generated(const FaultOptions& options) {
  for (const GeneratedFault& fault : selected(options))
    print(stdout, "{}\n  needs {}: xhal_{} {}\n", fault.name(), feature_name(kCalls[fault.call].feature),
          kCalls[fault.call].name, faults::info_of(fault.how).about);
  return kExitOk;
}

int run_generated(const FaultOptions& options) {
  const std::vector<GeneratedFault> faults = selected(options);
  Equivalents equivalents(options.share_directory + "/faults/equivalent.toml");
  Measurement report(equivalents);
  std::optional<OutputFile> file;
  const Interrupts interrupts;
  try {
    if (!options.json.empty()) file.emplace(options.json);
  } catch (const OutputError& error) {
    stop(kExitUsage, error.what());
  }
  const auto begin = std::chrono::steady_clock::now();
  const Setup setup = set_up(options, interrupts);
  equivalents.keep_those_of(setup.found.driver.value("name", ""));
  report.identity = setup.identity;
  report.identity["options"]["entries"] = options.entries;
  report.identity["options"]["hows"] = options.hows;
  std::FILE* const console = options.json == "-" ? stderr : stdout;
  print(console, "{} generated faults over {} of driver {}, seed {}\n", faults.size(),
        setup.found.devices.front().value("name", ""), setup.found.driver.value("name", ""), *options.seed);
  std::fflush(console);
  Generated generated(setup.plan);
  report.incomplete = !generated.learn();
  report.sound = generated.map().sound();
  for (const GeneratedFault& fault : faults) {
    if (report.incomplete) break;
    if (options.terminal)
      print(stderr, "\r\033[K{}/{} {}", report.faults.size() + 1, faults.size(), fault.name());
    auto record = generated.measure(fault);
    if (options.terminal) print(stderr, "\r\033[K");
    if (!record) {
      report.incomplete = true;
      break;
    }
    if (record->verdict == GeneratedVerdict::kSurvived && !equivalents.reason(fault.name()).empty())
      record->verdict = GeneratedVerdict::kEquivalent;
    const bool is_told = record->verdict != GeneratedVerdict::kKilled &&
                         record->verdict != GeneratedVerdict::kEquivalent &&
                         record->verdict != GeneratedVerdict::kNotApplicable;
    if (is_told) print(console, "{}\n", line_of(*record));
    std::fflush(console);
    report.faults.push_back(std::move(*record));
  }
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  try {
    if (file)
      file->commit(json_of(report).dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  } catch (const OutputError& error) {
    stop(kExitInternal, error.what());
  }
  print_summary(console, report);
  return exit_code_of(report);
}

}  // namespace xhal::conformance
