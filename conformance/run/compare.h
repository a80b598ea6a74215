// SPDX-License-Identifier: Apache-2.0
// Two reports side by side, also of different suites: only what stands in them counts.
#pragma once

#include <string>

namespace xhal::conformance {

// Prints the outcomes that changed, are new or vanished. kExitOk when there is none, else kExitMisbehaved.
int compare(const std::string& before, const std::string& after);

// Fails, by kExitMisbehaved, for what got worse since the baseline. The report's own verdict stands beside it, unchanged.
int gate(const std::string& baseline, const std::string& report);

}  // namespace xhal::conformance
