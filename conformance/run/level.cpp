// SPDX-License-Identifier: Apache-2.0
#include "run/level.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace xhal::conformance {

namespace fs = std::filesystem;

namespace {

constexpr const char* kAdvice = "correct the level's file";

// What to do stands behind a semicolon.
[[noreturn]] void fail(const std::string& path, const std::string& text) {
  throw LevelError(fmt::format("level {}: {}; {}", path, text, kAdvice));
}

std::vector<std::string> strings(const toml::table& table, const char* key, const std::string& path) {
  std::vector<std::string> out;
  const toml::array* array = table[key].as_array();
  if (array == nullptr) fail(path, fmt::format("'{}' must be a list of strings", key));
  for (const auto& node : *array) {
    const auto text = node.value<std::string>();
    if (!text) fail(path, fmt::format("'{}' must hold strings only", key));
    out.push_back(*text);
  }
  return out;
}

Level parse(const std::string& path) {
  if (std::error_code error; !fs::is_regular_file(path, error) || access(path.c_str(), R_OK) != 0) {
    const bool there = fs::exists(path, error);
    throw LevelError(fmt::format("level {}: {}; give a level's name or a file of one", path,
                                 !there                             ? "there is no such file"
                                 : fs::is_regular_file(path, error) ? "the file may not be read"
                                                                    : "this is no file"));
  }
  toml::table table;
  try {
    table = toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    const auto& at = error.source().begin;
    throw LevelError(
        fmt::format("level {}:{}:{}: {}; {}", path, at.line, at.column, error.description(), kAdvice));
  }
  for (const auto& [key, value] : table) {
    constexpr std::string_view kKnown[] = {"schema", "name", "title", "features", "all_claimed", "tests"};
    if (std::find(std::begin(kKnown), std::end(kKnown), key.str()) == std::end(kKnown)) {
      fail(path, fmt::format("the key '{}' is unknown", key.str()));
    }
  }
  if (table["schema"].value_or(int64_t{0}) != 1) fail(path, "'schema' must be 1");
  Level level;
  level.name = table["name"].value_or(std::string());
  level.title = table["title"].value_or(std::string());
  level.all_claimed = table["all_claimed"].value_or(false);
  level.tests = strings(table, "tests", path);
  if (level.name.empty()) fail(path, "'name' is missing");
  for (const std::string& name : strings(table, "features", path)) {
    const int32_t feature = xhal_feature_from_name(name.c_str());
    if (feature < 0) fail(path, fmt::format("'{}' is no feature of the contract", name));
    level.features.push_back(static_cast<uint32_t>(feature));
  }
  return level;
}

}  // namespace

std::vector<std::string> level_names(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Level load_level(const std::string& name_or_path, const std::string& folder) {
  if (name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".toml"))
    return parse(name_or_path);
  const auto names = level_names(folder);
  if (std::find(names.begin(), names.end(), name_or_path) == names.end()) {
    throw LevelError(
        names.empty()
            ? fmt::format("level {}: no level files in {}; build or install them, or give a file",
                          name_or_path, folder)
            : fmt::format("level {} is unknown; there are: {}", name_or_path, fmt::join(names, ", ")));
  }
  Level level = parse((fs::path(folder) / (name_or_path + ".toml")).string());
  if (level.name != name_or_path) fail(name_or_path, fmt::format("its file calls itself '{}'", level.name));
  return level;
}

uint32_t feature_of_clause(Clause clause) {
  const int32_t feature = xhal_feature_from_name(std::string(clause_info(clause).feature).c_str());
  return feature < 0 ? uint32_t{XHAL_FEATURE_CORE} : static_cast<uint32_t>(feature);
}

std::string feature_name(uint32_t feature) {
  const char* name = xhal_feature_name(feature);
  return name == nullptr ? fmt::format("feature {}", feature) : name;
}

bool glob_matches(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t i = 0;
  size_t star = std::string_view::npos;
  size_t resume = 0;
  while (i < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = i;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[i])) {
      ++p;
      ++i;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      i = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool belongs(const TestCase& test, const Level& level, const Claims& claims) {
  const auto globbed = [&](const std::string& pattern) { return glob_matches(pattern, test.id); };
  if (std::none_of(level.tests.begin(), level.tests.end(), globbed)) return false;
  const auto counts = [&](Clause clause) {
    const uint32_t feature = feature_of_clause(clause);
    return std::find(level.features.begin(), level.features.end(), feature) != level.features.end() ||
           (level.all_claimed && claims.claims(feature));
  };
  return std::all_of(test.definition->info.clauses.begin(), test.definition->info.clauses.end(), counts);
}

std::string why_not_applicable(const TestCase& test, const Claims& claims) {
  for (const uint32_t feature : test.needs()) {
    if (!claims.claims(feature))
      return fmt::format("needs the feature {}, which the device does not claim", feature_name(feature));
  }
  for (const uint32_t feature : test.unless()) {
    if (claims.claims(feature))
      return fmt::format("tests the refusal of {}, which the device claims", feature_name(feature));
  }
  if (test.definition->info.devices > claims.device_count) {
    return fmt::format("needs {} devices, the driver has {}", test.definition->info.devices,
                       claims.device_count);
  }
  return {};
}

bool is_required(const TestCase& test, const Level& level, const Claims& claims) {
  if (!belongs(test, level, claims)) return false;
  if (why_not_applicable(test, claims).empty()) return true;
  for (const uint32_t feature : test.needs()) {
    const bool wanted =
        std::find(level.features.begin(), level.features.end(), feature) != level.features.end();
    if (wanted && !claims.claims(feature)) return true;
  }
  return false;
}

std::vector<uint32_t> missing_features(const Level& level, const Claims& claims) {
  std::vector<uint32_t> out;
  for (const uint32_t feature : level.features) {
    if (!claims.claims(feature)) out.push_back(feature);
  }
  return out;
}

}  // namespace xhal::conformance
