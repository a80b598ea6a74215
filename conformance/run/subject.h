// SPDX-License-Identifier: Apache-2.0
// Who is judged, and by which tests: what every command that runs tests begins with. Each stops with the user's or the driver's mistake.
#pragma once

#include <string>
#include <vector>

#include "run/level.h"
#include "run/runner.h"

namespace xhal::conformance {

// <folder of this program>/../share/xhal
std::string default_share_directory();
// A seed that nobody chose.
uint64_t drawn_seed();

// All tests, in order; a defect of their registration ends the command.
const std::vector<TestCase>& checked_cases();
// Those that match a glob, all without one. Each glob must match.
std::vector<const TestCase*> filtered(const std::vector<std::string>& filters);
Level level_of(const std::string& name, const std::string& share_directory);

// As the user named it.
const std::string& driver_of(const Target& target);
// A driver that has opened and has the device, or one that was interrupted while it was loaded.
Probe probed(const Target& target, double deadline_s, int interrupt_fd);
Claims claims_of(const Probe& found);
// The same from a report.
Claims claims_of(const nlohmann::json& device, size_t device_count);
RunSettings settings_of(const Target& target, uint64_t seed, const Probe& found);
// Seconds for one test, where the user names none: a handful of waits that each run out of patience, so that an assertion tells and not
// the deadline.
double deadline_of(const RunSettings& settings);

}  // namespace xhal::conformance
