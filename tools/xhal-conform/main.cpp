// SPDX-License-Identifier: Apache-2.0
// xhal-conform: judges a driver by the contract. docs/conformance.md is its manual; all logic is in conformance/.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "build_info.h"
#include "common/options.hpp"
#include "common/search.hpp"
#include "common/standard_streams.hpp"
#include "common/terminal.hpp"
#include "run/exit_codes.h"
#include "run/run.h"
#include "run/worker.h"

namespace {

using namespace xhal::conformance;
using namespace xhal::ending;
namespace tools = xhal::tools;

constexpr std::string_view kTool = "xhal-conform";

std::string version_text() {
  return fmt::format("xhal-conform {} (ABI {}.{}.{}, commit {}{})", xhal::build::version(), XHAL_ABI_MAJOR,
                     XHAL_ABI_MINOR, XHAL_ABI_REVISION, xhal::build::commit(),
                     xhal::build::dirty() ? ", modified" : "");
}

int usage(const std::string& text) {
  tools::print_error(kTool, text);
  return kExitUsage;
}

// Finds the one driver that is meant, and without a name the one that is there. Nothing is loaded: what is wrong here is the user's.
int choose_driver(Target& target) {
  tools::Selection selection;
  if (!target.driver_path.empty()) selection.driver_paths = {target.driver_path};
  if (!target.backend.empty()) selection.backends = {target.backend};
  const tools::SearchResult search = tools::search_drivers(selection);
  if (search.result < 0) {
    tools::print_error(kTool, search.text);
    return exit_code_of(Entry::kNotLoaded, search.result);
  }
  std::vector<std::string> names;
  for (const auto& driver : search.selected_drivers()) names.push_back(driver.name);
  if (names.empty()) {
    tools::print_error(kTool, "no driver found; name one with --driver PATH, or see xhal-info --why");
    return kExitNothing;
  }
  if (names.size() > 1) {
    return usage(fmt::format("there are {} drivers; choose one with --backend: {}", names.size(),
                             fmt::join(names, ", ")));
  }
  if (target.driver_path.empty()) target.backend = names.front();
  return kExitOk;
}

int judge(int argc, char** argv) {
  Options options;
  bool list_only = false;
  uint64_t seed = 0;

  CLI::App app{"Judges a driver by the clauses of the contract.", "xhal-conform"};
  app.footer(
      "Exit codes: 0 conformant (with --filter: nothing bad seen), 1 not conformant or the driver misbehaves "
      "when it is loaded, 2 wrong input,\n"
      "3 nothing to test, 4 a defect of the suite or an output that could not be written, 130 interrupted.");
  app.set_version_flag("--version", version_text());
  auto* backend =
      app.add_option("--backend", options.target.backend, "name of the driver")->check(tools::not_empty());
  app.add_option("--driver", options.target.driver_path, "manifest or library of the driver")
      ->check(tools::not_empty())
      ->excludes(backend);
  app.add_option("--device", options.target.device_index, "number of the device among the driver's");
  app.add_option("--level", options.level, "core, torch, graph, ipc, full, or a level file")
      ->check(tools::not_empty())
      ->capture_default_str();
  app.add_option("--filter", options.filters, "run tests whose id matches this glob only (repeatable)")
      ->check(tools::not_empty())
      ->allow_extra_args(false);
  app.add_flag("--list", list_only, "print the ids of the level's tests and stop");
  app.add_option("--format", options.list_format, "of --list")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  auto* seed_option =
      app.add_option("--seed", seed, "of data and order")->check(CLI::Range(uint64_t{0}, kLargestSeed));
  app.add_option("--report", options.reports,
                 "FORMAT=FILE with FORMAT json or junit; FILE - is the standard output (repeatable)")
      ->check(tools::not_empty())
      ->allow_extra_args(false);
  app.add_option("--kernels", options.target.kernel_directory, "folder of the kernel pack")
      ->check(CLI::ExistingDirectory);
  app.add_flag("--shuffle,!--no-shuffle", options.shuffle, "random order from the seed (default), or by id");
  app.add_option("--jobs", options.jobs, "tests at once, each in a process of its own")
      ->check(CLI::Range(1u, 256u))
      ->capture_default_str();
  app.add_option("--timeout", options.test_deadline_s,
                 "seconds for one test (default: calibrated on the device)")
      ->check(CLI::Range(0.1, 86400.0));
  app.add_option("--entry-timeout", options.entry_deadline_s, "seconds for loading and enumerating")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  app.add_option("--in-process", options.in_process, "run this one test in this process, for a debugger")
      ->check(tools::not_empty());
  app.add_flag("--verbose", options.verbose, "a line for every test also on a terminal");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return usage(fmt::format("{}; see xhal-conform --help", error.what()));
  }
  if (seed_option->count() > 0) options.seed = seed;
  if (list_only) return list(options);
  // What a person reads goes to stderr where a report takes the standard output.
  const bool stdout_taken = std::any_of(options.reports.begin(), options.reports.end(),
                                        [](const std::string& one) { return one.ends_with("=-"); });
  std::FILE* const console = stdout_taken ? stderr : stdout;
  options.color = tools::use_color(console);
  options.terminal = isatty(fileno(console)) != 0;
  options.terminal_width = tools::terminal_width(console, 100);
  const int code = choose_driver(options.target);
  return code == kExitOk ? run(options) : code;
}

}  // namespace

int main(int argc, char** argv) {
  tools::prepare_standard_streams();
  int worker_code = 0;
  if (run_as_worker(argc, argv, &worker_code)) return worker_code;
  return tools::finish(kTool, judge(argc, argv));
}
