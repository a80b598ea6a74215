// SPDX-License-Identifier: Apache-2.0
#include "bench/command/limits_command.hpp"

#include <memory>

#include "commands.hpp"

namespace xhal::bench_tool {

Command limits_command(CLI::App& program) {
  CLI::App* const app =
      program.add_subcommand("limits", "What this machine can do at best, without any driver.");
  const auto options = std::make_shared<bench::LimitsOptions>();
  app->add_option("--seconds", options->seconds, "of all, about")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  app->add_option("--format", options->format, "console or json")
      ->check(CLI::IsMember({"console", "json"}))
      ->capture_default_str();
  return {app, [options] { return bench::run_limits(*options); }};
}

}  // namespace xhal::bench_tool
