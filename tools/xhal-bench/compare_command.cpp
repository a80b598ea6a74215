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
  add_hold_options(*app, options->hold);
  add_busy_option(*app, options->hold.busy);
  return {app, [options] { return bench::compare_runs(*options); }};
}

}  // namespace xhal::bench_tool
