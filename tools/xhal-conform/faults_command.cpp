// SPDX-License-Identifier: Apache-2.0
#include "strength/faults.h"

#include <unistd.h>

#include <memory>

#include "commands.h"
#include "common/options.hpp"
#include "run/exit_codes.h"
#include "run/run.h"

namespace xhal::conform {

Command faults_command(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "faults",
      "Puts known defects over a driver, one after another, and tells which of them the suite notices.");
  app->footer(
      "Exit codes: 0 every fault that applies was killed, 1 some were not or the driver misbehaves "
      "when it is loaded, 2 wrong input,\n"
      "3 no device, no fault, or none that applies, 4 a defect of the suite or an output that "
      "could not be written,\n130 interrupted.");
  struct Input {
    conformance::FaultOptions options;
    uint64_t seed = 0;
    std::string shard;
    bool list = false;
  };
  const auto input = std::make_shared<Input>();
  conformance::FaultOptions& options = input->options;
  add_target_options(*app, options.target, "--over,--backend");
  tools::add_compiler_options(*app, options.kernel_compiler);
  app->add_option("--fault", options.faults, "faults whose name matches this glob only (repeatable)")
      ->check(tools::not_empty())
      ->allow_extra_args(false);
  app->add_option("--family", options.family, "faults of this family only")->check(tools::not_empty());
  auto* generated =
      app->add_flag("--generated", options.generated,
                    "not the faults of the table, but each entry wrong in each way that it has room for");
  app->add_option("--entry", options.entries,
                  "generated faults of entries that match this glob only (repeatable)")
      ->check(tools::not_empty())
      ->allow_extra_args(false)
      ->needs(generated);
  app->add_option("--how", options.hows, "generated faults that are wrong in this way only (repeatable)")
      ->check(tools::not_empty())
      ->allow_extra_args(false)
      ->needs(generated);
  app->add_option("--shard", input->shard, "i/n: this part of the faults")->check(tools::not_empty());
  app->add_option("--seeds", options.seeds, "a kill must repeat with so many seeds; 20 is what is published")
      ->check(CLI::Range(1u, 1000u))
      ->capture_default_str();
  auto* seed = app->add_option("--seed", input->seed, "the first of them")
                   ->check(CLI::Range(uint64_t{0}, conformance::kLargestSeed - 1000));
  app->add_flag("--all-tests", options.all_tests,
                "every test meets every fault, not only the tests of its clause; takes hours");
  app->add_option("--jobs", options.jobs, "tests at once, each in a process of its own")
      ->check(CLI::Range(1u, 256u))
      ->capture_default_str();
  app->add_option("--timeout", options.test_deadline_s, "seconds for one test (default: calibrated)")
      ->check(CLI::Range(0.1, 86400.0));
  app->add_option("--entry-timeout", options.entry_deadline_s, "seconds for loading and enumerating")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  app->add_option("--json", options.json, "file for the result; - is the standard output")
      ->check(tools::not_empty());
  app->add_flag("--list", input->list, "print the faults and stop")
      ->excludes(app->get_option("--kernel-compiler"));
  return {app, [input, seed] {
            conformance::FaultOptions& chosen = input->options;
            if (!input->shard.empty()) {
              const int code = conformance::take_shard(input->shard, chosen);
              if (code != ending::kExitOk) return code;
            }
            if (input->list) return conformance::list_faults(chosen);
            if (seed->count() > 0) chosen.seed = input->seed;
            chosen.terminal = isatty(STDERR_FILENO) != 0;
            const int code = choose_driver(chosen.target);
            return code == ending::kExitOk ? conformance::run_faults(chosen) : code;
          }};
}

}  // namespace xhal::conform
