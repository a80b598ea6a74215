// SPDX-License-Identifier: Apache-2.0
#include "run/run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <random>
#include <set>

#include "build_info.h"
#include "frame/execute.h"
#include "frame/random.h"
#include "report/console.h"
#include "report/output_file.h"
#include "report/print.h"
#include "report/sha256.h"
#include "run/exit_codes.h"
#include "run/interrupts.h"
#include "run/runner.h"

namespace xhal::conformance {

namespace fs = std::filesystem;
using namespace ending;

namespace {

struct ExitWith {
  int code;
};

// The one-line end of a run that cannot go on.
[[noreturn]] void stop(int code, const std::string& text) {
  print(stderr, "xhal-conform: {}\n", one_line(text));
  throw ExitWith{code};
}

struct ReportFile {
  std::string format;
  OutputFile file;
  bool to_stdout;
};

std::vector<ReportFile> open_reports(const Options& options) {
  std::vector<ReportFile> out;
  for (const std::string& text : options.reports) {
    const size_t equals = text.find('=');
    const std::string format = text.substr(0, equals);
    if (equals == std::string::npos || equals + 1 == text.size() || (format != "json" && format != "junit")) {
      stop(kExitUsage,
           fmt::format(
               "--report {}: write FORMAT=FILE, FORMAT being json or junit, FILE '-' for the standard output",
               text));
    }
    const std::string path = text.substr(equals + 1);
    if (path == "-" &&
        std::any_of(out.begin(), out.end(), [](const ReportFile& one) { return one.to_stdout; })) {
      stop(kExitUsage, "--report: only one report can go to the standard output");
    }
    try {
      out.push_back({format, OutputFile(path), path == "-"});
    } catch (const OutputError& error) {
      stop(kExitUsage, error.what());
    }
    // Each replaces the file as a whole: the second would leave nothing of the first.
    for (size_t i = 0; i + 1 < out.size(); ++i) {
      if (!out[i].file.replaces(out.back().file)) continue;
      stop(kExitUsage,
           fmt::format("--report {}: another report goes to the same file; name one of its own", text));
    }
  }
  return out;
}

void write_reports(std::vector<ReportFile>& files, const Report& report) {
  for (ReportFile& one : files) {
    try {
      one.file.commit(
          one.format == "json"
              ? json_report(report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"
              : junit_report(report));
    } catch (const OutputError& error) {
      stop(kExitInternal, error.what());
    }
  }
}

const std::vector<TestCase>& checked_cases() {
  static const std::vector<TestCase> cases = [] {
    auto all = all_cases();
    const auto errors = registration_errors(all);
    if (!errors.empty()) stop(kExitInternal, errors.front());
    return all;
  }();
  return cases;
}

Level level_of(const Options& options) {
  try {
    return load_level(options.level, options.share_directory + "/levels");
  } catch (const LevelError& error) {
    stop(kExitUsage, error.what());
  }
}

std::vector<const TestCase*> filtered(const Options& options) {
  std::vector<const TestCase*> out;
  std::vector<bool> used(options.filters.size(), false);
  for (const TestCase& test : checked_cases()) {
    bool wanted = options.filters.empty();
    for (size_t i = 0; i < options.filters.size(); ++i) {
      if (!glob_matches(options.filters[i], test.id)) continue;
      wanted = true;
      used[i] = true;
    }
    if (wanted) out.push_back(&test);
  }
  for (size_t i = 0; i < used.size(); ++i) {
    if (!used[i])
      stop(kExitNothing,
           fmt::format("--filter {}: matches no test; --list shows their ids", options.filters[i]));
  }
  return out;
}

// As the user named it.
const std::string& driver_of(const Options& options) {
  return options.target.driver_path.empty() ? options.target.backend : options.target.driver_path;
}

// A driver that has opened and has the device, or one that was interrupted while it was loaded.
Probe probed(const Options& options, int interrupt_fd) {
  Probe found = probe(options.target, options.entry_deadline_s, interrupt_fd);
  if (found.ending == Probe::Ending::kInterrupted) return found;
  const std::string& who = driver_of(options);
  if (found.ending == Probe::Ending::kMisbehaved)
    stop(kExitMisbehaved, fmt::format("driver {}: {}", who, found.text));
  if (found.ending == Probe::Ending::kRefused) {
    const Entry entry = found.created ? Entry::kBroke : Entry::kRefused;
    stop(ending::exit_code_of(entry, found.code), fmt::format("driver {}: {}", who, found.text));
  }
  if (found.devices.empty())
    stop(kExitNothing, fmt::format("driver {}: it has no device; nothing to test", who));
  if (options.target.device_index >= found.devices.size()) {
    stop(kExitUsage, fmt::format("--device {}: driver {} has devices 0 to {}", options.target.device_index,
                                 who, found.devices.size() - 1));
  }
  return found;
}

Claims claims_of(const Probe& found) {
  return {found.devices.front().value("feature_words", std::vector<uint64_t>()), found.devices.size()};
}

RunSettings settings_of(const Options& options, const Probe& found) {
  RunSettings settings;
  settings.seed = *options.seed;
  // A thousand round trips are more than any test makes in a row; on a fast device the floor rules, for busy machines.
  settings.patience_ns = std::max(settings.patience_ns, found.round_trip_ns * 1000);
  // The driver's order, not with the device under test in front.
  std::vector<nlohmann::json> devices = found.devices;
  std::rotate(devices.begin(), devices.begin() + 1, devices.begin() + 1 + options.target.device_index);
  for (const auto& device : devices) settings.uuids_elsewhere.push_back(device.value("uuid", ""));
  return settings;
}

std::string target_arguments(const Target& target, const std::string& default_kernels) {
  std::string out = target.driver_path.empty() ? "--backend " + shell_word(target.backend)
                                               : "--driver " + shell_word(target.driver_path);
  out += fmt::format(" --device {}", target.device_index);
  if (target.kernel_directory != default_kernels) out += " --kernels " + shell_word(target.kernel_directory);
  return out;
}

Report new_report(const Options& options, const Probe& found, const RunSettings& settings) {
  Report report;
  report.suite_version = build::version();
  report.suite_commit = build::commit();
  report.suite_dirty = build::dirty();
  report.driver = found.driver;
  report.driver["sha256"] = sha256_of_file(found.driver.value("path", ""));
  report.device = found.devices.front();
  report.device.erase("feature_words");
  report.device_count = found.devices.size();
  report.level = options.level;
  report.seed = settings.seed;
  report.shuffled = options.shuffle;
  report.filters = options.filters;
  report.round_trip_ns = found.round_trip_ns;
  report.patience_ns = settings.patience_ns;
  // Time for a handful of waits that each run out of patience, so that an assertion tells and not the deadline.
  report.test_deadline_s = options.test_deadline_s > 0 ? options.test_deadline_s
                                                       : 6e-9 * static_cast<double>(settings.patience_ns);
  report.target_arguments = target_arguments(options.target, options.share_directory + "/kernels");
  return report;
}

std::vector<LevelVerdict> judge_all(const Report& report, const Options& options, const Level& level,
                                    const Claims& claims) {
  std::vector<LevelVerdict> out;
  std::map<const TestCase*, bool> ran;
  for (const TestRecord& record : report.tests) ran[record.test] = true;
  for (const std::string& name : level_names(options.share_directory + "/levels")) {
    if (name == level.name) continue;
    try {
      const Level other = load_level(name, options.share_directory + "/levels");
      const bool whole = std::all_of(
          checked_cases().begin(), checked_cases().end(),
          [&](const TestCase& test) { return !is_required(test, other, claims) || ran.contains(&test); });
      // A level whose features are missing is no news in a run that did not ask for it.
      if (whole && missing_features(other, claims).empty()) out.push_back(judge(report, other, claims));
    } catch (const LevelError&) {
      // A broken file of another level does not spoil this run.
    }
  }
  return out;
}

// The report of a run that ended before the driver said who it is. What nobody knows is empty.
Report report_without_tests(const Options& options) {
  Probe nothing_known;
  nothing_known.driver = {{"name", driver_of(options)}, {"path", ""}, {"version", ""}, {"emulated", false}};
  nothing_known.devices = {{{"index", options.target.device_index},
                            {"uuid", ""},
                            {"name", ""},
                            {"architecture", ""},
                            {"features", nlohmann::json::array()},
                            {"declared", nlohmann::json::object()}}};
  RunSettings settings;
  settings.seed = *options.seed;
  Report report = new_report(options, nothing_known, settings);
  report.device_count = 0;
  report.incomplete = true;
  report.verdict.level = options.level;
  report.verdict.verdict = Verdict::kNotJudged;
  report.verdict.reasons = {"interrupted while the driver was loaded; no test was run"};
  report.levels = {report.verdict};
  return report;
}

// By id.
std::vector<const TestCase*> without_result(const std::vector<const TestCase*>& planned,
                                            const std::vector<TestRecord>& records) {
  std::set<const TestCase*> told;
  for (const TestRecord& record : records) told.insert(record.test);
  std::vector<const TestCase*> out;
  for (const TestCase* test : planned) {
    if (!told.contains(test)) out.push_back(test);
  }
  std::sort(out.begin(), out.end(), [](const TestCase* a, const TestCase* b) { return a->id < b->id; });
  return out;
}

int exit_code_of(const Report& report) {
  if (report.incomplete) return kExitInterrupted;
  switch (report.verdict.verdict) {
    case Verdict::kConformant:
    case Verdict::kNotJudged:
      return kExitOk;
    case Verdict::kNotConformant:
      return kExitMisbehaved;
    case Verdict::kNothingToTest:
      return kExitNothing;
  }
  return kExitInternal;
}

int run_in_process(const Options& options) {
  const auto& cases = checked_cases();
  const auto test = std::find_if(cases.begin(), cases.end(),
                                 [&](const TestCase& one) { return one.id == options.in_process; });
  if (test == cases.end())
    stop(kExitUsage,
         fmt::format("--in-process {}: no test has this id; --list shows them", options.in_process));
  const Probe found = probed(options, -1);
  const RunSettings settings = settings_of(options, found);
  const std::string reason = why_not_applicable(*test, claims_of(found));
  if (!reason.empty()) stop(kExitNothing, fmt::format("{}: {}", test->id, reason));
  print(stdout, "{} with seed {} in process {}\n", test->id, settings.seed, getpid());
  std::unique_ptr<Session> session;
  const auto shared = [&]() -> Session& {
    if (session == nullptr) session = std::make_unique<Session>(options.target);
    return *session;
  };
  const TestResult result = execute(*test, settings, options.target, shared, [](const Failure& failure) {
    print(stdout, "  {}\n", one_line(to_string(failure)));
  });
  for (const std::string& note : result.notes) print(stdout, "  note: {}\n", one_line(note));
  if (!result.substitute.empty()) print(stdout, "  by substitute: {}\n", one_line(result.substitute));
  print(stdout, "{}{}{}\n", name_of(result.outcome), result.message.empty() ? "" : ": ",
        one_line(result.message));
  return is_bad(result.outcome) ? kExitMisbehaved : kExitOk;
}

int run_checked(Options& options) {
  const Level level = level_of(options);
  if (!options.in_process.empty()) return run_in_process(options);
  const auto wanted = filtered(options);
  // Before the first file is made: what is interrupted leaves a whole one or none.
  const Interrupts interrupts;
  auto files = open_reports(options);
  const Probe found = probed(options, interrupts.fd());
  if (found.ending == Probe::Ending::kInterrupted) {
    write_reports(files, report_without_tests(options));
    stop(kExitInterrupted, fmt::format("driver {}: interrupted while it was loaded", driver_of(options)));
  }
  const Claims claims = claims_of(found);
  Report report = new_report(options, found, settings_of(options, found));

  RunPlan plan;
  plan.target = options.target;
  plan.settings = settings_of(options, found);
  plan.deadline_s = report.test_deadline_s;
  plan.jobs = options.jobs;
  plan.interrupt_fd = interrupts.fd();
  plan.required = [&](const TestCase& test) { return is_required(test, level, claims); };
  size_t selected = 0;
  for (const TestCase* test : wanted) {
    if (!belongs(*test, level, claims) && !level.all_claimed) continue;
    ++selected;
    const std::string reason = why_not_applicable(*test, claims);
    if (reason.empty()) {
      plan.tests.push_back(test);
    } else {
      TestRecord record;
      record.test = test;
      record.required = plan.required(*test);
      record.result.outcome = Outcome::kSkipped;
      record.result.message = reason;
      report.tests.push_back(std::move(record));
    }
  }
  if (selected == 0)
    stop(kExitNothing, fmt::format("level {} has none of the selected tests; nothing to test", level.name));
  if (options.shuffle) shuffle(plan.tests, plan.settings.seed);

  const bool stdout_taken =
      std::any_of(files.begin(), files.end(), [](const ReportFile& file) { return file.to_stdout; });
  Console console(stdout_taken ? stderr : stdout,
                  {options.terminal, options.color, options.verbose, options.terminal_width});
  console.header(report, selected, plan.tests.size());
  const auto begin = std::chrono::steady_clock::now();
  for (TestRecord& record : run_tests(plan, console, &report.incomplete))
    report.tests.push_back(std::move(record));
  if (report.incomplete) report.not_run = without_result(plan.tests, report.tests);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::sort(report.tests.begin(), report.tests.end(),
            [](const TestRecord& a, const TestRecord& b) { return a.test->id < b.test->id; });
  report.verdict = judge(report, level, claims);
  report.levels = judge_all(report, options, level, claims);
  report.levels.insert(report.levels.begin(), report.verdict);
  write_reports(files, report);
  console.summary(report);
  return exit_code_of(report);
}

void complete(Options& options) {
  if (options.share_directory.empty()) options.share_directory = default_share_directory();
  if (options.target.kernel_directory.empty())
    options.target.kernel_directory = options.share_directory + "/kernels";
  if (!options.seed)
    options.seed = (uint64_t{std::random_device()()} << 16 ^ std::random_device()()) & kLargestSeed;
}

// The exit code, whichever way `work` ends.
template <class Work>
int ended(Work work) {
  try {
    return work();
  } catch (const ExitWith& end) {
    return end.code;
  } catch (const std::exception& error) {
    print(stderr, "xhal-conform: {}; this is a defect of the suite or of the machine it runs on\n",
          one_line(error.what()));
    return kExitInternal;
  }
}

int list_checked(const Options& options) {
  const Level level = level_of(options);
  std::vector<const TestCase*> wanted;
  for (const TestCase* test : filtered(options)) {
    if (level.all_claimed || belongs(*test, level, Claims())) wanted.push_back(test);
  }
  if (wanted.empty()) stop(kExitNothing, fmt::format("level {} has none of the selected tests", level.name));
  if (options.list_format == "text") {
    for (const TestCase* test : wanted) print(stdout, "{}\n", test->id);
    return kExitOk;
  }
  nlohmann::json tests = nlohmann::json::array();
  for (const TestCase* test : wanted) {
    const auto names = [](const std::vector<uint32_t>& features) {
      nlohmann::json out = nlohmann::json::array();
      for (const uint32_t feature : features) out.push_back(feature_name(feature));
      return out;
    };
    nlohmann::json clauses = nlohmann::json::array();
    for (const Clause clause : test->definition->info.clauses) clauses.push_back(clause.id());
    nlohmann::json parameters = nlohmann::json::object();
    for (const Parameter& one : test->parameters.parameters) parameters[one.name] = one.value;
    tests.push_back({{"id", test->id},
                     {"area", test->definition->area},
                     {"clauses", clauses},
                     {"needs", names(test->needs())},
                     {"unless", names(test->unless())},
                     {"devices", test->definition->info.devices},
                     {"observes", test->definition->info.observes},
                     {"parameters", parameters}});
  }
  const nlohmann::json out = {{"schema", kListSchema}, {"tests", tests}};
  print(stdout, "{}\n", out.dump(2));
  return kExitOk;
}

}  // namespace

std::string default_share_directory() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return (program.parent_path().parent_path() / "share" / "xhal").string();
}

int run(Options options) {
  return ended([&] {
    complete(options);
    return run_checked(options);
  });
}

int list(Options options) {
  return ended([&] {
    complete(options);
    return list_checked(options);
  });
}

}  // namespace xhal::conformance
