// SPDX-License-Identifier: Apache-2.0
#include "evidence/verify.h"

#include <charconv>
#include <memory>

#include "commands.h"
#include "common/options.hpp"
#include "run/exit_codes.h"

namespace xhal::conform {

Command verify_command(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "verify",
      "Checks a bundle of --challenge: complete, in the order of the challenge, chained, with its controls.");
  app->footer(
      "Exit codes: 0 the bundle holds and its run is conformant, 1 a finding, each with a line, or a run "
      "that is not,\n"
      "2 wrong input, 3 nothing was tested, 4 a defect of the suite, 130 interrupted.");
  struct Input {
    conformance::VerifyOptions options;
    std::string replay;
  };
  const auto input = std::make_shared<Input>();
  conformance::VerifyOptions& options = input->options;
  app->add_option("bundle", options.bundle, "the folder that --bundle made")
      ->required()
      ->check(tools::not_empty());
  app->add_option("--challenge", options.challenge,
                  "the words that were sent; without it those that the bundle names")
      ->check(tools::not_empty());
  app->add_option("--replay", input->replay,
                  "run so many tests again on the simulator and compare what is read back, or 'all'")
      ->check(tools::not_empty());
  app->add_option("--kernels", options.target.kernel_directory, "folder of the kernel pack for the simulator")
      ->check(CLI::ExistingDirectory);
  app->add_flag("--allow-waivers", options.allow_waivers, "'conformant with waivers' is exit code 0");
  return {app, [input] {
            conformance::VerifyOptions& chosen = input->options;
            if (!input->replay.empty()) {
              const std::string& text = input->replay;
              size_t number = conformance::kAllTests;
              const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
              const bool whole = error == std::errc() && end == text.data() + text.size() && number > 0;
              if (!whole && text != "all")
                return usage("--replay " + text + ": write a number from 1 on, or 'all'");
              chosen.replay = whole ? number : conformance::kAllTests;
              chosen.target.backend = "sim";
              const int code = choose_driver(chosen.target);
              if (code != ending::kExitOk) return code;
            }
            return conformance::verify(chosen);
          }};
}

}  // namespace xhal::conform
