// SPDX-License-Identifier: Apache-2.0
#include "evidence/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "evidence/challenge.h"
#include "frame/random.h"
#include "run/interrupts.h"
#include "run/runner.h"
#include "run/subject.h"

namespace xhal::conformance {

namespace {

class Silent : public RunListener {
 public:
  void begun(const TestCase&) override {}
  void ended(const TestRecord&, size_t, size_t) override {}
};

// What the device does not claim, the simulator is told not to claim: tests follow claims. "-pool-graph", "" for none.
std::string withdrawn(const nlohmann::json& simulator, const nlohmann::json& device) {
  std::string out;
  for (const auto& feature : simulator.at("features")) {
    const auto& claimed = device.at("features");
    if (std::ranges::find(claimed, feature) == claimed.end()) out += "-" + feature.get<std::string>();
  }
  return out;
}

std::string only_on_device(const nlohmann::json& simulator, const nlohmann::json& device) {
  std::string out;
  for (const auto& feature : device.at("features")) {
    const auto& claimed = simulator.at("features");
    if (std::ranges::find(claimed, feature) == claimed.end())
      out += (out.empty() ? "" : ", ") + feature.get<std::string>();
  }
  return out;
}

}  // namespace

Replay replay(const Report& bundle, size_t wanted, uint64_t draw, Target target, double entry_deadline_s) {
  Replay out;
  const Interrupts interrupts;
  target.kernel_key = Challenge(bundle.evidence->challenge, bundle.suite_commit).kernel_key();
  const auto probed_sim = [&] {
    Probe found = probed(target, entry_deadline_s, interrupts.fd());
    out.interrupted = found.ending == Probe::Ending::kInterrupted;
    return found;
  };
  Probe found = probed_sim();
  if (out.interrupted) return out;
  const std::string missing = only_on_device(found.devices.front(), bundle.device);
  if (!missing.empty())
    out.notes.push_back(fmt::format("the simulator does not claim {}: its tests are not replayed", missing));
  std::string options = fmt::format("devices={}", std::clamp<size_t>(bundle.device_count, 1, 64));
  const std::string features = withdrawn(found.devices.front(), bundle.device);
  if (!features.empty()) options += ",features=" + features;
  target.environment.emplace_back("XHAL_SIM", options);
  found = probed_sim();
  if (out.interrupted) return out;

  RunPlan plan;
  plan.target = target;
  plan.settings = settings_of(target, bundle.seed, found);
  plan.settings.challenged = true;
  plan.deadline_s = deadline_of(plan.settings);
  plan.interrupt_fd = interrupts.fd();
  plan.required = [](const TestCase&) { return false; };
  const Claims claims = claims_of(found);
  std::map<const TestCase*, const TestResult*> told;
  for (const TestRecord& record : bundle.tests) {
    if (record.result.outcome != Outcome::kPassed || record.result.digest.empty()) continue;
    if (!why_not_applicable(*record.test, claims).empty()) continue;
    told[record.test] = &record.result;
    plan.tests.push_back(record.test);
  }
  out.possible = plan.tests.size();
  shuffle(plan.tests, draw);
  plan.tests.resize(std::min(plan.tests.size(), wanted));

  Silent silent;
  for (const TestRecord& record : run_tests(plan, silent, &out.interrupted)) {
    const TestResult& here = record.result;
    const TestResult& there = *told.at(record.test);
    if (here.outcome != Outcome::kPassed) {
      out.notes.push_back(fmt::format("{} {} on the simulator and was not compared: {}", record.test->id,
                                      name_of(here.outcome), here.message));
      continue;
    }
    ++out.compared;
    if (here.digest == there.digest && here.digest_bytes == there.digest_bytes) continue;
    out.findings.push_back(
        fmt::format("replay: test {}: the digest of {} bytes is {}..., the simulator's of {} bytes is {}...",
                    record.test->id, there.digest_bytes, there.digest.substr(0, 16), here.digest_bytes,
                    here.digest.substr(0, 16)));
  }
  std::ranges::sort(out.findings);
  return out;
}

}  // namespace xhal::conformance
