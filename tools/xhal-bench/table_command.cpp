// SPDX-License-Identifier: Apache-2.0
#include "bench/command/table.hpp"

#include <memory>

#include "commands.hpp"
#include "common/options.hpp"

namespace xhal::bench_tool {

Command table_command(CLI::App& program) {
  CLI::App* const app =
      program.add_subcommand("table", "A report as a table of Markdown, or within a page that has one.");
  app->footer(
      "Exit codes: 0 written, 2 wrong input, or a page without the block, 3 no row with such a reference, 4 "
      "a "
      "defect\nof the tool or a page that could not be written.");
  const auto options = std::make_shared<bench::TableOptions>();
  app->add_option("report", options->report, "a JSON report")->required()->check(tools::not_empty());
  app->add_option("--reference", options->references,
                  "ratios to references that match this glob (repeatable; default: those with a goal)")
      ->check(tools::not_empty())
      ->allow_extra_args(false);
  CLI::Option* const into = app->add_option("--into", options->into, "a page whose table is replaced");
  CLI::Option* const block =
      app->add_option("--block", options->block, "name of the part between two comments of the page");
  for (CLI::Option* option : {into, block}) option->check(tools::not_empty());
  into->needs(block);
  block->needs(into);
  return {app, [options] { return bench::write_table(*options); }};
}

}  // namespace xhal::bench_tool
