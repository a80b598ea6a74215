// SPDX-License-Identifier: Apache-2.0
#include "bench/command/goals.hpp"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <cmath>
#include <set>

#include "run/level.h"

namespace xhal::bench {
namespace {

Goal goal_of(const toml::table& entry, const std::string& where) {
  const auto text = [&](const char* key) { return entry[key].value_or(std::string()); };
  static const std::set<std::string_view> known = {"row", "reference", "driver", "limit", "miss"};
  for (const auto& [key, value] : entry) {
    if (!known.contains(key.str())) throw GoalsError(fmt::format("{}: unknown key '{}'", where, key.str()));
  }
  Goal goal{text("row"), text("reference"), text("driver"), entry["limit"].value_or(std::nan("")),
            text("miss")};
  if (goal.row.empty() || goal.reference.empty() || !(goal.limit > 0))
    throw GoalsError(fmt::format("{}: wants row, reference and a limit above 0", where));
  return goal;
}

}  // namespace

Goals::Goals(const std::string& file) {
  try {
    const toml::table table = toml::parse_file(file);
    const toml::array* const entries = table["goal"].as_array();
    if (entries == nullptr || table.size() != 1)
      throw GoalsError(file + ": wants [[goal]] entries and nothing else");
    for (const toml::node& node : *entries) {
      const std::string where = fmt::format("{}: goal {}", file, goals_.size() + 1);
      const toml::table* const entry = node.as_table();
      if (entry == nullptr) throw GoalsError(where + ": is no table");
      goals_.push_back(goal_of(*entry, where));
    }
  } catch (const toml::parse_error& error) {
    throw GoalsError(fmt::format("{}: line {}: {}", file, error.source().begin.line, error.description()));
  }
}

const Goal* Goals::find(const std::string& row, const std::string& reference,
                        const std::string& driver) const {
  const Goal* found = nullptr;
  for (const Goal& goal : goals_) {
    if (goal.reference != reference || (!goal.driver.empty() && goal.driver != driver)) continue;
    if (!conformance::glob_matches(goal.row, row)) continue;
    if (found == nullptr || found->driver.empty() || !goal.driver.empty()) found = &goal;
  }
  return found;
}

}  // namespace xhal::bench
