// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "commands.hpp"
#include "common/options.hpp"

namespace xhal::bench_tool {

Command describe_command(CLI::App& program) {
  CLI::App* const app =
      program.add_subcommand("describe", "What a row measures, and what it is held against.");
  const auto name = std::make_shared<std::string>();
  app->add_option("row", *name, "its name or id; a glob over names")->required()->check(tools::not_empty());
  return {app, [name] { return bench::describe_rows(*name); }};
}

}  // namespace xhal::bench_tool
