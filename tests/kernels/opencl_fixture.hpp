// SPDX-License-Identifier: Apache-2.0
#pragma once

// Data and shapes of launches for the tests of the pack on OpenCL.
#include <gtest/gtest.h>

#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "element_oracles.h"
#include "opencl_harness.hpp"

namespace xhal::opencl_test {

namespace oracle = xhal::oracle;

inline constexpr std::size_t kSlack = 5;  // elements behind n, which stay as they are

inline bool only_few_items() {
  const char* const items = std::getenv("OPENCL_TEST_ITEMS");
  return items != nullptr && std::string(items) == "few";
}
inline std::vector<std::uint64_t> counts() {
  if (only_few_items()) return {0, 1, 33, 130};
  return {0, 1, 3, 64, 1000, 4099, 70001};
}
inline std::vector<std::uint32_t> group_sizes() {
  if (only_few_items()) return {1, 5, 32};
  return {1, 7, 64, 256};
}

template <typename T>
std::vector<T> random_elements(std::size_t count, std::uint64_t seed) {
  std::vector<T> data(count);
  oracle::fill_random(std::span<T>(data), seed);
  return data;
}
template <typename T>
T any(std::uint64_t seed) {
  return random_elements<T>(1, seed)[0];
}
template <typename T>
std::span<const T> view(const std::vector<T>& elements) {
  return elements;
}
template <typename T>
void expect_same(const std::vector<T>& expected, const std::vector<T>& got) {
  const auto difference = oracle::first_difference(view(expected), view(got));
  EXPECT_FALSE(difference.has_value()) << to_string(*difference);
}

// Calls `body` with each count and size of groups, less the launches that are many small groups.
template <typename Body>
void for_each_shape(const Body& body) {
  for (const std::uint64_t n : counts()) {
    for (const std::uint32_t group_size : group_sizes()) {
      if (n > 1000 && group_size < 64) continue;
      SCOPED_TRACE("n " + std::to_string(n) + ", group " + std::to_string(group_size));
      body(n, group_size);
      if (testing::Test::HasFailure()) return;
    }
  }
}
// One row that covers n items and a whole group more.
inline void run_row(Call& call, std::uint64_t n, std::uint32_t group_size) {
  call.run({groups_for(n, group_size) + 1, 1, 1}, {group_size, 1, 1});
}

}  // namespace xhal::opencl_test
