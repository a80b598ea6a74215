// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "commands.h"
#include "common/options.hpp"
#include "run/render.h"

namespace xhal::conform {

Command report_command(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "report", "Writes JSON reports in other forms; several are the last one's history.");
  const auto options = std::make_shared<conformance::RenderOptions>();
  app->add_option("reports", options->from, "JSON reports")->required()->check(tools::not_empty());
  add_report_options(*app, options->reports, options->power, options->artifact_url);
  app->get_option("--report")->required();
  return {app, [options] { return conformance::render(*options); }};
}

}  // namespace xhal::conform
