// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cinttypes>
#include <cstdio>

#include "oracles.h"

namespace xhal::oracle {
namespace {

std::uint64_t bits(float value) { return std::bit_cast<std::uint32_t>(value); }
template <typename Unsigned>
std::uint64_t bits(Unsigned value) {
  return value;
}

// Nine significant digits tell any two floats apart.
std::string number(float value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", static_cast<double>(value));
  return text;
}
template <typename Unsigned>
std::string number(Unsigned value) {
  return std::to_string(value);
}

template <typename T>
std::string show(std::span<const T> values, std::size_t index) {
  if (index >= values.size()) return "the end of " + std::to_string(values.size()) + " elements";
  char hex[32];
  std::snprintf(hex, sizeof hex, "0x%0*" PRIx64, static_cast<int>(2 * sizeof(T)), bits(values[index]));
  return number(values[index]) + " (" + hex + ")";
}

template <typename T>
std::optional<Difference> find(std::span<const T> expected, std::span<const T> got) {
  const std::size_t common = std::min(expected.size(), got.size());
  std::size_t index = 0;
  while (index < common && bits(expected[index]) == bits(got[index])) ++index;
  if (index == expected.size() && index == got.size()) return std::nullopt;
  return Difference{.index = index, .expected = show(expected, index), .got = show(got, index)};
}

}  // namespace

std::string to_string(const Difference& difference) {
  return "element " + std::to_string(difference.index) + ": expected " + difference.expected + ", got " +
         difference.got;
}

std::optional<Difference> first_difference(std::span<const std::uint8_t> expected,
                                           std::span<const std::uint8_t> got) {
  return find(expected, got);
}

std::optional<Difference> first_difference(std::span<const std::uint32_t> expected,
                                           std::span<const std::uint32_t> got) {
  return find(expected, got);
}

std::optional<Difference> first_difference(std::span<const std::uint64_t> expected,
                                           std::span<const std::uint64_t> got) {
  return find(expected, got);
}

std::optional<Difference> first_difference(std::span<const float> expected, std::span<const float> got) {
  return find(expected, got);
}

}  // namespace xhal::oracle
