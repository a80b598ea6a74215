// SPDX-License-Identifier: Apache-2.0
// What the tools' command lines have in common.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace xhal::tools {

// An empty value is a variable that was not set, hardly ever a wish.
inline CLI::Validator not_empty() {
  return {
      [](std::string& value) { return value.empty() ? std::string("the value is empty") : std::string(); },
      ""};
}

}  // namespace xhal::tools
