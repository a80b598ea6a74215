// SPDX-License-Identifier: Apache-2.0
// Texts in fields of structs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace xhal::conformance {

template <size_t N>
bool is_text(const char (&text)[N]) {
  return std::memchr(text, 0, N) != nullptr;
}

// Terminated and whole UTF-8, control characters apart.
template <size_t N>
bool is_utf8(const char (&text)[N]) {
  if (!is_text(text)) return false;
  const auto* p = reinterpret_cast<const unsigned char*>(text);
  while (*p != 0) {
    size_t more = 0;
    if (*p >= 0xC2 && *p <= 0xDF) more = 1;
    if (*p >= 0xE0 && *p <= 0xEF) more = 2;
    if (*p >= 0xF0 && *p <= 0xF4) more = 3;
    if (*p >= 0x80 && more == 0) return false;
    for (++p; more > 0; --more, ++p) {
      if ((*p & 0xC0) != 0x80) return false;
    }
  }
  return true;
}

// The same on one line that a terminal shows as it is.
template <size_t N>
bool is_line(const char (&text)[N]) {
  return is_utf8(text) && std::ranges::none_of(std::string_view(text), [](char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
         });
}

}  // namespace xhal::conformance
