// SPDX-License-Identifier: Apache-2.0
// Files in which people say why something may stay as it is: TOML, one table over and over, each with a list and a reason.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace xhal::conformance {

struct ReasonedThing {
  std::vector<std::string>
      texts;  // one, or those of a list within the list, numbers among them; none is empty
  uint32_t line = 0;
};

struct ReasonedEntry {
  std::string reason;
  std::vector<ReasonedThing> things;         // at least one
  std::map<std::string, std::string> words;  // the other keys of the table whose values are texts
  uint32_t line = 0;
};

// `table` is the name of each entry, `list` the key of its list. Throws std::runtime_error, by wrong_reasons().
std::vector<ReasonedEntry> read_reasons(const std::string& path, const std::string& table,
                                        const std::string& list);

// One line: the file, the line in it, and what is wrong there.
[[noreturn]] void wrong_reasons(const std::string& path, uint32_t line, const std::string& text);

}  // namespace xhal::conformance
