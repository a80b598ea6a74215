// SPDX-License-Identifier: Apache-2.0
// Variables: lists of names, and names that nobody reads. [XHAL-LOADER-51]
#include <algorithm>

#include "discovery.hpp"
#include "text.hpp"

namespace xhal::discovery {

namespace {

std::string_view without_blanks(std::string_view text) {
  static constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string options_variable(std::string_view name) {
  std::string variable = "XHAL_";
  for (const char c : name) variable += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return variable;
}

}  // namespace

std::vector<std::string> split_names(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view name = without_blanks(list.substr(0, comma));
    if (!name.empty()) names.emplace_back(name);
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return names;
}

std::vector<std::string> mistyped_variables(const Environment& environment,
                                            const std::vector<std::string>& set_variables,
                                            const std::vector<std::string>& known_names) {
  std::vector<std::string> warnings;
  if (environment.elevated || !environment.get) return warnings;
  std::vector<std::string> known = {"XHAL_DRIVERS", "XHAL_DRIVER_PATH", "XHAL_LAYERS", "XHAL_LAYER_PATH",
                                    "XHAL_LOG"};
  for (const std::string& name : known_names) {
    if (!name.empty()) known.push_back(options_variable(name));
  }
  for (const std::string& variable : set_variables) {
    if (!variable.starts_with("XHAL_") || std::find(known.begin(), known.end(), variable) != known.end())
      continue;
    std::string warning = "variable " + printable(variable, 128) + " is set, but nobody reads it";
    if (const auto meant = nearest(variable, known)) {
      warning += "; did you mean " + *meant + "?";
    } else {
      warning += ": no driver or layer of that name was found; unset it, or see why with xhal-info --why";
    }
    warnings.push_back(std::move(warning));
  }
  return warnings;
}

}  // namespace xhal::discovery
