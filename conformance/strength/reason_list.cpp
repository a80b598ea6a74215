// SPDX-License-Identifier: Apache-2.0
#include "strength/reason_list.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <stdexcept>

namespace xhal::conformance {
namespace {

constexpr size_t kShortestReason = 20;

std::string text_of(const toml::node& node) {
  if (const auto number = node.value_exact<int64_t>(); number) return std::to_string(*number);
  return node.value_or(std::string());
}

ReasonedThing thing_of(const toml::node& node) {
  ReasonedThing out;
  out.line = node.source().begin.line;
  if (const toml::array* const parts = node.as_array(); parts != nullptr) {
    for (const toml::node& part : *parts) out.texts.push_back(text_of(part));
  } else {
    out.texts.push_back(node.value_or(std::string()));
  }
  return out;
}

}  // namespace

void wrong_reasons(const std::string& path, uint32_t line, const std::string& text) {
  throw std::runtime_error(fmt::format("{}:{}: {}", path, line, text));
}

std::vector<ReasonedEntry> read_reasons(const std::string& path, const std::string& table,
                                        const std::string& list) {
  toml::table file;
  try {
    file = toml::parse_file(path);
  } catch (const toml::parse_error& broken) {
    wrong_reasons(path, broken.source().begin.line, std::string(broken.description()));
  }
  const toml::array* const tables = file[table].as_array();
  if (tables == nullptr) wrong_reasons(path, 1, fmt::format("has no [[{}]]", table));
  std::vector<ReasonedEntry> out;
  for (const toml::node& node : *tables) {
    ReasonedEntry entry;
    entry.line = node.source().begin.line;
    if (const toml::table* const keys = node.as_table(); keys != nullptr) {
      for (const auto& [key, value] : *keys) {
        if (const auto text = value.value<std::string>(); text)
          entry.words.emplace(std::string(key.str()), *text);
      }
      if (const toml::array* const things = (*keys)[list].as_array(); things != nullptr) {
        for (const toml::node& thing : *things) entry.things.push_back(thing_of(thing));
      }
      const auto reason = entry.words.extract("reason");
      if (!reason.empty()) entry.reason = reason.mapped();
    }
    if (entry.reason.size() < kShortestReason || entry.things.empty())
      wrong_reasons(path, entry.line, fmt::format("an entry has '{}', a list, and a 'reason'", list));
    for (const ReasonedThing& thing : entry.things) {
      for (const std::string& text : thing.texts) {
        if (text.empty()) wrong_reasons(path, thing.line, fmt::format("'{}' holds what is no text", list));
      }
    }
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace xhal::conformance
