// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "commands.h"
#include "common/options.hpp"
#include "run/describe.h"

namespace xhal::conform {

Command describe_command(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "describe",
      "What a clause says and which tests judge it, what a test looks at, or what a level asks for.");
  struct Asked {
    std::string name;
    std::string level;
  };
  const auto asked = std::make_shared<Asked>();
  auto* const name =
      app->add_option("name", asked->name, "id of a clause or of a test; a glob over ids of tests")
          ->check(tools::not_empty());
  auto* const level = app->add_option("--level", asked->level,
                                      "a level's name or file: its interfaces, with clauses and tests")
                          ->check(tools::not_empty());
  name->excludes(level);
  app->callback([name, level] {
    if (name->empty() && level->empty()) throw CLI::RequiredError("name or --level");
  });
  return {app, [asked] {
            return asked->level.empty() ? conformance::describe(asked->name)
                                        : conformance::describe_level(asked->level);
          }};
}

}  // namespace xhal::conform
