// SPDX-License-Identifier: Apache-2.0
#include "run/subject.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "run/command.h"
#include "run/exit_codes.h"
#include "run/run.h"

namespace xhal::conformance {

namespace fs = std::filesystem;
using namespace ending;

std::string default_share_directory() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return (program.parent_path().parent_path() / "share" / "xhal").string();
}

uint64_t drawn_seed() {
  return (uint64_t{std::random_device()()} << 16 ^ std::random_device()()) & kLargestSeed;
}

const std::vector<TestCase>& checked_cases() {
  static const std::vector<TestCase> cases = [] {
    auto all = all_cases();
    const auto errors = registration_errors(all);
    if (!errors.empty()) stop(kExitInternal, errors.front());
    return all;
  }();
  return cases;
}

Level level_of(const std::string& name, const std::string& share_directory) {
  try {
    return load_level(name, share_directory + "/levels");
  } catch (const LevelError& error) {
    stop(kExitUsage, error.what());
  }
}

std::vector<const TestCase*> filtered(const std::vector<std::string>& filters) {
  std::vector<const TestCase*> out;
  std::vector<bool> used(filters.size(), false);
  for (const TestCase& test : checked_cases()) {
    bool wanted = filters.empty();
    for (size_t i = 0; i < filters.size(); ++i) {
      if (!glob_matches(filters[i], test.id)) continue;
      wanted = true;
      used[i] = true;
    }
    if (wanted) out.push_back(&test);
  }
  for (size_t i = 0; i < used.size(); ++i) {
    if (!used[i])
      stop(kExitNothing, fmt::format("--filter {}: matches no test; --list shows their ids", filters[i]));
  }
  return out;
}

const std::string& driver_of(const Target& target) {
  return target.driver_path.empty() ? target.backend : target.driver_path;
}

Probe probed(const Target& target, double deadline_s, int interrupt_fd) {
  Probe found = probe(target, deadline_s, interrupt_fd);
  if (found.ending == Probe::Ending::kInterrupted) return found;
  const std::string& who = driver_of(target);
  if (found.ending == Probe::Ending::kMisbehaved)
    stop(kExitMisbehaved, fmt::format("driver {}: {}", who, found.text));
  if (found.ending == Probe::Ending::kRefused) {
    const Entry entry = found.created ? Entry::kBroke : Entry::kRefused;
    stop(ending::exit_code_of(entry, found.code), fmt::format("driver {}: {}", who, found.text));
  }
  if (found.devices.empty())
    stop(kExitNothing, fmt::format("driver {}: it has no device; nothing to test", who));
  if (target.device_index >= found.devices.size()) {
    stop(kExitUsage, fmt::format("--device {}: driver {} has devices 0 to {}", target.device_index, who,
                                 found.devices.size() - 1));
  }
  return found;
}

Claims claims_of(const Probe& found) {
  return {found.devices.front().value("feature_words", std::vector<uint64_t>()), found.devices.size()};
}

Claims claims_of(const nlohmann::json& device, size_t device_count) {
  Claims out;
  out.device_count = device_count;
  for (const nlohmann::json& name : device.at("features")) {
    const int32_t feature = xhal_feature_from_name(name.get<std::string>().c_str());
    if (feature < 0) continue;
    out.claim({static_cast<uint32_t>(feature)});
  }
  return out;
}

RunSettings settings_of(const Target& target, uint64_t seed, const Probe& found) {
  RunSettings settings;
  settings.seed = seed;
  // A thousand round trips are more than any test makes in a row, and few open the device again; on a fast device the floor rules, for
  // busy machines.
  settings.patience_ns =
      std::max({settings.patience_ns, found.round_trip_ns * 1000, found.first_trip_ns * 20});
  // The driver's order, not with the device under test in front.
  std::vector<nlohmann::json> devices = found.devices;
  settings.fault_scope = devices.front().value("/declared/fault_scope"_json_pointer, settings.fault_scope);
  std::rotate(devices.begin(), devices.begin() + 1, devices.begin() + 1 + target.device_index);
  for (const auto& device : devices) settings.uuids_elsewhere.push_back(device.value("uuid", ""));
  return settings;
}

double deadline_of(const RunSettings& settings) { return 6e-9 * static_cast<double>(settings.patience_ns); }

}  // namespace xhal::conformance
