// SPDX-License-Identifier: Apache-2.0
// Known failures are data: which test, why, until when, and how it fails. docs/conformance.md shows a file.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"

namespace xhal::conformance {

// More tests than these are no known failure but a part of the contract that is not kept.
inline constexpr size_t kMostTestsAWaiver = 5;

// The entries of a file. Stops with the user's mistake and its line.
std::vector<Waiver> load_waivers(const std::string& path);

// Marks the tests that the report's waivers excuse, and says of each waiver what became of it. From what the report holds alone, its day
// included, so that it may be done again when shards are merged.
void apply_waivers(Report& report);

}  // namespace xhal::conformance
