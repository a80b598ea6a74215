// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "bench/command/tolerance.hpp"
#include "commands.hpp"
#include "common/options.hpp"

namespace xhal::bench_tool {

Command drift_command(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "drift", "Writes how far several runs of one build lie apart, for compare and gate on this machine.");
  app->footer(
      "Exit codes: 0 written, 2 wrong input, or reports of other drivers, devices or builds, 4 a defect of "
      "the tool or\nan output that could not be written.");
  const auto options = std::make_shared<bench::DriftOptions>();
  app->add_option("reports", options->reports, "JSON reports, of runs of one build")
      ->required()
      ->expected(2, 1000)
      ->check(tools::not_empty());
  app->add_option("--least", options->least_percent, "leave out what differs by less, in per cent")
      ->check(CLI::Range(0.0, 1000.0))
      ->capture_default_str();
  app->add_option("--output", options->output, "file (default: the standard output)")
      ->check(tools::not_empty());
  return {app, [options] { return bench::write_drift(*options); }};
}

}  // namespace xhal::bench_tool
