// SPDX-License-Identifier: Apache-2.0
// xhal-bench: ratios of a driver's calls and work to what they can be at best. docs/benchmarks.md is its manual; all logic is in bench/.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "bench/command/bench_run.hpp"
#include "bench/command/limits_command.hpp"
#include "bench/command/row_task.hpp"
#include "bench/peers/peers.hpp"
#include "bench/runner/second_process.hpp"
#include "build_info.h"
#include "common/options.hpp"
#include "common/standard_streams.hpp"
#include "common/target.hpp"
#include "common/terminal.hpp"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/run.h"
#include "run/worker.h"

namespace {

using namespace xhal::bench;
using namespace xhal::ending;
namespace tools = xhal::tools;

constexpr const char* kTool = "xhal-bench";

int usage(const std::string& text) {
  tools::print_error(kTool, text);
  return kExitUsage;
}

std::string version_text() {
  return fmt::format("xhal-bench {} (ABI {}.{}.{}, commit {}{})", xhal::build::version(), XHAL_ABI_MAJOR,
                     XHAL_ABI_MINOR, XHAL_ABI_REVISION, xhal::build::commit(),
                     xhal::build::dirty() ? ", modified" : "");
}

int bench(int argc, char** argv) {
  BenchOptions options;
  bool list_only = false;
  uint64_t seed = 0;
  std::string described;
  std::string peers;

  CLI::App app{"Measures a driver beside what its calls and work can cost at best, in one run.", kTool};
  app.footer(
      "Exit codes: 0 no row misses its goal, 1 a row misses its goal, fails or crashes, 2 wrong input,\n"
      "3 no device, or nothing to measure, 4 a defect of the tool or an output that could not be written, "
      "130 "
      "interrupted.");
  app.set_version_flag("--version", version_text());
  tools::add_target_options(app, options.target);
  app.add_option("--filter", options.filters,
                 "measure rows whose name or id matches this glob only (repeatable)")
      ->check(tools::not_empty())
      ->allow_extra_args(false);
  app.add_flag("--list", list_only, "print the names of the rows and stop");
  app.add_option("--seconds", options.seconds, "of the whole run, about")
      ->check(CLI::Range(0.01, 86400.0))
      ->capture_default_str();
  app.add_option("--restarts", options.restarts, "processes in which each row is measured")
      ->check(CLI::Range(1u, 100u))
      ->capture_default_str();
  app.add_option("--turns", options.turns,
                 "how often a row that stays AMBIGUOUS is measured, in new processes")
      ->check(CLI::Range(1u, 100u))
      ->capture_default_str();
  auto* seed_option = app.add_option("--seed", seed, "of the order of turns, and of intervals")
                          ->check(CLI::Range(uint64_t{0}, xhal::conformance::kLargestSeed));
  app.add_option("--format", options.format, "console, json or csv")
      ->check(CLI::IsMember({"console", "json", "csv"}))
      ->capture_default_str();
  app.add_option("--output", options.output, "file for --format json and csv (default: the standard output)")
      ->check(tools::not_empty());
  app.add_option("--goals", options.goals, "TOML file of goals (default: the one that is installed)")
      ->check(tools::not_empty());
  app.add_option("--entry-timeout", options.entry_deadline_s, "seconds for loading and enumerating")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  app.add_option("--plant", options.planted, "make every subject slower by this part, to see what is noticed")
      ->check(CLI::Range(0.0, 10.0));
  app.add_option("--peers", peers,
                 "folder that scripts/bench-peers.sh has filled: other runtimes take part in the rows")
      ->check(CLI::ExistingDirectory);
  app.add_flag("--in-process", options.in_process,
               "measure once in this process, for a debugger or a profiler");
  CLI::App* const describe =
      app.add_subcommand("describe", "What a row measures, and what it is held against.");
  describe->add_option("row", described, "its name or id; a glob over names")
      ->required()
      ->check(tools::not_empty());
  LimitsOptions limits_options;
  CLI::App* const limits =
      app.add_subcommand("limits", "What this machine can do at best, without any driver.");
  limits->add_option("--seconds", limits_options.seconds, "of all, about")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  limits->add_option("--format", limits_options.format, "console or json")
      ->check(CLI::IsMember({"console", "json"}))
      ->capture_default_str();
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return usage(fmt::format("{}; see xhal-bench --help", error.what()));
  }
  for (const CLI::App* command : {describe, limits}) {
    if (!command->parsed()) continue;
    for (const CLI::Option* option : app.get_options()) {
      if (option->count() > 0)
        return usage(fmt::format("{} is no option of {}", option->get_name(), command->get_name()));
    }
  }
  if (describe->parsed()) return describe_rows(described);
  if (limits->parsed()) return run_limits(limits_options);
  if (!options.output.empty() && options.format == "console")
    return usage("--output wants --format json or csv");
  // Workers inherit it.
  if (!peers.empty()) setenv(kPeersVariable, peers.c_str(), 1);
  if (seed_option->count() > 0) options.seed = seed;
  if (list_only) return list_rows(options);
  options.color = tools::use_color(stdout);
  options.terminal = isatty(STDERR_FILENO) != 0;
  const int code = tools::choose_driver(kTool, options.target);
  return code == kExitOk ? run_bench(std::move(options)) : code;
}

}  // namespace

int main(int argc, char** argv) {
  int second_code = 0;
  if (run_as_second_process(argc, argv, &second_code)) return second_code;
  tools::prepare_standard_streams();
  xhal::conformance::name_tool(kTool);
  add_row_task();
  int worker_code = 0;
  if (xhal::conformance::run_as_worker(argc, argv, &worker_code)) return worker_code;
  return tools::finish(kTool, bench(argc, argv));
}
