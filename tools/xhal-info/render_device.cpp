// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <string_view>

#include "common/terminal.hpp"
#include "render.hpp"

namespace xhal::info {
namespace {

using nlohmann::json;

std::string value_text(const std::string& key, const json& value) {
  if (value.is_null()) return "not known";
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_string()) return value.get<std::string>().empty() ? "-" : value.get<std::string>();
  if (value.is_array()) {
    std::string text;
    for (const json& item : value) text += (text.empty() ? "" : ", ") + value_text(key, item);
    return text.empty() ? "none" : text;
  }
  if (value.is_object()) {
    std::string text;
    for (const auto& [name, item] : value.items())
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, value_text(name, item));
    return text;
  }
  const bool is_bytes = key.find("bytes") != std::string::npos && value.is_number_unsigned();
  return is_bytes ? fmt::format("{} ({})", value.dump(), human_bytes(value.get<uint64_t>())) : value.dump();
}

// What one asked for by number is shown whole.
Look unlimited(Look look) {
  look.width = 4096;
  return look;
}

void section(std::string& out, const char* title, const json& object, const Look& look) {
  out += tools::styled(title, tools::Style::kBold, look.color) + "\n";
  std::vector<std::vector<std::string>> rows;
  for (const auto& [key, value] : object.items()) rows.push_back({"  " + key, value_text(key, value)});
  out += render_columns(rows, unlimited(look));
}

}  // namespace

std::string render_device(const json& driver, const json& device, const Look& look) {
  std::string out;
  json owner = driver;
  owner.erase("devices");
  section(out, "driver", owner, look);

  json identity = json::object();
  for (const auto& [key, value] : device.items()) {
    const bool own_section = key == "features" || key == "behaviour" || key == "limits" || key == "links" ||
                             key == "image_formats" || key == "notes";
    if (!own_section) identity[key] = value;
  }
  section(out, "device", identity, look);
  section(out, "behaviour", device["behaviour"], look);
  section(out, "limits", device["limits"], look);

  out += tools::styled("features", tools::Style::kBold, look.color) + "\n";
  for (const auto& [name, claimed] : device["features"].items()) {
    const bool yes = claimed.get<bool>();
    out += fmt::format(
        "  {} {}\n",
        tools::styled(yes ? "+" : "-", yes ? tools::Style::kGreen : tools::Style::kDim, look.color), name);
  }
  out += tools::styled("image formats, best first", tools::Style::kBold, look.color) + "\n";
  for (const json& format : device["image_formats"]) {
    out += fmt::format("  {} {}\n", format["format"].get<std::string>(), format["target"].get<std::string>());
  }
  for (const char* const kind : {"fact", "quirk"}) {
    std::vector<std::vector<std::string>> rows;
    for (const json& note : device["notes"]) {
      if (note["kind"] != kind) continue;
      rows.push_back({"  " + note["topic"].get<std::string>(), note["text"].get<std::string>()});
      const auto link = note["link"].get<std::string>();
      if (!link.empty()) rows.push_back({"", link});
    }
    if (rows.empty()) continue;
    const bool is_quirk = std::string_view(kind) == "quirk";
    out += tools::styled(is_quirk ? "quirks in force" : "how it is driven", tools::Style::kBold, look.color) +
           "\n" + render_columns(rows, unlimited(look));
  }
  return out;
}

}  // namespace xhal::info
