// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cinttypes>
#include <cstdio>
#include <type_traits>

#include "element_oracles.h"
#include "oracles.h"

namespace xhal::oracle {
namespace {

std::uint64_t bits(float value) { return std::bit_cast<std::uint32_t>(value); }
std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }
std::uint64_t bits(F16 value) { return value.bits; }
std::uint64_t bits(Bf16 value) { return value.bits; }
template <typename Integer>
std::uint64_t bits(Integer value) {
  return static_cast<std::make_unsigned_t<Integer>>(value);
}

// As many significant digits as tell any two numbers of the type apart.
std::string digits(double value, int count) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*g", count, value);
  return text;
}
std::string number(float value) { return digits(static_cast<double>(value), 9); }
std::string number(double value) { return digits(value, 17); }
std::string number(F16 value) { return digits(value_of(value), 5); }
std::string number(Bf16 value) { return digits(value_of(value), 4); }
template <typename Integer>
std::string number(Integer value) {
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

std::optional<Difference> first_difference(std::span<const std::int8_t> expected,
                                           std::span<const std::int8_t> got) {
  return find(expected, got);
}

std::optional<Difference> first_difference(std::span<const std::int16_t> expected,
                                           std::span<const std::int16_t> got) {
  return find(expected, got);
}

std::optional<Difference> first_difference(std::span<const std::int32_t> expected,
                                           std::span<const std::int32_t> got) {
  return find(expected, got);
}

std::optional<Difference> first_difference(std::span<const std::int64_t> expected,
                                           std::span<const std::int64_t> got) {
  return find(expected, got);
}

std::optional<Difference> first_difference(std::span<const F16> expected, std::span<const F16> got) {
  return find(expected, got);
}

std::optional<Difference> first_difference(std::span<const Bf16> expected, std::span<const Bf16> got) {
  return find(expected, got);
}

std::optional<Difference> first_difference(std::span<const double> expected, std::span<const double> got) {
  return find(expected, got);
}

}  // namespace xhal::oracle
