// SPDX-License-Identifier: Apache-2.0
#include "render.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "common/terminal.hpp"
#include "xhal/xhal.h"

namespace xhal::info {
namespace {

using nlohmann::json;
using tools::Style;
using tools::styled;

// Columns a text takes on the screen: escape codes none, a UTF-8 sequence one.
size_t shown_width(std::string_view text) {
  size_t width = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      while (i < text.size() && text[i] != 'm') ++i;
    } else if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) {
      ++width;
    }
  }
  return width;
}

// Cuts a plain text to `width` columns, at a character's border.
std::string cut(const std::string& text, size_t width) {
  if (shown_width(text) <= width || text.find('\x1b') != std::string::npos) return text;
  std::string result;
  size_t columns = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80 && ++columns > width - 3) break;
    result += text[i];
  }
  return result + "...";
}

std::string status_cell(const json& driver, const Look& look) {
  const std::string status = driver["status"];
  const Style style = status == "ok" ? Style::kGreen : status == "absent" ? Style::kDim : Style::kRed;
  return styled(status, style, look.color);
}

// A line for each driver that did not answer, or that warned of something.
std::string troubles_of(const json& report) {
  std::string troubles;
  for (const json& driver : report["drivers"]) {
    if (driver["message"] == "") continue;
    troubles +=
        fmt::format("{}: {}\n", driver["name"].get<std::string>(), driver["message"].get<std::string>());
  }
  return troubles;
}

std::string memory_cell(const json& device) {
  std::string text = human_bytes(device["memory_bytes"].get<uint64_t>());
  if (device.contains("memory"))
    text += fmt::format(", {} free", human_bytes(device["memory"]["free_bytes"].get<uint64_t>()));
  return text;
}

size_t claimed_features(const json& device) {
  const json& features = device["features"];
  return static_cast<size_t>(std::count(features.begin(), features.end(), json(true)));
}

}  // namespace

std::string human_bytes(uint64_t bytes) {
  static constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024.0 && unit + 1 < kUnits.size()) {
    value /= 1024.0;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string render_columns(const std::vector<std::vector<std::string>>& rows, const Look& look) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], shown_width(row[i]));
  }
  std::string result;
  for (const auto& row : rows) {
    std::string line;
    size_t column = 0;
    for (size_t i = 0; i < row.size(); ++i) {
      const bool last = i + 1 == row.size();
      const size_t left =
          static_cast<size_t>(look.width) > column + 8 ? static_cast<size_t>(look.width) - column : 8;
      const std::string cell = last ? cut(row[i], left) : row[i];
      line += cell;
      if (!last) {
        line.append(widths[i] - shown_width(cell) + 2, ' ');
        column += widths[i] + 2;
      }
    }
    line.erase(line.find_last_not_of(' ') + 1);
    result += line + "\n";
  }
  return result;
}

std::string render_overview(const json& report, const Look& look) {
  std::vector<std::vector<std::string>> rows;
  rows.push_back({styled("DEVICE", Style::kBold, look.color), "DRIVER", "NAME", "ARCH", "MEMORY", "UNITS",
                  "FEATURES", "STATE"});
  size_t number = 0;
  for (const json& driver : report["drivers"]) {
    const std::string name =
        driver["name"].get<std::string>() + (driver["emulated"].get<bool>() ? " (EMULATED)" : "");
    for (const json& device : driver["devices"]) {
      rows.push_back({std::to_string(number++), name, device["name"], device["architecture"],
                      memory_cell(device), std::to_string(device["unit_count"].get<uint64_t>()),
                      std::to_string(claimed_features(device)), status_cell(driver, look)});
    }
    if (driver["devices"].empty() && driver["status"] == "ok") {
      rows.push_back({"-", name, "no device", "-", "-", "-", "-", status_cell(driver, look)});
    }
    if (driver["status"] != "ok") {
      rows.push_back({"-", name, "-", "-", "-", "-", "-", status_cell(driver, look)});
    }
  }
  if (report["drivers"].empty()) {
    return "no driver found; `xhal-info --why` tells where was looked and what was refused\n";
  }
  std::string result = render_columns(rows, look);
  const std::string troubles = troubles_of(report);
  if (!troubles.empty()) result += "\n" + troubles;
  return result;
}

std::string render_why(const std::vector<tools::FoundCandidate>& candidates, const Look& look) {
  std::vector<std::vector<std::string>> rows;
  rows.push_back({styled("DECISION", Style::kBold, look.color), "KIND", "NAME", "FROM", "PLACE AND REASON"});
  Look wide = look;
  wide.width = 4096;  // a reason is never cut: it is what one came for
  for (const tools::FoundCandidate& candidate : candidates) {
    const Style style = candidate.decision == XHAL_CANDIDATE_SELECTED  ? Style::kGreen
                        : candidate.decision == XHAL_CANDIDATE_REFUSED ? Style::kRed
                                                                       : Style::kDim;
    const std::string place =
        tools::printable(candidate.manifest_path.empty() ? candidate.library_path : candidate.manifest_path);
    rows.push_back({styled(tools::decision_name(candidate.decision), style, look.color),
                    candidate.is_layer ? "layer" : "driver",
                    candidate.name.empty() ? "-" : tools::printable(candidate.name), candidate.origin,
                    candidate.reason.empty() ? place : place + ": " + tools::printable(candidate.reason)});
  }
  return render_columns(rows, wide);
}

std::string render_topology(const json& report, const Look& look) {
  std::string result;
  size_t first = 0;
  for (const json& driver : report["drivers"]) {
    const json& devices = driver["devices"];
    if (devices.empty()) continue;
    std::vector<std::vector<std::string>> rows;
    std::vector<std::string> header = {styled(driver["name"].get<std::string>(), Style::kBold, look.color)};
    for (size_t i = 0; i < devices.size(); ++i) header.push_back(fmt::format("dev{}", first + i));
    header.insert(header.end(), {"NUMA", "PCI"});
    rows.push_back(header);
    for (size_t i = 0; i < devices.size(); ++i) {
      std::vector<std::string> row = {fmt::format("dev{}", first + i)};
      for (const json& link : devices[i]["links"]) {
        std::string cell = link["kind"];
        if (cell != "self") {
          if (link["peer_access"].get<bool>()) cell += "+peer";
          if (link["direct_copy"].get<bool>()) cell += "+direct";
        }
        row.push_back(cell);
      }
      const json& numa = devices[i]["numa_node"];
      const json& pci = devices[i]["pci"];
      row.push_back(numa.is_null() ? "-" : std::to_string(numa.get<int>()));
      row.push_back(pci.is_null() ? "-" : pci.get<std::string>());
      rows.push_back(row);
    }
    result += render_columns(rows, look) + "\n";
    first += devices.size();
  }
  if (result.empty()) result = "no devices\n\n";
  result += troubles_of(report);
  // The blank line stands between a matrix and what is behind it.
  if (result.ends_with("\n\n")) result.pop_back();
  return result;
}

std::string render_features(const json& features, const Look& look) {
  std::vector<std::vector<std::string>> rows = {
      {styled("FEATURE", Style::kBold, look.color), "NEEDS", "STATE", "WHAT IT IS"}};
  for (const json& feature : features)
    rows.push_back({feature["name"], feature["needs"], feature["state"], feature["description"]});
  return render_columns(rows, look);
}

}  // namespace xhal::info
