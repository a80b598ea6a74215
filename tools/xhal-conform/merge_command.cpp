// SPDX-License-Identifier: Apache-2.0
#include "run/merge.h"

#include <memory>

#include "commands.h"
#include "common/options.hpp"

namespace xhal::conform {

Command merge_command(CLI::App& program) {
  CLI::App* const app =
      program.add_subcommand("merge", "Makes one report of the JSON reports of all shards.");
  const auto options = std::make_shared<conformance::MergeOptions>();
  app->add_option("out", options->out, "the JSON report to write")->required()->check(tools::not_empty());
  app->add_option("shards", options->shards, "JSON reports of all shards")
      ->required()
      ->check(tools::not_empty());
  app->add_flag("--allow-waivers", options->allow_waivers, "'conformant with waivers' is exit code 0");
  return {app, [options] { return conformance::merge(*options); }};
}

}  // namespace xhal::conform
