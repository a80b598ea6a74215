// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <new>

#include "xhal/kit/driver.hpp"

namespace xhal::kit {
namespace {

std::string known_keys(std::span<const OptionRule> rules) {
  if (rules.empty()) return "it has no options";
  std::string text = "it knows";
  for (const OptionRule& rule : rules) {
    text += &rule == &rules.front() ? " " : ", ";
    text += rule.key;
  }
  return text;
}

struct Owner {
  const char* kind;
  const char* name;
};

xhal_result_t apply_one(const Owner& owner, const xhal_key_value_t& option,
                        std::span<const OptionRule> rules) {
  const std::string_view key = option.key != nullptr ? option.key : "";
  const auto rule = std::ranges::find_if(rules, [&](const OptionRule& r) { return key == r.key; });
  if (rule == rules.end()) {
    return fail(XHAL_ERROR_INVALID_ARGUMENT, "%s '%s' has no option '%.*s'; %s", owner.kind, owner.name,
                static_cast<int>(std::min<size_t>(key.size(), 64)), key.data(), known_keys(rules).c_str());
  }
  const std::string_view value = option.value != nullptr ? option.value : "";
  const std::string reason = rule->apply(value);
  if (reason.empty()) return XHAL_SUCCESS;
  return fail(XHAL_ERROR_INVALID_ARGUMENT, "%s '%s', option %s=%.*s: %s (%s: %s)", owner.kind, owner.name,
              rule->key, static_cast<int>(std::min<size_t>(value.size(), 64)), value.data(), reason.c_str(),
              rule->key, rule->help);
}

xhal_result_t apply_all(const Owner& owner, std::span<const xhal_key_value_t> options,
                        std::span<const OptionRule> rules) {
  try {
    for (const xhal_key_value_t& option : options) {
      if (const xhal_result_t result = apply_one(owner, option, rules); result < 0) return result;
    }
    return XHAL_SUCCESS;
  } catch (const std::bad_alloc&) {
    return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  }
}

}  // namespace

xhal_result_t apply_options(const char* driver, std::span<const xhal_key_value_t> options,
                            std::span<const OptionRule> rules) {
  return apply_all({"driver", driver}, options, rules);
}

xhal_result_t apply_layer_options(const char* layer, std::span<const xhal_key_value_t> options,
                                  std::span<const OptionRule> rules) {
  return apply_all({"layer", layer}, options, rules);
}

bool parse_bytes(std::string_view text, uint64_t& out_bytes) {
  uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{}) return false;
  unsigned shift = 0;
  if (rest != end) {
    if (end - rest != 1) return false;
    switch (*rest) {
      case 'k':
      case 'K':
        shift = 10;
        break;
      case 'm':
      case 'M':
        shift = 20;
        break;
      case 'g':
      case 'G':
        shift = 30;
        break;
      case 't':
      case 'T':
        shift = 40;
        break;
      default:
        return false;
    }
  }
  if (number > (UINT64_MAX >> shift)) return false;
  out_bytes = number << shift;
  return true;
}

}  // namespace xhal::kit
