// SPDX-License-Identifier: Apache-2.0
// xhal-conform: judges a driver by the contract. docs/conformance.md is its manual; all logic is in conformance/.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>

#include "build_info.h"
#include "commands.h"
#include "common/options.hpp"
#include "common/standard_streams.hpp"
#include "common/terminal.hpp"
#include "programs/fuzz_worker.h"
#include "run/exit_codes.h"
#include "run/run.h"
#include "run/worker.h"

namespace {

using namespace xhal::conformance;
using namespace xhal::conform;
using namespace xhal::ending;
namespace tools = xhal::tools;

std::string version_text() {
  return fmt::format("xhal-conform {} (ABI {}.{}.{}, commit {}{})", xhal::build::version(), XHAL_ABI_MAJOR,
                     XHAL_ABI_MINOR, XHAL_ABI_REVISION, xhal::build::commit(),
                     xhal::build::dirty() ? ", modified" : "");
}

int judge(int argc, char** argv) {
  Options options;
  bool list_only = false;
  uint64_t seed = 0;

  CLI::App app{"Judges a driver by the clauses of the contract.", "xhal-conform"};
  app.footer(
      "Exit codes: 0 conformant (with --filter and --shard: nothing bad seen), 1 not conformant, waivers, or "
      "the "
      "driver misbehaves when it is loaded, 2 wrong input,\n"
      "3 nothing to test, 4 a defect of the suite or an output that could not be written, 130 interrupted.");
  app.set_version_flag("--version", version_text());
  add_target_options(app, options.target);
  tools::add_compiler_options(app, options.kernel_compiler);
  app.add_option("--level", options.level, "core, torch, graph, ipc, full, or a level file")
      ->check(tools::not_empty())
      ->capture_default_str();
  app.add_option("--filter", options.filters, "run tests whose id matches this glob only (repeatable)")
      ->check(tools::not_empty())
      ->allow_extra_args(false);
  auto* list_flag = app.add_flag("--list", list_only, "print the ids of the level's tests and stop");
  app.add_option("--format", options.list_format, "of --list")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  auto* seed_option =
      app.add_option("--seed", seed, "of data and order")->check(CLI::Range(uint64_t{0}, kLargestSeed));
  add_report_options(app, options.reports, options.power, options.artifact_url);
  app.add_flag("--shuffle,!--no-shuffle", options.shuffle, "random order from the seed (default), or by id");
  app.add_option("--jobs", options.jobs, "tests at once, each in a process of its own")
      ->check(CLI::Range(1u, 256u))
      ->capture_default_str();
  app.add_option("--timeout", options.test_deadline_s,
                 "seconds for one test (default: calibrated on the device)")
      ->check(CLI::Range(0.1, 86400.0));
  app.add_option("--entry-timeout", options.entry_deadline_s, "seconds for loading and enumerating")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  app.add_option("--shard", options.shard,
                 "i/n: this part of the tests (default: GTEST_SHARD_INDEX and GTEST_TOTAL_SHARDS)")
      ->check(tools::not_empty());
  app.add_option("--waivers", options.waivers, "TOML file of known failures")->check(tools::not_empty());
  app.add_flag("--allow-waivers", options.allow_waivers, "'conformant with waivers' is exit code 0");
  app.add_option("--resume", options.journal,
                 "file in which the run is kept: one that was interrupted or killed goes on from it")
      ->check(tools::not_empty());
  auto* challenge =
      app.add_option("--challenge", options.challenge,
                     "a reviewer's words: data, order, kernel names and blind controls come from them")
          ->check(tools::not_empty());
  auto* bundle =
      app.add_option("--bundle", options.bundle, "folder for the answer to a challenge, for 'verify'")
          ->check(tools::not_empty());
  challenge->needs(bundle);
  bundle->needs(challenge);
  for (const char* name : {"--seed", "--shuffle", "--jobs", "--resume", "--shard", "--list"})
    challenge->excludes(app.get_option(name));
  auto* in_process =
      app.add_option("--in-process", options.in_process, "run this one test in this process, for a debugger")
          ->check(tools::not_empty());
  // Neither makes a report, and nothing that is asked for is left out silently.
  for (const char* name :
       {"--report", "--power", "--artifact-url", "--resume", "--waivers", "--allow-waivers", "--challenge"}) {
    in_process->excludes(app.get_option(name));
    list_flag->excludes(app.get_option(name));
  }
  list_flag->excludes(app.get_option("--kernel-compiler"));
  in_process->excludes(app.get_option("--shard"))->excludes(list_flag);
  app.add_flag("--verbose", options.verbose, "a line for every test also on a terminal");
  const Command commands[] = {compare_command(app), describe_command(app), faults_command(app),
                              fuzz_command(app),    gate_command(app),     merge_command(app),
                              report_command(app),  strength_command(app), variants_command(app),
                              verify_command(app)};
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return usage(fmt::format("{}; see xhal-conform --help", error.what()));
  }
  for (const Command& command : commands) {
    if (!command.app->parsed()) continue;
    for (const CLI::Option* option : app.get_options()) {
      if (option->count() > 0)
        return usage(fmt::format("{} is no option of {}", option->get_name(), command.app->get_name()));
    }
    return command.run();
  }
  if (seed_option->count() > 0) options.seed = seed;
  if (list_only) return list(options);
  // What a person reads goes to stderr where a report takes the standard output.
  const bool stdout_taken = std::any_of(options.reports.begin(), options.reports.end(),
                                        [](const std::string& one) { return one.ends_with("=-"); });
  std::FILE* const console = stdout_taken ? stderr : stdout;
  options.color = tools::use_color(console);
  options.terminal = isatty(fileno(console)) != 0;
  options.terminal_width = tools::terminal_width(console, 100);
  const int code = choose_driver(options.target);
  return code == kExitOk ? run(options) : code;
}

}  // namespace

int main(int argc, char** argv) {
  tools::prepare_standard_streams();
  xhal::programs::add_fuzz_tasks();
  int worker_code = 0;
  if (run_as_worker(argc, argv, &worker_code)) return worker_code;
  return tools::finish(kTool, judge(argc, argv));
}
