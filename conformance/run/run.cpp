// SPDX-License-Identifier: Apache-2.0
#include "run/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "evidence/challenged_run.h"
#include "frame/random.h"
#include "report/console.h"
#include "report/print.h"
#include "report/report_files.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/identity.h"
#include "run/in_process.h"
#include "run/interrupts.h"
#include "run/journal.h"
#include "run/runner.h"
#include "run/shard.h"
#include "run/subject.h"
#include "run/verdict.h"
#include "run/waivers.h"

namespace xhal::conformance {

using namespace ending;

namespace {

// The report of a run that ended before the driver said who it is. What nobody knows is empty.
Report report_without_tests(const Options& options) {
  Probe nothing_known;
  nothing_known.driver = {
      {"name", driver_of(options.target)}, {"path", ""}, {"version", ""}, {"emulated", false}};
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

// In the order that was planned.
std::vector<const TestCase*> without_result(const std::vector<const TestCase*>& planned,
                                            const std::vector<TestRecord>& records) {
  std::set<const TestCase*> told;
  for (const TestRecord& record : records) told.insert(record.test);
  std::vector<const TestCase*> out;
  for (const TestCase* test : planned) {
    if (!told.contains(test)) out.push_back(test);
  }
  return out;
}

// What is left to run, in order; the tests that do not apply stand in the report at once. The number of tests selected.
size_t plan_tests(const std::vector<const TestCase*>& selected, const Claims& claims, RunPlan& plan,
                  Report& report) {
  size_t count = 0;
  for (const TestCase* test : selected) {
    if (report.shard && shard_of(test->id, report.shard->count) != report.shard->index) continue;
    ++count;
    const std::string reason = why_not_applicable(*test, claims);
    if (reason.empty()) {
      plan.tests.push_back(test);
      continue;
    }
    TestRecord record;
    record.test = test;
    record.required = plan.required(*test);
    record.result.outcome = Outcome::kSkipped;
    record.result.message = reason;
    report.tests.push_back(std::move(record));
  }
  return count;
}

int run_checked(Options& options, Journal* journal, ChallengedRun* challenged) {
  const Level level = level_of(options.level, options.share_directory);
  if (!options.in_process.empty()) {
    compile_kernels(options, -1);
    return run_in_process(options);
  }
  filtered(options.filters);  // a mistyped one is told before anything is loaded
  const auto shard = chosen_shard(options.shard);
  const auto waivers = options.waivers.empty() ? std::vector<Waiver>() : load_waivers(options.waivers);
  // Before the first file is made: what is interrupted leaves a whole one or none.
  const Interrupts interrupts;
  ReportFiles files(options.reports, options.power, options.artifact_url);
  compile_kernels(options, interrupts.fd());
  const Probe found = probed(options.target, options.entry_deadline_s, interrupts.fd());
  if (found.ending == Probe::Ending::kInterrupted) {
    files.write({json_report(report_without_tests(options))});
    stop(kExitInterrupted,
         fmt::format("driver {}: interrupted while it was loaded", driver_of(options.target)));
  }
  const Claims claims = claims_of(found);
  Report report = new_report(options, found, settings_of(options.target, *options.seed, found));
  report.shard = shard;
  report.waivers = waivers;
  if (journal != nullptr) journal->open(report);
  if (challenged != nullptr) challenged->open(report, found, options, interrupts.fd());

  RunPlan plan;
  plan.target = options.target;
  plan.settings = settings_of(options.target, *options.seed, found);
  plan.settings.challenged = challenged != nullptr;
  plan.deadline_s = report.test_deadline_s;
  plan.jobs = options.jobs;
  plan.interrupt_fd = interrupts.fd();
  plan.required = [&](const TestCase& test) { return is_required(test, level, claims); };
  const size_t selected = plan_tests(selected_tests(options.filters, level, claims), claims, plan, report);
  // A shard of few tests may have none.
  if (selected == 0 && !shard)
    stop(kExitNothing, fmt::format("level {} has none of the selected tests; nothing to test", level.name));
  if (options.shuffle) shuffle(plan.tests, plan.settings.seed);
  plan.tests = without_result(plan.tests, report.tests);

  Console console(files.take_stdout() ? stderr : stdout,
                  {options.terminal, options.color, options.verbose, options.terminal_width});
  console.header(report, selected, plan.tests.size());
  const auto begin = std::chrono::steady_clock::now();
  RunListener* listener = &console;
  if (journal != nullptr) {
    journal->tell(console);
    listener = journal;
  }
  std::vector<TestRecord> records = challenged != nullptr
                                        ? challenged->run(plan, claims, report, *listener, &report.incomplete)
                                        : run_tests(plan, *listener, &report.incomplete);
  std::ranges::move(records, std::back_inserter(report.tests));
  if (report.incomplete) {
    report.not_run = without_result(plan.tests, report.tests);
    std::ranges::sort(report.not_run, {}, &TestCase::id);
  }
  // A challenged run has the time of its transcript.
  if (challenged == nullptr)
    report.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  conclude(report, level, claims, options.share_directory);
  if (challenged != nullptr) challenged->seal(report);
  files.write({json_report(report)});
  console.summary(report);
  return exit_code_of(report);
}

}  // namespace

void complete(Options& options) {
  if (options.share_directory.empty()) options.share_directory = default_share_directory();
  if (options.target.kernel_directory.empty())
    options.target.kernel_directory = options.share_directory + "/kernels";
  if (!options.seed) options.seed = drawn_seed();
}

void compile_kernels(Options& options, int interrupt_fd) {
  use_kernel_compiler(options.kernel_compiler, options.target, options.share_directory + "/kernels",
                      options.entry_deadline_s, interrupt_fd);
}

int run(Options options) {
  return ended([&] {
    // A run that goes on has its seed.
    std::optional<Journal> journal;
    if (!options.journal.empty()) journal.emplace(options.journal);
    if (journal && !options.seed) options.seed = journal->seed();
    std::optional<ChallengedRun> challenged;
    if (!options.challenge.empty()) challenged.emplace(options);
    complete(options);
    return run_checked(options, journal ? &*journal : nullptr, challenged ? &*challenged : nullptr);
  });
}

}  // namespace xhal::conformance
