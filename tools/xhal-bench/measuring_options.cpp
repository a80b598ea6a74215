// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <string>

#include "commands.hpp"
#include "common/options.hpp"
#include "common/target.hpp"
#include "common/terminal.hpp"
#include "run/exit_codes.h"
#include "run/run.h"

namespace xhal::bench_tool {

int usage(const std::string& text) {
  tools::print_error(kTool, text);
  return ending::kExitUsage;
}

void add_measuring_options(CLI::App& app, bench::BenchOptions& options) {
  tools::add_target_options(app, options.target);
  tools::add_compiler_options(app, options.kernel_compiler);
  app.add_option("--filter", options.filters,
                 "measure rows whose name or id matches this glob only (repeatable)")
      ->check(tools::not_empty())
      ->allow_extra_args(false);
  app.add_option("--seconds", options.seconds, "of the whole run, about")
      ->check(CLI::Range(0.01, 86400.0))
      ->capture_default_str();
  app.add_option("--restarts", options.restarts, "processes in which each row is measured")
      ->check(CLI::Range(1u, 100u))
      ->capture_default_str();
  app.add_option("--turns", options.turns,
                 "how often a row that stays AMBIGUOUS is measured, in new processes")
      ->check(CLI::Range(1u, 100u))
      ->capture_default_str();
  app.add_option_function<uint64_t>(
         "--seed", [&options](const uint64_t& seed) { options.seed = seed; },
         "of the order of turns, and of intervals")
      ->check(CLI::Range(uint64_t{0}, conformance::kLargestSeed));
  app.add_option("--goals", options.goals, "TOML file of goals (default: the one that is installed)")
      ->check(tools::not_empty());
  app.add_option("--entry-timeout", options.entry_deadline_s, "seconds for loading and enumerating")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  add_busy_option(app, options.busy);
  app.add_option("--plant", options.planted, "make every subject slower by this part, to see what is noticed")
      ->check(CLI::Range(0.0, 10.0));
}

void add_hold_options(CLI::App& app, bench::HoldOptions& options) {
  app.add_option("--tolerance", options.tolerance_percent, "what counts as the same, in per cent")
      ->check(CLI::Range(0.0, 1000.0))
      ->capture_default_str();
  app.add_option("--drift", options.drift,
                 "TOML file of what runs of one build differ by (default: the one that is installed)")
      ->check(tools::not_empty());
}

void add_busy_option(CLI::App& app, double& busy) {
  app.add_option("--busy", busy,
                 "where others used more than this part of the processors, nothing passes or fails")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
}

int prepare(bench::BenchOptions& options) {
  options.color = tools::use_color(stdout);
  options.terminal = isatty(STDERR_FILENO) != 0;
  return tools::choose_driver(kTool, options.target);
}

}  // namespace xhal::bench_tool
