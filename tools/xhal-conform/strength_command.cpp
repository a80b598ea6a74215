// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "commands.h"
#include "common/options.hpp"
#include "strength/page.h"

namespace xhal::conform {

Command strength_command(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "strength", "Makes the page that shows how strong the suite is of what its measurements have left.");
  app->footer(
      "Exit codes: 0 the page is there, 2 a file that cannot be read or is none of those that the page is "
      "made from.");
  const auto options = std::make_shared<conformance::StrengthPageOptions>();
  app->add_option("files", options->files, "JSON files of measurements; without any, nothing was measured")
      ->check(tools::not_empty());
  app->add_option("--output", options->output, "the page, Markdown; - is the standard output")
      ->check(tools::not_empty())
      ->capture_default_str();
  app->add_option("--reasons", options->reasons, "why tests pass on drivers with nothing behind them (TOML)")
      ->check(tools::not_empty());
  app->add_option("--unbroken", options->unbroken, "why clauses without a fault can have none (TOML)")
      ->check(tools::not_empty());
  app->add_flag("--summary", options->summary,
                "no page: of the report of a run over a driver with nothing behind it, what the page needs");
  return {app, [options] { return conformance::write_strength_page(*options); }};
}

}  // namespace xhal::conform
