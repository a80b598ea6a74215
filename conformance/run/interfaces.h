// SPDX-License-Identifier: Apache-2.0
// What a level promises a framework: interfaces, each by the clauses and so the tests that it stands on.
#pragma once

#include <vector>

#include "report/report.h"

namespace xhal::conformance {

std::vector<InterfaceVerdict> judge_interfaces(const Report& report, const Level& level,
                                               const Claims& claims);

// Each interface with its clauses and tests, on standard output.
void print_interfaces(const Level& level);

}  // namespace xhal::conformance
