// SPDX-License-Identifier: Apache-2.0
// The kernels whose items work together, and structures by value, on every level that this processor runs, against the oracles.
#include "group_oracles.h"
#include "pack_fixture.hpp"

namespace {

using namespace xhal::native_test;  // NOLINT(google-build-using-namespace): a program of one file

class PackGroups : public PackKernel {
 protected:
  bool launch(const char* name, const Arguments& arguments, Extent groups, Extent size,
              unsigned threads = 2) {
    return run({.kernel = &kernel(name),
                .arguments = &arguments,
                .groups = groups,
                .group_size = size,
                .window = &window_,
                .threads = threads});
  }
};

TEST_P(PackGroups, ScanInGroupsOfAnySize) {
  for (const std::uint32_t group_size : kGroupSizes) {
    for (const std::uint64_t n : {0U, 1U, 63U, 1000U, 4099U}) {
      SCOPED_TRACE("n " + std::to_string(n) + ", group " + std::to_string(group_size));
      const Buffer<std::uint32_t> dst(Place::kHost, n + kSlack, 1, window_, 0);
      const Buffer<std::uint32_t> src(Place::kDevice, n, 2, window_, 0);
      launch_row("xhal_scan_u32",
                 Arguments().device(dst.address()).device(src.address()).value(n).local(8 * group_size), n,
                 group_size);
      expect_same(oracle::scan_u32(dst.before(), src.before(), n, group_size), dst.span());
    }
  }
}

TEST_P(PackGroups, ScanInThreeDimensions) {
  const std::uint64_t n = 720 - 7;
  const Buffer<std::uint32_t> dst(Place::kHost, n + kSlack, 1, window_, 0);
  const Buffer<std::uint32_t> src(Place::kDevice, n, 2, window_, 0);
  EXPECT_FALSE(launch("xhal_scan_u32",
                      Arguments().device(dst.address()).device(src.address()).value(n).local(8 * 30),
                      {2, 3, 4}, {5, 3, 2}));
  expect_same(oracle::scan_u32(dst.before(), src.before(), n, 30), dst.span());
}

TEST_P(PackGroups, ReverseInChunksOfAnySize) {
  for (const std::uint32_t chunk : {1U, 3U, 64U, 1000U, 8192U}) {
    for (const std::uint32_t group_size : {1U, 16U, 100U, 1024U}) {
      for (const std::uint64_t n : {0U, 1U, 64U, 4099U, 20000U}) {
        SCOPED_TRACE("n " + std::to_string(n) + ", chunk " + std::to_string(chunk) + ", group " +
                     std::to_string(group_size));
        const Buffer<std::uint32_t> dst(Place::kDevice, n + kSlack, 1, window_, 0);
        const Buffer<std::uint32_t> src(Place::kHost, n, 2, window_, 0);
        // A group more than there are chunks.
        EXPECT_FALSE(launch(
            "xhal_reverse_u32",
            Arguments().device(dst.address()).device(src.address()).value(chunk).value(n).local(4 * chunk),
            {groups_for(n, chunk) + 1, 1, 1}, {group_size, 1, 1}, 1));
        expect_same(oracle::reverse_u32(dst.before(), src.before(), chunk, n), dst.span());
      }
    }
  }
}

TEST_P(PackGroups, TransposeOfEveryShape) {
  for (const std::uint32_t side : {1U, 2U, 7U, 16U, 32U}) {
    for (const auto& [rows, columns] : {std::pair{1U, 1U}, {1U, 100U}, {100U, 1U}, {33U, 65U}, {64U, 32U}}) {
      SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(columns) + ", side " + std::to_string(side));
      const std::size_t count = std::size_t{rows} * columns;
      const Buffer<std::uint32_t> dst(Place::kHost, count + kSlack, 1, window_, 0);
      const Buffer<std::uint32_t> src(Place::kDevice, count, 2, window_, 0);
      EXPECT_FALSE(launch("xhal_transpose_u32",
                          Arguments()
                              .device(dst.address())
                              .device(src.address())
                              .value(rows)
                              .value(columns)
                              .local(4 * side * (side + 1)),
                          {groups_for(columns, side), groups_for(rows, side) + 1, 1}, {side, side, 1}));
      expect_same(oracle::transpose_u32(dst.before(), src.before(), rows, columns), dst.span());
    }
  }
}

TEST_P(PackGroups, MatmulOfEveryShape) {
  const auto small_whole_numbers = [](const Buffer<float>& buffer, std::uint64_t seed) {
    for (std::size_t i = 0; i < buffer.span().size(); ++i) {
      buffer.span()[i] = static_cast<float>(static_cast<int>(oracle::random_word(seed, i) % 33) - 16);
    }
    return std::vector<float>(buffer.span().begin(), buffer.span().end());
  };
  struct Shape {
    std::uint32_t m, n, k;
  };
  for (const std::uint32_t side : {1U, 4U, 5U, 16U}) {
    for (const Shape& shape : {Shape{1, 1, 1}, {1, 9, 4}, {17, 5, 33}, {32, 48, 16}, {3, 4, 0}}) {
      SCOPED_TRACE(std::to_string(shape.m) + " x " + std::to_string(shape.k) + " x " +
                   std::to_string(shape.n) + ", side " + std::to_string(side));
      const Buffer<float> c(Place::kDevice, shape.m * shape.n + kSlack, 1, window_, 0);
      const Buffer<float> a(Place::kHost, shape.m * shape.k, 2, window_, 0);
      const Buffer<float> b(Place::kDevice, shape.k * shape.n, 3, window_, kHalf);
      const auto a_values = small_whole_numbers(a, 4);
      const auto b_values = small_whole_numbers(b, 5);
      EXPECT_FALSE(launch("xhal_matmul_f32",
                          Arguments()
                              .device(c.address())
                              .device(a.address())
                              .device(b.address())
                              .value(shape.m)
                              .value(shape.n)
                              .value(shape.k)
                              .local(4 * side * side)
                              .local(4 * side * side),
                          {groups_for(shape.n, side) + 1, groups_for(shape.m, side), 1}, {side, side, 1}));
      expect_same(oracle::matmul_f32(c.before(), a_values, b_values, shape.m, shape.n, shape.k), c.span());
    }
  }
}

// Groups on four threads at once update the same nine cells.
template <typename T, typename Launch>
void expect_atomics(const DeviceWindow& window, const Launch& launch) {
  const std::uint64_t n = 9999;
  const Buffer<T> cells(Place::kDevice, oracle::kAtomicCells + 3, 1, window, 64);
  const Buffer<T> src(Place::kHost, n, 2, window, 0);
  launch(Arguments().device(cells.address()).device(src.address()).value(n));
  expect_same(oracle::atomics(cells.before(), src.before(), n), cells.span());
}

TEST_P(PackGroups, AtomicsInDeviceMemory) {
  expect_atomics<std::uint32_t>(window_, [&](const Arguments& arguments) {
    EXPECT_FALSE(launch("xhal_atomics_u32", arguments, {200, 1, 1}, {64, 1, 1}, 4));
  });
  expect_atomics<std::uint64_t>(window_, [&](const Arguments& arguments) {
    EXPECT_FALSE(launch("xhal_atomics_u64", arguments, {200, 1, 1}, {64, 1, 1}, 4));
  });
}

template <typename T, typename Launch>
void expect_local_atomics(const DeviceWindow& window, std::uint32_t group_size, const Launch& launch) {
  const std::uint64_t n = 2999;
  const std::uint32_t groups = groups_for(n, group_size);
  const Buffer<T> out(Place::kDevice, (groups + 1) * oracle::kAtomicCells, 1, window, 64);
  const Buffer<T> src(Place::kHost, n, 2, window, 0);
  // A group more than own an element.
  launch(Arguments().device(out.address()).device(src.address()).value(n), Extent{groups + 1, 1, 1});
  std::vector<T> expected = out.before();
  const auto written = oracle::local_atomics(src.before(), n, group_size);
  std::copy(written.begin(), written.end(), expected.begin());
  expect_same(expected, out.span());
}

TEST_P(PackGroups, AtomicsInLocalMemory) {
  for (const std::uint32_t group_size : {1U, 5U, 64U, 1000U}) {
    SCOPED_TRACE("group " + std::to_string(group_size));
    expect_local_atomics<std::uint32_t>(window_, group_size, [&](const Arguments& arguments, Extent groups) {
      EXPECT_FALSE(launch("xhal_local_atomics_u32", arguments, groups, {group_size, 1, 1}, 4));
    });
    expect_local_atomics<std::uint64_t>(window_, group_size, [&](const Arguments& arguments, Extent groups) {
      EXPECT_FALSE(launch("xhal_local_atomics_u64", arguments, groups, {group_size, 1, 1}, 4));
    });
  }
}

TEST_P(PackGroups, SpinEndsByItself) {
  for (const std::uint64_t turns : {0U, 1U, 5000U, 100000U}) {
    const Buffer<std::uint64_t> cell(Place::kDevice, 2, 1, window_, 0);
    const Arguments arguments = std::move(Arguments().device(cell.address()).value(turns));
    EXPECT_FALSE(run({.kernel = &kernel("xhal_spin_u64"),
                      .arguments = &arguments,
                      .window = &window_,
                      .relax = [](void*) -> std::uint32_t { return 0; }}));
    EXPECT_EQ(cell.span()[0], oracle::spin_u64(cell.before()[0], turns)) << turns;
    EXPECT_EQ(cell.span()[1], cell.before()[1]);
  }
}

TEST_P(PackGroups, AnAbandonedSpinReturnsAndStoresNothing) {
  const Buffer<std::uint64_t> cell(Place::kHost, 1, 1, window_, 0);
  const Arguments arguments = std::move(Arguments().device(cell.address()).value(~std::uint64_t{0}));
  EXPECT_FALSE(run({.kernel = &kernel("xhal_spin_u64"),
                    .arguments = &arguments,
                    .relax = [](void*) -> std::uint32_t { return 1; }}));
  EXPECT_EQ(cell.span()[0], cell.before()[0]);
}

TEST_P(PackGroups, StructuresArriveMemberByMember) {
  const oracle::Color color = {.red = 1, .green = 200, .blue = 3};
  const oracle::Pair pair = {.key = 0x8000000000000001, .weight = -1.5F};
  const oracle::Record record = {
      .tag = 250,
      .level = -300,
      .pairs = {oracle::Pair{.key = 11, .weight = 0.25F}, {.key = ~0ULL, .weight = 1e30F}},
      .count = 4000000000,
      .bytes = {5, 6, 7, 8, 255}};
  const oracle::Box box = {.corner = {1.0F, -2.0F, 3.5F, 1e-30F}, .id = 77};
  const Buffer<std::uint64_t> out(Place::kDevice, 23 + kSlack, 1, window_, 0);
  std::vector<std::uint64_t> expected = out.before();
  const auto words = oracle::structs_u64(color, pair, record, box, 0xFFFFFFFF);
  std::copy(words.begin(), words.end(), expected.begin());
  // The harness keeps values at odd addresses.
  EXPECT_FALSE(launch(
      "xhal_structs_u64",
      Arguments().device(out.address()).value(color).value(pair).value(record).value(box).value(0xFFFFFFFF),
      {2, 1, 1}, {3, 1, 1}));
  expect_same(expected, out.span());
}

INSTANTIATE_TEST_SUITE_P(Targets, PackGroups, testing::ValuesIn(runnable_targets()), level_name);

}  // namespace
