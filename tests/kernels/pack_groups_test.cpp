// SPDX-License-Identifier: Apache-2.0
// The kernels whose items work together, and structures by value, on every level that this processor runs, against the oracles.
#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

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

// Kernels in steps.
class PackSteps : public PackGroups {};

TEST_P(PackSteps, ScanInGroupsOfAnySize) {
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

TEST_P(PackSteps, ScanInThreeDimensions) {
  const std::uint64_t n = 720 - 7;
  const Buffer<std::uint32_t> dst(Place::kHost, n + kSlack, 1, window_, 0);
  const Buffer<std::uint32_t> src(Place::kDevice, n, 2, window_, 0);
  EXPECT_FALSE(launch("xhal_scan_u32",
                      Arguments().device(dst.address()).device(src.address()).value(n).local(8 * 30),
                      {2, 3, 4}, {5, 3, 2}));
  expect_same(oracle::scan_u32(dst.before(), src.before(), n, 30), dst.span());
}

TEST_P(PackSteps, ReverseInChunksOfAnySize) {
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

TEST_P(PackSteps, TransposeOfEveryShape) {
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

// Groups of a team on threads of their own, as many threads as groups.
class PackTeams : public PackGroups {
 protected:
  static constexpr std::uint32_t kNobody = 0xFFFFFFFF;

  struct Meeting {
    Extent groups;
    Extent items;
    Extent team;
    std::uint32_t rounds = 1;
    std::uint32_t fails = kNobody;
  };
  static std::uint32_t count_of(const Extent& extent) { return extent[0] * extent[1] * extent[2]; }

  // What a driver answers: whether the launch is over.
  static std::uint32_t yield(void* over) {
    std::this_thread::yield();
    return static_cast<std::atomic<std::uint32_t>*>(over)->load();
  }

  bool meet(const Meeting& it, const Buffer<std::uint64_t>& cells, const Buffer<std::uint32_t>& arrivals) {
    const Arguments arguments = std::move(Arguments()
                                              .device(cells.address())
                                              .device(arrivals.address())
                                              .pointer(&quit_)
                                              .value(it.team[0])
                                              .value(it.team[1])
                                              .value(it.team[2])
                                              .value(it.rounds)
                                              .value(it.fails)
                                              .local(std::size_t{8} * count_of(it.items)));
    return run({.kernel = &kernel("xhal_meet_u64"),
                .arguments = &arguments,
                .groups = it.groups,
                .group_size = it.items,
                .window = &window_,
                .threads = count_of(it.groups),
                .row_groups = 1,
                .relax = &yield,
                .relax_context = &over_});
  }

  std::atomic<std::uint32_t> over_{0};
  std::uint32_t quit_ = 0;
};

TEST_P(PackTeams, MeetInEveryShape) {
  const Meeting meetings[] = {{{1, 1, 1}, {1, 1, 1}, {1, 1, 1}, 3},  {{4, 1, 1}, {1, 1, 1}, {4, 1, 1}, 9},
                              {{6, 1, 1}, {33, 1, 1}, {3, 1, 1}, 4}, {{4, 4, 1}, {8, 2, 1}, {2, 2, 1}, 5},
                              {{2, 2, 4}, {3, 2, 5}, {2, 1, 2}, 6},  {{2, 3, 2}, {64, 1, 1}, {2, 3, 2}, 7},
                              {{3, 1, 1}, {16, 1, 1}, {3, 1, 1}, 0}};
  std::uint64_t seed = 0;
  for (const Meeting& it : meetings) {
    SCOPED_TRACE("meeting " + std::to_string(seed));
    const std::uint32_t items = count_of(it.items);
    const Buffer<std::uint64_t> cells(Place::kDevice, std::size_t{2} * count_of(it.groups) * items, ++seed,
                                      window_, 0);
    const std::uint32_t members = count_of(it.team);
    const std::uint32_t teams = count_of(it.groups) / members;
    const Buffer<std::uint32_t> arrivals(Place::kHost, teams, seed, window_, 0);
    std::ranges::fill(arrivals.span(), 0);
    EXPECT_FALSE(meet(it, cells, arrivals));
    expect_same(oracle::meet_u64(cells.before(), it.groups, items, it.team, it.rounds), cells.span());
    expect_same(std::vector<std::uint32_t>(teams, members * it.rounds), arrivals.span());
  }
}

TEST_P(PackTeams, LeaveWhenTheyAreTold) {
  const Meeting it = {{1, 1, 1}, {8, 1, 1}, {1, 1, 1}, 2};
  const Buffer<std::uint64_t> cells(Place::kDevice, 16, 1, window_, 0);
  const Buffer<std::uint32_t> arrivals(Place::kHost, 1, 1, window_, 0);
  for (const bool by_driver : {false, true}) {
    quit_ = by_driver ? 0 : 1;
    over_ = by_driver ? 1 : 0;
    arrivals.span()[0] = 0xFFFFFFFF;  // so that its own arrival does not make up the team
    EXPECT_FALSE(meet(it, cells, arrivals));
    EXPECT_EQ(arrivals.span()[0], 0U) << "one arrival";
  }
}

TEST_P(PackTeams, AGroupThatFailsDoesNotArrive) {
  const Meeting it = {{1, 1, 1}, {8, 1, 1}, {1, 1, 1}, 2, 0};
  const Buffer<std::uint64_t> cells(Place::kDevice, 16, 1, window_, 0);
  const Buffer<std::uint32_t> arrivals(Place::kHost, 1, 1, window_, 0);
  arrivals.span()[0] = 0;
  EXPECT_TRUE(meet(it, cells, arrivals));
  EXPECT_EQ(arrivals.span()[0], 0U);
}

TEST_P(PackSteps, MatmulOfEveryShape) {
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
INSTANTIATE_TEST_SUITE_P(Targets, PackSteps, testing::ValuesIn(runnable_targets_and_plain()), level_name);
INSTANTIATE_TEST_SUITE_P(Targets, PackTeams, testing::ValuesIn(runnable_targets()), level_name);

}  // namespace
