// SPDX-License-Identifier: Apache-2.0
#include "bench/command/gate.hpp"

#include <memory>

#include "commands.hpp"
#include "common/options.hpp"
#include "run/exit_codes.h"

namespace xhal::bench_tool {

Command gate_command(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "gate", "Measures, and fails for rows that are slower than in a baseline, beyond doubt.");
  app->footer(
      "Exit codes: 0 nothing is slower beyond doubt, 1 a row is, has vanished or is measured no more, 2 "
      "wrong "
      "input,\nor a baseline of another driver or device, 3 no device, or nothing to measure, 4 a defect of "
      "the "
      "tool or\nan output that could not be written, 130 interrupted.");
  const auto options = std::make_shared<bench::GateOptions>();
  app->add_option("--baseline", options->baseline, "JSON report of the run that this one is held against")
      ->required()
      ->check(tools::not_empty());
  add_hold_options(*app, options->hold);
  add_measuring_options(*app, options->run);
  app->add_option("--output", options->run.output, "file for the JSON report of this run")
      ->check(tools::not_empty());
  return {app, [options] {
            options->hold.busy = options->run.busy;
            const int code = prepare(options->run);
            return code == ending::kExitOk ? bench::run_gate(*options) : code;
          }};
}

}  // namespace xhal::bench_tool
