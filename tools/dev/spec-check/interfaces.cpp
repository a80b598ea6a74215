// SPDX-License-Identifier: Apache-2.0
// What a framework needs stands twice, for people in a page and for xhal-conform in a level: here they are held to be one list.
#include <algorithm>
#include <map>
#include <set>

#include "coverage.hpp"

namespace xhal::spec {

namespace {

struct Interface {
  size_t line = 0;
  std::set<std::string> clauses;
};
using Interfaces = std::map<std::string, Interface>;

std::set<std::string> clauses_in(const std::string& text) {
  std::set<std::string> out;
  for (const ClauseMention& mention : clause_mentions(text)) {
    for (unsigned number = mention.first; number <= mention.last; ++number)
      out.insert("XHAL-" + mention.page + "-" + std::to_string(number));
  }
  return out;
}

std::string without_code(std::string text) {
  std::erase(text, '`');
  return text;
}

Interfaces of_page(const TextFile& page) {
  Interfaces out;
  bool is_needs = false;
  for (size_t i = 0; i < page.lines.size(); ++i) {
    const auto cells = table_cells(page.lines[i]);
    if (cells.empty()) is_needs = false;
    if (cells.size() < 3 || is_rule(cells)) continue;
    if (cells[0] == "need") {
      is_needs = true;
    } else if (is_needs && !cells[1].starts_with(kAboveTheHal) && !cells[1].starts_with(kLater)) {
      out[without_code(cells[0])] = {i + 1, clauses_in(cells[1])};
    }
  }
  return out;
}

// Of TOML only what the level's interfaces are written with: `name = "..."` and, below it, `clauses = [...]`.
Interfaces of_level(const TextFile& level) {
  Interfaces out;
  std::string name;
  bool is_interface = false;
  for (size_t i = 0; i < level.lines.size(); ++i) {
    const std::string_view line = trimmed(level.lines[i]);
    if (line.starts_with("[[")) is_interface = line == "[[interface]]";
    if (!is_interface) continue;
    const auto quoted = split(line, '"');
    if (line.starts_with("name") && quoted.size() > 1) out[name = quoted[1]].line = i + 1;
    if (line.starts_with("clauses")) out[name].clauses = clauses_in(level.lines[i]);
  }
  return out;
}

}  // namespace

void check_interfaces(const std::filesystem::path& root, const TextFile& page, Findings& findings) {
  const auto level = read_text(root, kFrameworkLevel);
  if (!level) {
    findings.push_back({kFrameworkLevel, 1, "cannot be read, and docs/torch.md has its interfaces"});
    return;
  }
  const Interfaces asked = of_page(page);
  const Interfaces judged = of_level(*level);
  for (const auto& [name, interface] : asked) {
    const auto found = judged.find(name);
    if (found == judged.end()) {
      findings.push_back(
          {page.name, interface.line, std::string(kFrameworkLevel) + " has no interface '" + name + "'"});
    } else if (found->second.clauses != interface.clauses) {
      findings.push_back({page.name, interface.line,
                          "'" + name + "' stands on other clauses in " + kFrameworkLevel + ", line " +
                              std::to_string(found->second.line)});
    }
  }
  for (const auto& [name, interface] : judged) {
    if (!asked.contains(name))
      findings.push_back({level->name, interface.line, "docs/torch.md has no row '" + name + "'"});
  }
}

}  // namespace xhal::spec
