// SPDX-License-Identifier: Apache-2.0
// fault_sweep: runs a level of the suite with every call failing once, and prints what became of each entry.
//
// The suite must stay conformant, since each call that failed is made again: a failure that changed anything, a handle that was lost, an
// error that was told wrongly or data that differ show as a test that fails. Exit codes are those of xhal-conform.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "counters.hpp"
#include "frame/session.h"
#include "run/exit_codes.h"
#include "run/run.h"
#include "run/worker.h"
#include "xhal/driver.h"

namespace {

using namespace xhal::conformance;
using namespace xhal::ending;
using xhal::sweep::Counters;

struct Entry {
  const char* name;
  uint32_t feature;
};
constexpr Entry kEntries[] = {
#define XHAL_ENTRY(feature, since, name, ...) {"xhal_" #name, XHAL_FEATURE_##feature},
#include "xhal/entry_points.def"
};

std::string codes_text(uint64_t codes) {
  std::string text;
  for (int code = 1; code < 64; ++code) {
    if ((codes >> code & 1) == 0) continue;
    text +=
        (text.empty() ? "" : " ") + std::string(xhal_result_name(-code)).substr(sizeof("XHAL_ERROR_") - 1);
  }
  return text;
}

// Which features some device of the driver claims.
bool claims(const Session& session, uint32_t feature) {
  for (size_t i = 0; i < session.device_count(); ++i) {
    if (session.claims(feature, i)) return true;
  }
  return false;
}

// False when an entry that can be called was not swept, or a failure was not as it must be.
bool print_table(const Target& target) {
  const Session session(target);
  bool good = true;
  uint64_t calls = 0;
  uint64_t failed = 0;
  fmt::print("{:<34} {:>9} {:>9}  {:<14} {}\n", "entry", "calls", "failed", "seen", "codes");
  for (size_t i = 0; i < std::size(kEntries); ++i) {
    const Counters& counters = xhal::sweep::counters_of(i);
    std::string seen = "as it must be";
    if (counters.stuck > 0) {
      seen = "STUCK";
    } else if (counters.wrote > 0) {
      seen = "WROTE OUTPUTS";
    } else if (counters.wrong_error > 0) {
      seen = "WRONG ERROR";
    } else if (counters.failed == 0) {
      seen = claims(session, kEntries[i].feature) ? "NOT SWEPT" : "not claimed";
    }
    good = good && (seen == "as it must be" || seen == "not claimed");
    calls += counters.calls;
    failed += counters.failed;
    fmt::print("{:<34} {:>9} {:>9}  {:<14} {}\n", kEntries[i].name, counters.calls.load(),
               counters.failed.load(), seen, codes_text(counters.codes));
  }
  fmt::print("{} entries, {} calls, {} failures\n", std::size(kEntries), calls, failed);
  return good;
}

int sweep(int argc, char** argv) {
  Options options;
  options.level = "core";
  std::string layers = "fault";
  uint64_t seed = 1;
  CLI::App app{"Runs a level of the suite with every call failing once, and prints a table of all entries.",
               "fault_sweep"};
  app.add_option("--backend", options.target.backend, "name of the driver");
  app.add_option("--driver", options.target.driver_path, "manifest or library of the driver");
  app.add_option("--level", options.level, "of the suite")->capture_default_str();
  app.add_option("--filter", options.filters, "tests whose id matches this glob only (repeatable)")
      ->allow_extra_args(false);
  app.add_option("--layers", layers, "the layers of the run, fault among them")->capture_default_str();
  app.add_option("--seed", seed, "of the codes and of the suite")->capture_default_str();
  app.add_option("--report", options.reports, "FORMAT=FILE as of xhal-conform")->allow_extra_args(false);
  app.add_option("--share", options.share_directory, "folder with levels/ and kernels/");
  CLI11_PARSE(app, argc, argv);
  options.seed = seed;

  std::string folder = (std::filesystem::temp_directory_path() / "fault-sweep-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    fmt::print(stderr, "fault_sweep: no temporary folder '{}'\n", folder);
    return kExitInternal;
  }
  xhal::sweep::share_counters(folder + "/counters");
  setenv("XHAL_LAYERS", layers.c_str(), 1);
  setenv("XHAL_FAULT", fmt::format("sweep={}", seed).c_str(), 1);
  const Target target = options.target;
  const int code = run(options);
  bool good = true;
  try {
    good = print_table(target);
  } catch (const SessionError& error) {
    fmt::print(stderr, "fault_sweep: {}\n", error.what());
    good = false;
  }
  std::filesystem::remove_all(folder);
  return code != kExitOk ? code : good ? kExitOk : kExitMisbehaved;
}

}  // namespace

int main(int argc, char** argv) {
  int worker_code = 0;
  if (run_as_worker(argc, argv, &worker_code)) return worker_code;
  return sweep(argc, argv);
}
