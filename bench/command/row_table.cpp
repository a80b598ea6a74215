// SPDX-License-Identifier: Apache-2.0
#include "bench/command/row_table.hpp"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <cmath>

#include "run/level.h"

namespace xhal::bench {
namespace {

RowEntry entry_of(const toml::table& entry, const RowTableWords& words, const std::string& where) {
  for (const auto& [key, value] : entry) {
    const std::string_view name = key.str();
    if (name != "row" && name != "reference" && name != "driver" && name != words.number &&
        name != words.reason)
      throw RowTableError(fmt::format("{}: unknown key '{}'", where, name));
  }
  const auto text = [&](const char* key) { return entry[key].value_or(std::string()); };
  RowEntry out{text("row"), text("reference"), text("driver"), entry[words.number].value_or(std::nan("")),
               text(words.reason)};
  if (out.row.empty() || out.reference.empty() || !(out.number > words.above))
    throw RowTableError(
        fmt::format("{}: wants row, reference and a {} above {}", where, words.number, words.above));
  return out;
}

}  // namespace

RowTable::RowTable(const std::string& file, const RowTableWords& words) {
  try {
    const toml::table table = toml::parse_file(file);
    const size_t beside = table.contains(words.beside) ? 1 : 0;
    if (table.size() == beside) return;
    const toml::array* const entries = table[words.entry].as_array();
    if (entries == nullptr || table.size() != 1 + beside)
      throw RowTableError(fmt::format("{}: wants [[{}]] entries and nothing else", file, words.entry));
    for (const toml::node& node : *entries) {
      const std::string where = fmt::format("{}: {} {}", file, words.entry, entries_.size() + 1);
      const toml::table* const entry = node.as_table();
      if (entry == nullptr) throw RowTableError(where + ": is no table");
      entries_.push_back(entry_of(*entry, words, where));
    }
  } catch (const toml::parse_error& error) {
    throw RowTableError(fmt::format("{}: line {}: {}", file, error.source().begin.line, error.description()));
  }
}

const RowEntry* RowTable::find(const std::string& row, const std::string& reference,
                               const std::string& driver) const {
  const RowEntry* found = nullptr;
  for (const RowEntry& entry : entries_) {
    if (!entry.driver.empty() && entry.driver != driver) continue;
    if (!conformance::glob_matches(entry.reference, reference) || !conformance::glob_matches(entry.row, row))
      continue;
    if (found == nullptr || found->driver.empty() || !entry.driver.empty()) found = &entry;
  }
  return found;
}

}  // namespace xhal::bench
