// SPDX-License-Identifier: Apache-2.0
#include "bench/command/self_test.hpp"

#include <memory>

#include "commands.hpp"
#include "common/options.hpp"
#include "run/exit_codes.h"

namespace xhal::bench_tool {

Command self_test_command(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "self-test",
      "Tries the gate: how often it fails for nothing, and how often it notices what was made slower.");
  app->footer(
      "Exit codes: 0 no row fails for nothing too often, 1 a row does, or none notices anything, 2 wrong "
      "input,\n"
      "3 no device, or nothing to measure, 4 a defect of the tool or an output that could not be written, "
      "130 "
      "interrupted.");
  const auto options = std::make_shared<bench::SelfTestOptions>();
  options->run.planted = 0.1;
  options->run.seconds = 3600;
  add_measuring_options(*app, options->run);
  app->add_option("--trials", options->trials, "of each row, unless --seconds are over")
      ->check(CLI::Range(1u, 100'000u))
      ->capture_default_str();
  app->add_option("--row-seconds", options->row_seconds, "of rounds in each process")
      ->check(CLI::Range(0.001, 60.0))
      ->capture_default_str();
  add_hold_options(*app, options->hold);
  app->add_option("--wish", options->wished_catches,
                  "a row that catches less than this share is listed as not gating")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app->add_option("--shard", options->shard, "i/n: this part of the rows")->check(tools::not_empty());
  app->add_option("--json", options->run.output, "file for the result")->check(tools::not_empty());
  return {app, [options] {
            options->hold.busy = options->run.busy;
            const int code = prepare(options->run);
            return code == ending::kExitOk ? bench::run_self_test(*options) : code;
          }};
}

}  // namespace xhal::bench_tool
