// SPDX-License-Identifier: Apache-2.0
// The kernels whose items work together, and those of one item, on a device of OpenCL, against the oracles.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "group_oracles.h"
#include "opencl_fixture.hpp"

namespace {

using namespace xhal::opencl_test;  // NOLINT(google-build-using-namespace): a program of one file

TEST(OpenClPack, Reduce) {
  for_each_shape([](std::uint64_t n, std::uint32_t group_size) {
    if ((group_size & (group_size - 1)) != 0) return;  // a power of two
    const auto src = random_elements<std::uint32_t>(n, 2);
    auto sums = random_elements<std::uint32_t>(groups_for(n, group_size) + 1 + kSlack, 1);
    auto expected = sums;
    std::ranges::copy(oracle::reduce_u32(src, n, group_size), expected.begin());
    run_row(Call("xhal_reduce_u32").memory(sums).reads(src).value(n).local(4 * group_size), n, group_size);
    expect_same(expected, sums);
  });
}

TEST(OpenClPack, Scan) {
  for_each_shape([](std::uint64_t n, std::uint32_t group_size) {
    auto dst = random_elements<std::uint32_t>(n + kSlack, 1);
    const auto src = random_elements<std::uint32_t>(n, 2);
    const auto expected = oracle::scan_u32(dst, src, n, group_size);
    run_row(Call("xhal_scan_u32").memory(dst).reads(src).value(n).local(8 * group_size), n, group_size);
    expect_same(expected, dst);
  });
}

TEST(OpenClPack, Reverse) {
  for (const std::uint32_t chunk : {1U, 3U, 64U, 1000U}) {
    for (const std::uint32_t group_size : {5U, 32U}) {
      const std::uint64_t n = only_few_items() ? 130 : 4099;
      auto dst = random_elements<std::uint32_t>(n + kSlack, 1);
      const auto src = random_elements<std::uint32_t>(n, 2);
      const auto expected = oracle::reverse_u32(dst, src, chunk, n);
      Call("xhal_reverse_u32")
          .memory(dst)
          .reads(src)
          .value(chunk)
          .value(n)
          .local(4 * chunk)
          .run({groups_for(n, chunk) + 1, 1, 1}, {group_size, 1, 1});
      expect_same(expected, dst);
    }
  }
}

TEST(OpenClPack, Transpose) {
  for (const std::uint32_t side : {1U, 7U, 8U}) {
    for (const auto& [rows, columns] : {std::pair{1U, 1U}, {1U, 20U}, {33U, 17U}}) {
      const std::size_t count = std::size_t{rows} * columns;
      auto dst = random_elements<std::uint32_t>(count + kSlack, 1);
      const auto src = random_elements<std::uint32_t>(count, 2);
      const auto expected = oracle::transpose_u32(dst, src, rows, columns);
      Call("xhal_transpose_u32")
          .memory(dst)
          .reads(src)
          .value(rows)
          .value(columns)
          .local(std::size_t{4} * side * (side + 1))
          .run({groups_for(columns, side), groups_for(rows, side) + 1, 1}, {side, side, 1});
      expect_same(expected, dst);
    }
  }
}

std::vector<float> small_whole_numbers(std::size_t count, std::uint64_t seed) {
  std::vector<float> numbers(count);
  for (std::size_t i = 0; i < count; ++i) {
    numbers[i] = static_cast<float>(static_cast<int>(oracle::random_word(seed, i) % 33) - 16);
  }
  return numbers;
}

TEST(OpenClPack, Matmul) {
  struct Shape {
    std::uint32_t m, n, k;
  };
  for (const std::uint32_t side : {1U, 5U, 8U}) {
    for (const Shape& it : {Shape{1, 9, 4}, {17, 5, 33}, {3, 4, 0}}) {
      auto c = random_elements<float>(it.m * it.n + kSlack, 1);
      const auto a = small_whole_numbers(std::size_t{it.m} * it.k, 4);
      const auto b = small_whole_numbers(std::size_t{it.k} * it.n, 5);
      const auto expected = oracle::matmul_f32(c, a, b, it.m, it.n, it.k);
      Call("xhal_matmul_f32")
          .memory(c)
          .reads(a)
          .reads(b)
          .value(it.m)
          .value(it.n)
          .value(it.k)
          .local(std::size_t{4} * side * side)
          .local(std::size_t{4} * side * side)
          .run({groups_for(it.n, side) + 1, groups_for(it.m, side), 1}, {side, side, 1});
      expect_same(expected, c);
    }
  }
}

template <typename T>
void expect_atomics(const std::string& type) {
  const std::uint64_t n = only_few_items() ? 99 : 9999;
  const auto src = random_elements<T>(n, 2);
  auto cells = random_elements<T>(oracle::kAtomicCells + 3, 1);
  const auto expected = oracle::atomics(view(cells), view(src), n);
  run_row(Call("xhal_atomics_" + type).memory(cells).reads(src).value(n), n, 32);
  expect_same(expected, cells);
  for (const std::uint32_t group_size : {1U, 5U, 32U}) {
    auto out = random_elements<T>((groups_for(n, group_size) + 1) * oracle::kAtomicCells, 1);
    auto expected_out = out;
    std::ranges::copy(oracle::local_atomics(view(src), n, group_size), expected_out.begin());
    run_row(Call("xhal_local_atomics_" + type).memory(out).reads(src).value(n), n, group_size);
    expect_same(expected_out, out);
  }
}

TEST(OpenClPack, Atomics) {
  expect_atomics<std::uint32_t>("u32");
  expect_atomics<std::uint64_t>("u64");
}

TEST(OpenClPack, Spin) {
  for (const std::uint64_t turns : {0U, 1U, 5000U}) {
    auto cell = random_elements<std::uint64_t>(2, 1);
    const std::vector<std::uint64_t> expected = {oracle::spin_u64(cell[0], turns), cell[1]};
    Call("xhal_spin_u64").memory(cell).value(turns).run({2, 1, 1}, {3, 1, 1});
    expect_same(expected, cell);
  }
}

TEST(OpenClPack, StructuresArriveMemberByMember) {
  const oracle::Color color = {.red = 1, .green = 200, .blue = 3};
  const oracle::Pair pair = {.key = 0x8000000000000001, .weight = -1.5F};
  const oracle::Record record = {
      .tag = 250,
      .level = -300,
      .pairs = {oracle::Pair{.key = 11, .weight = 0.25F}, {.key = ~0ULL, .weight = 1e30F}},
      .count = 4000000000,
      .bytes = {5, 6, 7, 8, 255}};
  const oracle::Box box = {.corner = {1.0F, -2.0F, 3.5F, 1e-30F}, .id = 77};
  auto out = random_elements<std::uint64_t>(23 + kSlack, 1);
  auto expected = out;
  std::ranges::copy(oracle::structs_u64(color, pair, record, box, 0xFFFFFFFF), expected.begin());
  Call("xhal_structs_u64")
      .memory(out)
      .value(color)
      .value(pair)
      .value(record)
      .value(box)
      .value(0xFFFFFFFFU)
      .run({2, 1, 1}, {3, 1, 1});
  expect_same(expected, out);
}

// A team of one group waits for nobody, which every device can do.
TEST(OpenClPack, AGroupThatMeetsItself) {
  const std::uint32_t items = 16;
  auto cells = random_elements<std::uint64_t>(std::size_t{2} * items, 1);
  std::vector<std::uint32_t> arrivals = {0};
  const std::vector<std::uint32_t> quit = {0};
  const auto expected = oracle::meet_u64(cells, {1, 1, 1}, items, {1, 1, 1}, 5);
  Call("xhal_meet_u64")
      .memory(cells)
      .memory(arrivals)
      .reads(quit)
      .value(1U)
      .value(1U)
      .value(1U)
      .value(5U)
      .value(0xFFFFFFFFU)
      .local(std::size_t{8} * items)
      .run({1, 1, 1}, {items, 1, 1});
  expect_same(expected, cells);
  EXPECT_EQ(arrivals[0], 5U);
}

// A set flag is a write to nowhere here, which ends the process on some devices: only the other half is asked.
TEST(OpenClPack, TrapWithoutAFlagDoesNothing) {
  const std::vector<std::uint32_t> flag = {0};
  Call("xhal_trap_u32").reads(flag).run({2, 1, 1}, {8, 1, 1});
  EXPECT_FALSE(oracle::trap_u32(flag[0]));
}

}  // namespace
