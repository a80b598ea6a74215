// SPDX-License-Identifier: Apache-2.0
#include "run/level.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
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

std::vector<uint32_t> features(const toml::table& table, const char* key, const std::string& path) {
  std::vector<uint32_t> out;
  for (const std::string& name : strings(table, key, path)) {
    const int32_t feature = xhal_feature_from_name(name.c_str());
    if (feature < 0) fail(path, fmt::format("'{}' is no feature of the contract", name));
    out.push_back(static_cast<uint32_t>(feature));
  }
  return out;
}

// "XHAL-EVENT-3", or "XHAL-EVENT-3..5" for three of them.
std::vector<size_t> clauses(const std::string& text, const std::string& path) {
  const size_t dots = text.find("..");
  const size_t dash = text.rfind('-', dots);
  const auto number = [](std::string_view digits) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size() ? value : 0U;
  };
  const unsigned first = dash == std::string::npos ? 0 : number(text.substr(dash + 1, dots - dash - 1));
  const unsigned last = dots == std::string::npos ? first : number(text.substr(dots + 2));
  std::vector<size_t> out;
  for (unsigned i = first; i != 0 && i <= last; ++i) {
    const std::string id = text.substr(0, dash + 1) + std::to_string(i);
    const auto* const found = std::ranges::find(kClauseIds, id);
    if (found == std::end(kClauseIds)) fail(path, fmt::format("'{}' is no clause of docs/spec", id));
    out.push_back(static_cast<size_t>(found - std::begin(kClauseIds)));
  }
  if (out.empty())
    fail(path, fmt::format("'{}' names no clause; it reads XHAL-EVENT-3 or XHAL-EVENT-3..5", text));
  return out;
}

std::vector<Interface> interfaces(const toml::table& table, const std::string& path) {
  std::vector<Interface> out;
  if (!table.contains("interface")) return out;
  const toml::array* array = table["interface"].as_array();
  if (array == nullptr || !array->is_homogeneous(toml::node_type::table))
    fail(path, "'interface' must be written as [[interface]]");
  for (const toml::node& node : *array) {
    const toml::table& entry = *node.as_table();
    Interface one;
    one.name = entry["name"].value_or(std::string());
    if (one.name.empty() || entry.size() != 2)
      fail(path, "an [[interface]] has 'name' and 'clauses', and no more");
    for (const std::string& text : strings(entry, "clauses", path)) {
      for (const size_t clause : clauses(text, path)) one.clauses.push_back(clause);
    }
    if (one.clauses.empty()) fail(path, fmt::format("the interface '{}' names no clause", one.name));
    out.push_back(std::move(one));
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
    constexpr std::string_view kKnown[] = {"schema",      "name",  "title",      "features",
                                           "all_claimed", "tests", "if_claimed", "interface"};
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
  level.features = features(table, "features", path);
  if (table.contains("if_claimed")) level.if_claimed = features(table, "if_claimed", path);
  level.interfaces = interfaces(table, path);
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

bool stands_on(const TestCase& test, const Interface& interface) {
  return std::ranges::any_of(test.definition->info.clauses, [&](Clause clause) {
    return std::ranges::find(interface.clauses, size_t{clause.index()}) != interface.clauses.end();
  });
}

bool belongs(const TestCase& test, const Level& level, const Claims& claims) {
  const auto globbed = [&](const std::string& pattern) { return glob_matches(pattern, test.id); };
  if (std::none_of(level.tests.begin(), level.tests.end(), globbed)) return false;
  const auto counts = [&](Clause clause) {
    const uint32_t feature = feature_of_clause(clause);
    const bool counts_if_claimed =
        level.all_claimed || std::ranges::find(level.if_claimed, feature) != level.if_claimed.end();
    return std::ranges::find(level.features, feature) != level.features.end() ||
           (counts_if_claimed && claims.claims(feature));
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
