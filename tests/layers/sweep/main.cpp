// SPDX-License-Identifier: Apache-2.0
// fault_sweep: runs a level of the suite with every call failing once, and prints what became of each entry.
//
// The suite must stay conformant, since each call that failed is made again: a failure that changed anything, a handle that was lost, an
// error that was told wrongly or data that differ show as a test that fails.
//
// With --give-up nobody makes a call again: for one entry after the other some of its calls fail, drawn by the seed, and tests fail as they
// must; but none may crash or hang. Exit codes are those of xhal-conform.
#include <fmt/format.h>
#include <unistd.h>

#include <fcntl.h>
#include <sys/wait.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "counters.hpp"
#include "frame/session.h"
#include "run/exit_codes.h"
#include "run/level.h"
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
constexpr const char* kAsItMustBe = "as it must be";
constexpr const char* kNotClaimed = "not claimed";
constexpr const char* kOtherLevel = "other level";
constexpr const char* kNotSwept = "NOT SWEPT";

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

// Why no call of an entry with that feature failed: some device of the driver claims it, and the level asks for it, or not.
const char* why_not_swept(const Session& session, const Level& level, uint32_t feature) {
  bool is_claimed = false;
  for (size_t i = 0; i < session.device_count(); ++i) is_claimed |= session.claims(feature, i);
  if (!is_claimed) return kNotClaimed;
  const bool is_asked_for =
      level.all_claimed || std::ranges::find(level.features, feature) != level.features.end();
  return is_asked_for ? kNotSwept : kOtherLevel;
}

// False when an entry that can be called was not swept, where all tests ran, or a failure was not as it must be.
bool print_table(const Target& target, const Level& level, bool is_filtered) {
  const Session session(target);
  bool good = true;
  uint64_t calls = 0;
  uint64_t failed = 0;
  fmt::print("{:<34} {:>9} {:>9}  {:<14} {}\n", "entry", "calls", "failed", "seen", "codes");
  for (size_t i = 0; i < std::size(kEntries); ++i) {
    const Counters& counters = xhal::sweep::counters_of(i);
    std::string_view seen = kAsItMustBe;
    if (counters.stuck > 0) {
      seen = "STUCK";
    } else if (counters.wrote > 0) {
      seen = "WROTE OUTPUTS";
    } else if (counters.wrong_error > 0) {
      seen = "WRONG ERROR";
    } else if (counters.failed == 0) {
      seen = why_not_swept(session, level, kEntries[i].feature);
    }
    good = good && (seen == kAsItMustBe || seen == kNotClaimed || seen == kOtherLevel ||
                    (is_filtered && seen == kNotSwept));
    calls += counters.calls;
    failed += counters.failed;
    fmt::print("{:<34} {:>9} {:>9}  {:<14} {}\n", kEntries[i].name, counters.calls.load(),
               counters.failed.load(), seen, codes_text(counters.codes));
  }
  fmt::print("{} entries, {} calls, {} failures\n", std::size(kEntries), calls, failed);
  return good;
}

// ---- Without a second attempt ----------------------------------------------------------------------------------------------------------------

// A run of the suite in a process of its own, which is quiet. The process's status.
int run_quietly(const Options& options) {
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    const int code = run(options);
    std::fflush(nullptr);
    _exit(code);
  }
  int status = 0;
  return waitpid(pid, &status, 0) == pid ? status : -1;
}

// False when a test or the run itself crashed or hung.
bool give_up_sweep(Options options, const std::string& entries, const std::string& report, uint64_t seed) {
  bool good = true;
  fmt::print("{:<34} {:>7} {:>7} {:>7} {:>8} {:>6}\n", "entry", "failed", "passed", "crashed", "timed out",
             "calls");
  for (size_t i = 0; i < std::size(kEntries); ++i) {
    const std::string name = kEntries[i].name;
    if (!glob_matches("xhal_" + entries, name)) continue;
    setenv("XHAL_FAULT",
           fmt::format("entry={},chance=4,seed={}", name.substr(sizeof("xhal_") - 1), seed).c_str(), 1);
    options.reports = {"json=" + report};
    std::filesystem::remove(report);
    const uint64_t calls_before = xhal::sweep::counters_of(i).calls;
    const int status = run_quietly(options);
    const uint64_t calls = xhal::sweep::counters_of(i).calls - calls_before;
    const auto found = nlohmann::json::parse(std::ifstream(report), nullptr, false);
    std::map<std::string, size_t> outcomes;
    if (found.is_object()) {
      for (const auto& test : found.at("tests")) ++outcomes[test.at("outcome").get<std::string>()];
    }
    // Without a report the driver did not open, because a question that comes first failed: an answer, no crash.
    const bool fine = WIFEXITED(status) && WEXITSTATUS(status) <= kExitMisbehaved &&
                      outcomes["crashed"] == 0 && outcomes["timed_out"] == 0;
    good = good && fine;
    const size_t failed =
        outcomes["failed"] + outcomes["unstable"] + outcomes["inconclusive"] + outcomes["refused"];
    fmt::print("{:<34} {:>7} {:>7} {:>7} {:>8} {:>6}{}\n", name, failed, outcomes["passed"],
               outcomes["crashed"], outcomes["timed_out"], calls,
               !fine               ? "  BAD"
               : found.is_object() ? ""
                                   : "  the driver was not opened");
    std::fflush(stdout);
  }
  return good;
}

// Of the build that this program belongs to: it stands in <build>/tests/bin.
std::string share_of_build() {
  const auto program = std::filesystem::read_symlink("/proc/self/exe");
  return (program.parent_path().parent_path().parent_path() / "share" / "xhal").string();
}

int sweep(int argc, char** argv) {
  Options options;
  options.share_directory = share_of_build();
  options.level = "core";
  std::string layers = "fault";
  uint64_t seed = 1;
  bool give_up = false;
  std::string entries = "*";
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
  app.add_flag("--give-up", give_up,
               "no call is made again; entry by entry some calls fail, drawn by the seed");
  app.add_option("--entry", entries, "with --give-up: entries that match this glob only, without xhal_")
      ->capture_default_str();
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
  if (give_up) {
    setenv("FAULT_SWEEP_GIVE_UP", "1", 1);
    options.test_deadline_s = 20;
    const bool fine = give_up_sweep(options, entries, folder + "/report.json", seed);
    std::filesystem::remove_all(folder);
    return fine ? kExitOk : kExitMisbehaved;
  }
  setenv("XHAL_FAULT", fmt::format("sweep={}", seed).c_str(), 1);
  const Target target = options.target;
  const bool is_filtered = !options.filters.empty();
  const int code = run(options);
  bool good = true;
  try {
    good = print_table(target, load_level(options.level, options.share_directory + "/levels"), is_filtered);
  } catch (const std::runtime_error& error) {
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
