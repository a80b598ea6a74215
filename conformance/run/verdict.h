// SPDX-License-Identifier: Apache-2.0
// From what was seen to a verdict and an exit code, for a run and for the shards of one.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"

namespace xhal::conformance {

// Of all tests, those that a run of the level with these filters selects.
std::vector<const TestCase*> selected_tests(const std::vector<std::string>& filters, const Level& level,
                                            const Claims& claims);

// Sorts the tests, excuses what the waivers excuse, judges the level that was asked for and every other one that was run whole.
void conclude(Report& report, const Level& level, const Claims& claims, const std::string& share_directory);

int exit_code_of(const Report& report);

}  // namespace xhal::conformance
