// SPDX-License-Identifier: Apache-2.0
#include "programs/fuzz.h"

#include <unistd.h>

#include <memory>

#include "commands.h"
#include "common/options.hpp"
#include "run/exit_codes.h"
#include "run/run.h"

namespace xhal::conform {

Command fuzz_command(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "fuzz", "Runs random programs and compares what they leave in memory with what the contract says.");
  const auto options = std::make_shared<programs::FuzzOptions>();
  const auto seed = std::make_shared<uint64_t>(0);
  add_target_options(*app, options->target);
  tools::add_compiler_options(*app, options->kernel_compiler);
  app->add_option("--programs", options->programs, "how many")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 40))
      ->capture_default_str();
  CLI::Option* const seed_option =
      app->add_option("--seed", *seed, "of the first program; each next one has the next number")
          ->check(CLI::Range(uint64_t{0}, conformance::kLargestSeed));
  app->add_option("--ops", options->ops, "operations of a program, about")
      ->check(CLI::Range(1u, programs::kMostFuzzOps))
      ->capture_default_str();
  app->add_option("--threads", options->threads, "threads of a program, at most")
      ->check(CLI::Range(1u, 6u))
      ->capture_default_str();
  app->add_flag("--gate-rotation,!--no-gate-rotation", options->rotation,
                "run each program once more for each wait that it needs, with the stream held shut that the "
                "wait is for (default)");
  CLI::Option* const reproducer =
      app->add_option("--reproducer", options->reproducer,
                      "write the first failing program, made small, to this C file")
          ->check(tools::not_empty());
  app->add_option("--reproducer-api", options->reproducer_api,
                  "what that file calls: xhal, or opencl, for those who make an OpenCL driver")
      ->check(CLI::IsMember({"xhal", "opencl"}))
      ->capture_default_str()
      ->needs(reproducer);
  app->add_option("--json", options->json, "write a report to this file; - is the standard output")
      ->check(tools::not_empty());
  app->add_option("--entry-timeout", options->entry_deadline_s, "seconds for loading and enumerating")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  // For measuring the oracle's power on a driver that keeps its waits.
  app->add_flag("--drop-waits", options->drop,
                "leave out the wait that each rotation is about, and count how often that is seen")
      ->group("");
  return {app, [options, seed, seed_option] {
            if (seed_option->count() > 0) options->seed = *seed;
            options->terminal = isatty(STDERR_FILENO) != 0;
            const int code = choose_driver(options->target);
            return code == ending::kExitOk ? programs::fuzz(*options) : code;
          }};
}

}  // namespace xhal::conform
