// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>

namespace xhal::conformance {

// fmt::print throws where the output ends, in a full disk or a closed pipe. A run goes on without its reader; the stream keeps its error
// flag, by which the program's end is judged.
template <class... Args>
void print(std::FILE* out, fmt::format_string<Args...> format, Args&&... args) {
  const std::string text = fmt::format(format, std::forward<Args>(args)...);
  std::fwrite(text.data(), 1, text.size(), out);
}

}  // namespace xhal::conformance
