// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>

#include "bench/command/console.hpp"
#include "bench/command/page.hpp"
#include "bench/statistics/statistics.hpp"
#include "report/document.h"

namespace xhal::bench {
namespace {

using conformance::shortened;
using conformance::text_at;
using nlohmann::json;

// One side's figures of all processes, without what did not count.
std::vector<double> figures_of(const json& row, size_t side) {
  std::vector<double> out;
  for (const json& restart : row["restarts"]) {
    if (side >= restart["ns"].size()) continue;
    for (const json& value : restart["ns"][side]) {
      if (value.is_number()) out.push_back(value.get<double>());
    }
  }
  return out;
}

double figure(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<double>() : std::nan("");
}

// A place in the drawing, from 0 to 1 along a range that may be empty.
double along(double value, double low, double high) {
  return high > low ? (value - low) / (high - low) : 0.5;
}

std::string points_of(const std::vector<std::pair<double, double>>& points) {
  std::string out;
  for (const auto& [x, y] : points) out += fmt::format("{:.1f},{:.1f} ", x, y);
  return out;
}

// Bytes a nanosecond against bytes.
using Curve = std::map<double, double>;

struct Family {
  Curve copy;
  Curve memcpy;
};

// "size=4096" of "from=host,size=4096"; what is left is the family's name. 0 without one.
double take_size(std::string& parameters) {
  constexpr std::string_view kKey = "size=";
  const size_t at = parameters.find(kKey);
  if (at == std::string::npos || (at > 0 && parameters[at - 1] != ',')) return 0;
  const size_t end = std::min(parameters.find(',', at), parameters.size());
  const double size = std::strtod(parameters.c_str() + at + kKey.size(), nullptr);
  parameters.erase(at, std::min(end + 1, parameters.size()) - at);
  if (parameters.ends_with(',')) parameters.pop_back();
  return size;
}

// The side that is a plain memcpy; the number of sides when there is none.
size_t memcpy_side(const json& row) {
  const json& sides = row["restarts"].front()["sides"];
  const auto found = std::ranges::find_if(
      sides, [](const json& one) { return one.get<std::string>().find("memcpy") != std::string::npos; });
  return static_cast<size_t>(found - sides.begin());
}

void add_bandwidth(Curve& curve, double size, std::vector<double> ns) {
  const double middle = median(std::move(ns));
  if (middle > 0) curve[size] = size / middle;
}

std::string curve_points(const Curve& curve, double least, double most, double top) {
  std::vector<std::pair<double, double>> points;
  for (const auto& [size, bandwidth] : curve)
    points.emplace_back(40 + 500 * along(std::log2(size), std::log2(least), std::log2(most)),
                        180 - 165 * bandwidth / top);
  return points.size() > 1 ? points_of(points) : std::string();
}

}  // namespace

json distribution_view(const json& row) {
  const std::vector<double> all = figures_of(row, 0);
  const double low = quantile(all, 0.005);
  const double high = quantile(all, 0.95);  // what was interrupted is in the last bar
  if (all.size() < 2 || std::isnan(low)) return nullptr;
  constexpr size_t kBars = 48;
  constexpr double kWidth = 10;
  constexpr double kHeight = 64;
  std::array<size_t, kBars> counts{};
  for (const double value : all) {
    const double place = std::clamp(along(value, low, high), 0.0, 1.0);
    ++counts[std::min(static_cast<size_t>(place * kBars), kBars - 1)];
  }
  const auto most = static_cast<double>(*std::ranges::max_element(counts));
  json bars = json::array();
  for (size_t i = 0; i < kBars; ++i) {
    if (counts[i] == 0) continue;
    const double height = std::max(kHeight * static_cast<double>(counts[i]) / most, 1.0);
    bars.push_back({{"x", fmt::format("{:.0f}", static_cast<double>(i) * kWidth)},
                    {"y", fmt::format("{:.1f}", 70 - height)},
                    {"width", fmt::format("{:.0f}", kWidth - 1)},
                    {"height", fmt::format("{:.1f}", height)}});
  }
  return {{"low", value_text(low, "ns")}, {"high", value_text(high, "ns")}, {"bars", bars}};
}

json bandwidth_view(const json& report) {
  std::map<std::string, Family> families;
  for (const json& row : report["rows"]) {
    if (!text_at(row, "id").starts_with("copy.") || text_at(row, "state") != "measured") continue;
    std::string parameters = text_at(row, "parameters");
    const double size = take_size(parameters);
    if (!(size > 0)) continue;
    Family& family = families[text_at(row, "id") + (parameters.empty() ? "" : "/" + parameters)];
    add_bandwidth(family.copy, size, figures_of(row, 0));
    add_bandwidth(family.memcpy, size, figures_of(row, memcpy_side(row)));
  }
  json out = json::array();
  for (const auto& [name, family] : families) {
    if (family.copy.size() < 2) continue;
    double top = 0;
    for (const Curve* curve : {&family.copy, &family.memcpy}) {
      for (const auto& [size, bandwidth] : *curve) top = std::max(top, bandwidth);
    }
    const double least = family.copy.begin()->first;
    const double most = family.copy.rbegin()->first;
    out.push_back({{"name", name},
                   {"points", curve_points(family.copy, least, most, top)},
                   {"memcpy", curve_points(family.memcpy, least, most, top)},
                   {"most", fmt::format("{:.3g}", top)},
                   {"least_size", fmt::format("{:.0f}", least)},
                   {"most_size", fmt::format("{:.0f}", most)}});
  }
  return out.empty() ? json() : json{{"families", out}};
}

json history_view(const std::vector<json>& reports) {
  if (reports.size() < 2) return nullptr;
  json runs = json::array();
  for (size_t i = 0; i < reports.size(); ++i)
    runs.push_back({{"number", i + 1},
                    {"started", reports[i]["started"]},
                    {"commit", shortened(text_at(reports[i]["suite"], "commit"), 15)}});
  json rows = json::array();
  for (const json& shown : reports.back()["rows"]) {
    if (shown["comparisons"].empty()) continue;
    const std::string reference = text_at(shown["comparisons"].front(), "reference");
    std::vector<std::pair<size_t, double>> ratios;
    for (size_t i = 0; i < reports.size(); ++i) {
      for (const json& row : reports[i]["rows"]) {
        if (row["name"] != shown["name"]) continue;
        for (const json& one : row["comparisons"]) {
          const double ratio = figure(one, "median");
          if (one["reference"] == reference && !std::isnan(ratio)) ratios.emplace_back(i, ratio);
        }
      }
    }
    if (ratios.size() < 2) continue;
    const auto [low, high] =
        std::ranges::minmax_element(ratios, {}, [](const auto& one) { return one.second; });
    std::vector<std::pair<double, double>> points;
    std::string words;
    for (const auto& [run, ratio] : ratios) {
      points.emplace_back(4 + 232 * static_cast<double>(run) / static_cast<double>(reports.size() - 1),
                          40 - 36 * along(ratio, low->second, high->second));
      words += fmt::format("{:.3g} ", ratio);
    }
    rows.push_back({{"name", shown["name"]},
                    {"reference", reference},
                    {"points", points_of(points)},
                    {"ratios", words}});
  }
  return {{"runs", runs}, {"rows", rows}};
}

}  // namespace xhal::bench
