// SPDX-License-Identifier: Apache-2.0
#include "run/compare.h"

#include <memory>
#include <string>
#include <utility>

#include "commands.h"
#include "common/options.hpp"

namespace xhal::conform {

Command gate_command(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "gate",
      "Fails, by exit code 1, for what got worse since a baseline: vanished, skipped, waived, a lost claim.");
  const auto names = std::make_shared<std::pair<std::string, std::string>>();
  app->add_option("--baseline", names->first, "the JSON report of before")
      ->required()
      ->check(tools::not_empty());
  app->add_option("report", names->second, "the JSON report of now")->required()->check(tools::not_empty());
  return {app, [names] { return conformance::gate(names->first, names->second); }};
}

}  // namespace xhal::conform
