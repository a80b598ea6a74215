// SPDX-License-Identifier: Apache-2.0
#include "bench/command/compare.hpp"

#include <memory>

#include "commands.hpp"
#include "common/options.hpp"

namespace xhal::bench_tool {

Command compare_command(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "compare", "Which ratios differ between two reports, by how much, and how surely.");
  app->footer(
      "Exit codes: 0 nothing is slower, 1 something is, 2 wrong input, or reports of other drivers or "
      "devices,\n"
      "3 no row that was measured in both, 4 a defect of the tool.");
  const auto options = std::make_shared<bench::CompareOptions>();
  app->add_option("before", options->before, "a JSON report")->required()->check(tools::not_empty());
  app->add_option("after", options->after, "another one")->required()->check(tools::not_empty());
  app->add_option("--tolerance", options->tolerance_percent, "what counts as the same, in per cent")
      ->check(CLI::Range(0.0, 1000.0))
      ->capture_default_str();
  add_drift_option(*app, options->drift);
  return {app, [options] { return bench::compare_runs(*options); }};
}

}  // namespace xhal::bench_tool
