// SPDX-License-Identifier: Apache-2.0
// The subcommands of xhal-bench, a file each. Without one of them the program measures: main.cpp.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>

#include "bench/command/bench_run.hpp"
#include "bench/command/tolerance.hpp"

namespace xhal::bench_tool {

inline constexpr const char* kTool = "xhal-bench";

// A subcommand that was added to the program; `run` gives the exit code once its options have been read.
struct Command {
  CLI::App* app;
  std::function<int()> run;
};

Command compare_command(CLI::App& program);
Command describe_command(CLI::App& program);
Command drift_command(CLI::App& program);
Command gate_command(CLI::App& program);
Command limits_command(CLI::App& program);
Command self_test_command(CLI::App& program);
Command table_command(CLI::App& program);

// Prints the text as the user's mistake; its exit code.
int usage(const std::string& text);

// What every command that measures is told: target, rows, time, seed, goals.
void add_measuring_options(CLI::App& app, bench::BenchOptions& options);
// What every command that holds one run against another is told.
void add_hold_options(CLI::App& app, bench::HoldOptions& options);
void add_busy_option(CLI::App& app, double& busy);
// Looks at the standard streams and finds the driver; the exit code.
int prepare(bench::BenchOptions& options);

}  // namespace xhal::bench_tool
