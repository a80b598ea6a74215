// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace xhal::conformance {

// Where a report says otherwise than the one that follows from the transcript: a line for each field, tests by their ids. The first few, and
// how many more there are.
std::vector<std::string> differences(const nlohmann::json& made, const nlohmann::json& report);

}  // namespace xhal::conformance
