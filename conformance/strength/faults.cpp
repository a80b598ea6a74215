// SPDX-License-Identifier: Apache-2.0
#include "strength/faults.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "report/output_file.h"
#include "report/print.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/interrupts.h"
#include "run/run.h"
#include "run/subject.h"
#include "strength/setup.h"
#include "strength/strength.h"

namespace xhal::conformance {

using namespace ending;

namespace {

std::vector<const FaultInfo*> selected(const FaultOptions& options) {
  if (!options.family.empty() && std::ranges::find(kFaultFamilies, options.family) == kFaultFamilies.end())
    stop(kExitUsage, fmt::format("--family {}: there is no such family; there are {}", options.family,
                                 fmt::join(kFaultFamilies, ", ")));
  std::vector<bool> used(options.faults.size(), false);
  std::vector<const FaultInfo*> out;
  for (const FaultInfo& fault : all_faults()) {
    bool wanted = options.faults.empty();
    for (size_t i = 0; i < options.faults.size(); ++i) {
      if (!glob_matches(options.faults[i], fault.name)) continue;
      wanted = true;
      used[i] = true;
    }
    wanted = wanted && (options.family.empty() || options.family == fault.family.name());
    if (wanted && shard_of(fault.name, options.shard.count) == options.shard.index) out.push_back(&fault);
  }
  for (size_t i = 0; i < used.size(); ++i) {
    if (!used[i])
      stop(kExitNothing,
           fmt::format("--fault {}: matches no fault; --list shows their names", options.faults[i]));
  }
  if (out.empty() && options.shard.count > 1)
    stop(kExitNothing, fmt::format("--shard {}/{}: has none of the selected faults", options.shard.index,
                                   options.shard.count));
  if (out.empty())
    stop(kExitNothing, fmt::format("--family {}: has none of the selected faults", options.family));
  return out;
}

// What was noticed when it was new is history: it stands in a file, once for each fault.
std::map<std::string, bool> read_first_contact(const std::string& share_directory) {
  const std::string path = share_directory + "/faults/first_contact.json";
  std::ifstream file(path);
  const auto content = nlohmann::json::parse(file, nullptr, false);
  const bool is_good =
      content.is_object() && content.contains("faults") && content["faults"].is_object() &&
      std::ranges::all_of(content["faults"], [](const auto& one) { return one.is_boolean(); });
  if (!is_good)
    stop(kExitInternal, fmt::format("{}: is not there or has no \"faults\" that are true or false; the "
                                    "installation is incomplete",
                                    path));
  return content["faults"].get<std::map<std::string, bool>>();
}

int exit_code_of(const StrengthReport& report) {
  if (report.incomplete) return kExitInterrupted;
  if (report.total() == 0) return kExitNothing;
  return report.count(FaultVerdict::kKilled) == report.total() ? kExitOk : kExitMisbehaved;
}

int run_checked(FaultOptions& options) {
  const std::vector<const FaultInfo*> faults = selected(options);
  StrengthReport report;
  report.first_contact = read_first_contact(options.share_directory);
  std::optional<OutputFile> file;
  const Interrupts interrupts;
  try {
    if (!options.json.empty()) file.emplace(options.json);
  } catch (const OutputError& error) {
    stop(kExitUsage, error.what());
  }
  const Setup setup = set_up(options, interrupts);
  const StrengthPlan& plan = setup.plan;
  report.identity = setup.identity;
  report.all_tests = options.all_tests;
  report.tests = plan.run.tests;

  std::FILE* const console = options.json == "-" ? stderr : stdout;
  print(console, "{} faults over {} of driver {}, seed {}{}\n", faults.size(),
        setup.found.devices.front().value("name", ""), setup.found.driver.value("name", ""), *options.seed,
        options.seeds > 1 ? fmt::format(" to {}", *options.seed + options.seeds - 1) : "");
  const auto begin = std::chrono::steady_clock::now();
  Strength strength(plan);
  for (const FaultInfo* fault : faults) {
    if (options.terminal)
      print(stderr, "\r\033[K{}/{} {}", report.faults.size() + 1, faults.size(), fault->name);
    auto record = strength.measure(*fault);
    if (options.terminal) print(stderr, "\r\033[K");
    if (!record) {
      report.incomplete = true;
      break;
    }
    if (record->verdict != FaultVerdict::kKilled) print(console, "{}\n", line_of(*record));
    std::fflush(console);
    report.faults.push_back(std::move(*record));
  }
  const auto telling = [&](uint64_t seed) {
    if (options.terminal) print(stderr, "\r\033[Kseed {}", seed);
  };
  report.first_seed_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (!report.incomplete) report.incomplete = !strength.repeat(report.faults, telling);
  if (report.all_tests)
    std::erase_if(report.tests, [&](const TestCase* test) { return !strength.passes(test); });
  if (options.terminal) print(stderr, "\r\033[K");
  for (const FaultRecord& record : report.faults) {
    if (record.verdict == FaultVerdict::kUnstable && record.seeds > 0)
      print(console, "{}\n", line_of(record));
  }
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  try {
    if (file)
      file->commit(json_of(report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  } catch (const OutputError& error) {
    stop(kExitInternal, error.what());
  }
  print_summary(console, report);
  return exit_code_of(report);
}

}  // namespace

int take_shard(const std::string& text, FaultOptions& options) {
  return ended([&] {
    options.shard = chosen_shard(text).value_or(Shard());
    return static_cast<int>(kExitOk);
  });
}

int list_faults(const FaultOptions& options) {
  return ended([&] {
    if (options.generated) return list_generated(options);
    for (const FaultInfo* fault : selected(options)) {
      print(stdout, "{}\n  {}, needs {}, breaks {}: {}\n", fault->name, fault->family.name(),
            feature_name(fault->feature), fault->clause.id(), fault->about);
      if (!fault->wild.empty()) print(stdout, "  as in {}\n", fault->wild);
    }
    return static_cast<int>(kExitOk);
  });
}

int run_faults(FaultOptions options) {
  return ended([&] {
    if (options.share_directory.empty()) options.share_directory = default_share_directory();
    if (options.target.kernel_directory.empty())
      options.target.kernel_directory = options.share_directory + "/kernels";
    if (!options.seed) options.seed = drawn_seed();
    if (options.generated) return run_generated(options);
    return run_checked(options);
  });
}

}  // namespace xhal::conformance
