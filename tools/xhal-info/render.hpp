// SPDX-License-Identifier: Apache-2.0
// What people read.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/search.hpp"

namespace xhal::info {

struct Look {
  bool color = false;
  int width = 100;
};

// Columns as wide as their widest cell; the last one is cut to the width. A row's cells may carry escape codes.
std::string render_columns(const std::vector<std::vector<std::string>>& rows, const Look& look);

std::string render_overview(const nlohmann::json& report, const Look& look);
std::string render_why(const std::vector<tools::FoundCandidate>& candidates, const Look& look);
std::string render_topology(const nlohmann::json& report, const Look& look);
std::string render_device(const nlohmann::json& driver, const nlohmann::json& device, const Look& look);
// `features` as in the JSON.
std::string render_features(const nlohmann::json& features, const Look& look);

std::string human_bytes(uint64_t bytes);

}  // namespace xhal::info
