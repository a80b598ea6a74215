// SPDX-License-Identifier: Apache-2.0
// xhal-bench: ratios of a driver's calls and work to what they can be at best. docs/benchmarks.md is its manual; all logic is in bench/.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <string>

#include "bench/command/bench_run.hpp"
#include "bench/command/row_task.hpp"
#include "bench/peers/peers.hpp"
#include "bench/runner/second_process.hpp"
#include "build_info.h"
#include "commands.hpp"
#include "common/options.hpp"
#include "common/standard_streams.hpp"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/worker.h"

namespace {

using namespace xhal::bench;
using namespace xhal::bench_tool;
using namespace xhal::ending;
namespace tools = xhal::tools;

std::string version_text() {
  return fmt::format("xhal-bench {} (ABI {}.{}.{}, commit {}{})", xhal::build::version(), XHAL_ABI_MAJOR,
                     XHAL_ABI_MINOR, XHAL_ABI_REVISION, xhal::build::commit(),
                     xhal::build::dirty() ? ", modified" : "");
}

int bench(int argc, char** argv) {
  BenchOptions options;
  bool list_only = false;
  std::string peers;

  CLI::App app{"Measures a driver beside what its calls and work can cost at best, in one run.", kTool};
  app.footer(
      "Exit codes: 0 no row misses its goal, 1 a row misses its goal, fails or crashes, 2 wrong input,\n"
      "3 no device, or nothing to measure, 4 a defect of the tool or an output that could not be written, "
      "130 "
      "interrupted.");
  app.set_version_flag("--version", version_text());
  add_measuring_options(app, options);
  app.add_flag("--list", list_only, "print the names of the rows and stop");
  app.add_option("--format", options.format, "console, json, csv or html")
      ->check(CLI::IsMember({"console", "json", "csv", "html"}))
      ->capture_default_str();
  app.add_option("--output", options.output,
                 "file for the other formats than console (default: the standard output)")
      ->check(tools::not_empty());
  app.add_option("--history", options.history, "an older JSON report for the page, oldest first (repeatable)")
      ->check(tools::not_empty())
      ->allow_extra_args(false);
  app.add_option("--peers", peers,
                 "folder that scripts/bench-peers.sh has filled: other runtimes take part in the rows")
      ->check(CLI::ExistingDirectory);
  app.add_flag("--in-process", options.in_process,
               "measure once in this process, for a debugger or a profiler");
  const Command commands[] = {compare_command(app), describe_command(app), drift_command(app),
                              gate_command(app),    limits_command(app),   self_test_command(app),
                              table_command(app)};
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return usage(fmt::format("{}; see xhal-bench --help", error.what()));
  }
  for (const Command& command : commands) {
    if (!command.app->parsed()) continue;
    for (const CLI::Option* option : app.get_options()) {
      if (option->count() > 0)
        return usage(fmt::format("{} is no option of {}", option->get_name(), command.app->get_name()));
    }
    return command.run();
  }
  if (!options.output.empty() && options.format == "console")
    return usage("--output wants --format json, csv or html");
  if (!options.history.empty() && options.format != "html") return usage("--history wants --format html");
  // Workers inherit it.
  if (!peers.empty()) setenv(kPeersVariable, peers.c_str(), 1);
  if (list_only) return list_rows(options);
  const int code = prepare(options);
  return code == kExitOk ? run_bench(options) : code;
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
