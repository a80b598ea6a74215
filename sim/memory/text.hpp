// SPDX-License-Identifier: Apache-2.0
// One line that says why something was refused.
#pragma once

#include <cstdio>
#include <string>

namespace xhal::sim {

template <class... Arguments>
std::string text(const char* format, Arguments... arguments) {
  char buffer[256];
  std::snprintf(buffer, sizeof(buffer), format, arguments...);
  return buffer;
}

}  // namespace xhal::sim
