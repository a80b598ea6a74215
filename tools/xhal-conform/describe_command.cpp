// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "commands.h"
#include "common/options.hpp"
#include "run/describe.h"

namespace xhal::conform {

Command describe_command(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "describe", "What a clause says and which tests judge it, or what a test looks at.");
  const auto name = std::make_shared<std::string>();
  app->add_option("name", *name, "id of a clause or of a test; a glob over ids of tests")
      ->required()
      ->check(tools::not_empty());
  return {app, [name] { return conformance::describe(*name); }};
}

}  // namespace xhal::conform
