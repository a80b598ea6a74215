// SPDX-License-Identifier: Apache-2.0
// The subcommands of xhal-conform, a file each. Without one of them the program judges: main.cpp.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/target.hpp"
#include "frame/session.h"

namespace xhal::conform {

using tools::add_target_options;

inline constexpr std::string_view kTool = "xhal-conform";

// A subcommand that was added to the program; `run` gives the exit code once its options have been read.
struct Command {
  CLI::App* app;
  std::function<int()> run;
};

Command compare_command(CLI::App& program);
Command describe_command(CLI::App& program);
Command faults_command(CLI::App& program);
Command fuzz_command(CLI::App& program);
Command gate_command(CLI::App& program);
Command merge_command(CLI::App& program);
Command report_command(CLI::App& program);
Command strength_command(CLI::App& program);
Command variants_command(CLI::App& program);
Command verify_command(CLI::App& program);

// Prints the text as the user's mistake; its exit code.
int usage(const std::string& text);

// --report, --power, --artifact-url.
void add_report_options(CLI::App& app, std::vector<std::string>& reports, std::string& power,
                        std::string& artifact_url);
// As in common/target.hpp.
int choose_driver(conformance::Target& target);

}  // namespace xhal::conform
