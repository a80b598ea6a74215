// SPDX-License-Identifier: Apache-2.0
#include "strength/setup.h"

#include <fmt/format.h>

#include <algorithm>

#include "build_info.h"
#include "report/sha256.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/subject.h"

namespace xhal::conformance {

using namespace ending;

namespace {

// With a fault, many a test waits for what never comes: its patience is what a measurement takes. A pass needs less than a thousand round
// trips, and on a fast device far less than this.
constexpr uint64_t kLeastPatienceNs = 3'000'000'000;
// What fails on the driver as it is has met a machine that is busier than it was when patience was measured.
constexpr uint64_t kLongPatienceNs = 30'000'000'000;

// Nobody would notice a layer that cannot be loaded: its tests fail, and none of them by a clause.
Probe checked_layer(Target target, double deadline_s, int interrupt_fd) {
  target.environment.emplace_back("XHAL_LAYERS", "faults");
  target.environment.emplace_back("XHAL_FAULTS", "name=none");
  return probed(target, deadline_s, interrupt_fd);
}

nlohmann::json identity_of(const FaultOptions& options, const RunPlan& plan, const Probe& found) {
  nlohmann::json driver = found.driver;
  driver["sha256"] = sha256_of_file(found.driver.value("path", ""));
  nlohmann::json device = found.devices.front();
  device.erase("feature_words");
  return {{"abi", fmt::format("{}.{}.{}", XHAL_ABI_MAJOR, XHAL_ABI_MINOR, XHAL_ABI_REVISION)},
          {"suite", {{"version", build::version()}, {"commit", build::commit()}, {"dirty", build::dirty()}}},
          {"driver", driver},
          {"device", device},
          {"device_count", found.devices.size()},
          {"seed", plan.settings.seed},
          {"seeds", options.seeds},
          {"options",
           {{"all_tests", options.all_tests},
            {"faults", options.faults},
            {"family", options.family},
            {"shard", fmt::format("{}/{}", options.shard.index, options.shard.count)},
            {"jobs", options.jobs},
            {"patience_ns", plan.settings.patience_ns},
            {"test_deadline_s", plan.deadline_s}}}};
}

}  // namespace

Setup set_up(const FaultOptions& options, const Interrupts& interrupts) {
  Setup out;
  Target target = options.target;
  use_kernel_compiler(options.kernel_compiler, target, options.share_directory + "/kernels",
                      options.entry_deadline_s, interrupts.fd());
  out.found = probed(target, options.entry_deadline_s, interrupts.fd());
  if (out.found.ending == Probe::Ending::kInterrupted)
    stop(kExitInterrupted, fmt::format("driver {}: interrupted while it was loaded", driver_of(target)));
  const Probe layered = checked_layer(target, options.entry_deadline_s, interrupts.fd());
  // One slow start of a process must not make what hangs last minutes.
  if (layered.round_trip_ns > 0)
    out.found.round_trip_ns = std::min(out.found.round_trip_ns, layered.round_trip_ns);

  StrengthPlan& plan = out.plan;
  plan.claims = claims_of(out.found);
  plan.seeds = options.seeds;
  plan.entry_deadline_s = options.entry_deadline_s;
  plan.all_tests = options.all_tests;
  plan.run.target = target;
  plan.run.settings = settings_of(target, *options.seed, out.found);
  plan.long_patience_ns = std::max(plan.run.settings.patience_ns, kLongPatienceNs);
  plan.run.settings.patience_ns = std::max(kLeastPatienceNs, out.found.round_trip_ns * 1000);
  plan.run.deadline_s =
      options.test_deadline_s > 0 ? options.test_deadline_s : deadline_of(plan.run.settings);
  plan.run.jobs = options.jobs;
  plan.run.interrupt_fd = interrupts.fd();
  for (const TestCase& test : checked_cases()) {
    if (why_not_applicable(test, plan.claims).empty()) plan.run.tests.push_back(&test);
  }
  out.identity = identity_of(options, plan.run, out.found);
  return out;
}

}  // namespace xhal::conformance
