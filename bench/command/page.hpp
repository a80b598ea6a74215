// SPDX-License-Identifier: Apache-2.0
// A report as a page that needs no other file: tables and plots are made here, and its script only filters.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace xhal::bench {

// Of checked JSON forms (report_reader.hpp): the last one is shown, the ones before are its history, oldest first.
std::string html_of(const std::vector<nlohmann::json>& reports);

// What the page plots, as its template takes it; null where there is nothing to plot.
nlohmann::json distribution_view(const nlohmann::json& row);
nlohmann::json bandwidth_view(const nlohmann::json& report);
nlohmann::json history_view(const std::vector<nlohmann::json>& reports);

}  // namespace xhal::bench
