// SPDX-License-Identifier: Apache-2.0
// Options of drivers and layers: one parser for XHAL_<NAME> variables, one rule for what wins.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "xhal/driver.h"

namespace xhal::host {

struct KeyValue {
  std::string key;
  std::string value;
};

// "devices=4,memory=1g": items are separated by commas, blanks around keys and items are dropped, an empty item is skipped, the value is
// what stands behind the first '=' and cannot hold a comma. `fault` is "" or says in a few words what is wrong with which item.
struct ParsedOptions {
  std::vector<KeyValue> options;
  std::string fault;
};
ParsedOptions parse_options(std::string_view text);

// "XHAL_SIM" for "sim".
std::string variable_of(std::string_view name);

// The options of one driver or layer, in the form that it is given: the variable's first, then the instance's; of several with
// one key only the last is kept, in its place, so that a driver need not know the rule.
class OptionList {
 public:
  void add(KeyValue option);
  bool empty() const { return options_.empty(); }
  // Valid until the next add.
  const xhal_key_value_t* data();
  uint32_t size() const { return static_cast<uint32_t>(options_.size()); }

 private:
  std::vector<KeyValue> options_;
  std::vector<xhal_key_value_t> view_;
};

}  // namespace xhal::host
