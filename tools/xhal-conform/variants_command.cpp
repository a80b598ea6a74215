// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <memory>

#include "commands.h"
#include "common/options.hpp"
#include "fairness/fairness.h"
#include "run/exit_codes.h"
#include "run/run.h"

namespace xhal::conform {

Command variants_command(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "variants",
      "Makes a driver legal but odd, in one way after another, and tells whether the suite still passes it.");
  app->footer(
      "Exit codes: 0 all that apply pass and were odd, 1 some did not or the driver misbehaves "
      "when it is loaded, 2 wrong input,\n"
      "3 no device, no variant, or none that applies, 4 a defect of the suite or an output that "
      "could not be written,\n130 interrupted.");
  struct Input {
    conformance::FairnessOptions options;
    uint64_t seed = 0;
    bool list = false;
  };
  const auto input = std::make_shared<Input>();
  conformance::FairnessOptions& options = input->options;
  add_target_options(*app, options.target, "--over,--backend");
  tools::add_compiler_options(*app, options.kernel_compiler);
  app->add_option("--variant", options.variants, "variants whose name matches this glob only (repeatable)")
      ->check(tools::not_empty())
      ->allow_extra_args(false);
  auto* pairs = app->add_flag("--pairs", options.pairs, "every two of them at once, in place of each alone");
  app->add_option("--together", options.together,
                  "with --pairs: up to so many at once, in mixes that between them hold every two")
      ->check(CLI::Range(2u, 64u))
      ->capture_default_str()
      ->needs(pairs);
  app->add_option("--level", options.level, "core, torch, graph, ipc, full, or a level file")
      ->check(tools::not_empty())
      ->capture_default_str();
  app->add_option("--filter", options.filters, "run tests whose id matches this glob only (repeatable)")
      ->check(tools::not_empty())
      ->allow_extra_args(false);
  auto* seed = app->add_option("--seed", input->seed, "of data and order; the first of --seeds")
                   ->check(CLI::Range(uint64_t{0}, conformance::kLargestSeed - 1000));
  app->add_option("--seeds", options.seeds, "run each with so many seeds")
      ->check(CLI::Range(1u, 1000u))
      ->capture_default_str();
  app->add_option("--jobs", options.jobs, "tests at once, each in a process of its own")
      ->check(CLI::Range(1u, 256u))
      ->capture_default_str();
  app->add_option("--shard", options.shard,
                  "i/n: this part of them (default: GTEST_SHARD_INDEX and GTEST_TOTAL_SHARDS)")
      ->check(tools::not_empty());
  app->add_option("--timeout", options.test_deadline_s, "seconds for one test (default: calibrated on each)")
      ->check(CLI::Range(0.1, 86400.0));
  app->add_option("--entry-timeout", options.entry_deadline_s, "seconds for loading and enumerating")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  app->add_option("--json", options.json, "file for the result; - is the standard output")
      ->check(tools::not_empty());
  app->add_flag("--list", input->list, "print them, with the reason why each is legal, and stop")
      ->excludes(app->get_option("--kernel-compiler"));
  return {app, [input, seed] {
            conformance::FairnessOptions& chosen = input->options;
            if (input->list) return conformance::list_variants(chosen);
            if (seed->count() > 0) chosen.seed = input->seed;
            chosen.terminal = isatty(STDERR_FILENO) != 0;
            const int code = choose_driver(chosen.target);
            return code == ending::kExitOk ? conformance::run_variants(chosen) : code;
          }};
}

}  // namespace xhal::conform
