// SPDX-License-Identifier: Apache-2.0
#include "evidence/difference.h"

#include <fmt/format.h>

#include <map>

#include "report/document.h"

namespace xhal::conformance {

using nlohmann::json;

namespace {

constexpr size_t kMost = 20;

std::string text(const json& value) {
  return shortened(value.is_string() ? value.get<std::string>() : value.dump(), 160);
}

// Leaves that differ, by their paths.
void compare(const std::string& where, const json& made, const json& report, std::vector<std::string>& out) {
  if (made == report) return;
  if (made.is_object() && report.is_object()) {
    for (const auto& [key, value] : made.items()) {
      if (report.contains(key)) {
        compare(where.empty() ? key : where + "." + key, value, report[key], out);
      } else {
        out.push_back(fmt::format("{}.{} is missing, the transcript gives {}", where, key, text(value)));
      }
    }
    for (const auto& [key, value] : report.items()) {
      if (!made.contains(key))
        out.push_back(fmt::format("{}.{} is {}, the transcript gives nothing", where, key, text(value)));
    }
    return;
  }
  out.push_back(fmt::format("{} is {}, the transcript gives {}", where, text(report), text(made)));
}

void compare_tests(const json& made, const json& report, std::vector<std::string>& out) {
  std::map<std::string, const json*> told;
  for (const json& test : report) {
    if (!told.emplace(text_at(test, "id"), &test).second)
      out.push_back(fmt::format("test {} is in it twice", text_at(test, "id")));
  }
  for (const json& test : made) {
    const auto found = told.find(text_at(test, "id"));
    if (found == told.end()) {
      out.push_back(fmt::format("test {} is missing, the transcript has it as {}", text_at(test, "id"),
                                text_at(test, "outcome")));
      continue;
    }
    compare("test " + found->first + ":", test, *found->second, out);
    told.erase(found);
  }
  for (const auto& [id, test] : told)
    out.push_back(
        fmt::format("test {} is in it as {}, and not in the transcript", id, text_at(*test, "outcome")));
}

}  // namespace

std::vector<std::string> differences(const json& made, const json& report) {
  std::vector<std::string> out;
  compare_tests(made.at("tests"), report.at("tests"), out);
  for (const auto& [key, value] : made.items()) {
    if (key == "tests") continue;
    if (report.contains(key)) {
      compare(key, value, report[key], out);
    } else {
      out.push_back(fmt::format("{} is missing, the transcript gives {}", key, text(value)));
    }
  }
  for (const auto& [key, value] : report.items()) {
    if (!made.contains(key))
      out.push_back(fmt::format("{} is {}, the transcript gives nothing", key, text(value)));
  }
  if (out.size() > kMost) {
    const size_t more = out.size() - kMost;
    out.resize(kMost);
    out.push_back(fmt::format("and {} differences more", more));
  }
  return out;
}

}  // namespace xhal::conformance
