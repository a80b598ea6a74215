// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <algorithm>
#include <utility>

namespace xhal::host {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace

ParsedOptions parse_options(std::string_view text) {
  ParsedOptions parsed;
  while (true) {
    const size_t comma = text.find(',');
    const std::string_view item = trim(text.substr(0, comma));
    if (!item.empty()) {
      const size_t equals = item.find('=');
      const std::string_view key = trim(item.substr(0, equals));
      if (equals == std::string_view::npos || key.empty()) {
        parsed.fault.append("'").append(item).append("' is not key=value");
        return parsed;
      }
      parsed.options.push_back({std::string(key), std::string(trim(item.substr(equals + 1)))});
    }
    if (comma == std::string_view::npos) return parsed;
    text.remove_prefix(comma + 1);
  }
}

std::string variable_of(std::string_view name) {
  std::string variable = "XHAL_";
  // Names are ASCII (docs/spec/loader.md); the C library's toupper would follow the locale.
  for (const char c : name) variable += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return variable;
}

void OptionList::add(KeyValue option) {
  std::erase_if(options_, [&](const KeyValue& earlier) { return earlier.key == option.key; });
  options_.push_back(std::move(option));
}

const xhal_key_value_t* OptionList::data() {
  view_.clear();
  for (const KeyValue& option : options_) view_.push_back({option.key.c_str(), option.value.c_str()});
  return view_.data();
}

}  // namespace xhal::host
