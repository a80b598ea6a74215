// SPDX-License-Identifier: Apache-2.0
// The kernels of 32- and 64-bit words and what all kernels have in common, on every level that this processor runs, against the oracles.
#include <algorithm>
#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "pack_fixture.hpp"

namespace {

using namespace xhal::native_test;  // NOLINT(google-build-using-namespace): a program of one file
namespace oracle = xhal::oracle;

TEST_P(PackKernel, Fill) {
  for_each_shape([&](Place place, Place, std::uint64_t n, std::uint32_t group_size) {
    const Buffer<std::uint32_t> dst(place, n + kSlack, n, window_, 64);
    launch_row("xhal_fill_u32", Arguments().device(dst.address()).value(0xC0FFEE11U).value(n), n, group_size);
    expect_same<std::uint32_t>(oracle::fill_u32(dst.before(), 0xC0FFEE11U, n), dst.span());
  });
}

TEST_P(PackKernel, Copy) {
  for_each_shape([&](Place first, Place second, std::uint64_t n, std::uint32_t group_size) {
    const Buffer<std::uint32_t> dst(first, n + kSlack, n, window_, 4);
    // Exactly n elements, so that a read of one more meets the guard page.
    const Buffer<std::uint32_t> src(second, n, n + 1, window_, kHalf + 8);
    launch_row("xhal_copy_u32", Arguments().device(dst.address()).device(src.address()).value(n), n,
               group_size);
    expect_same<std::uint32_t>(oracle::copy_u32(dst.before(), src.before(), n), dst.span());
    expect_same<std::uint32_t>(src.before(), src.span());
  });
}

TEST_P(PackKernel, Iota) {
  for_each_shape([&](Place place, Place, std::uint64_t n, std::uint32_t group_size) {
    const Buffer<std::uint32_t> dst(place, n + kSlack, n, window_, 0);
    launch_row("xhal_iota_u32", Arguments().device(dst.address()).value(0xFFFFFFF0U).value(0x10001U).value(n),
               n, group_size);
    expect_same<std::uint32_t>(oracle::iota_u32(dst.before(), 0xFFFFFFF0U, 0x10001U, n), dst.span());
  });
}

TEST_P(PackKernel, Axpy) {
  for_each_shape([&](Place first, Place second, std::uint64_t n, std::uint32_t group_size) {
    const Buffer<float> y(first, n + kSlack, n, window_, 0);
    const Buffer<float> x(second, n, n + 1, window_, kHalf);
    const float a = oracle::exact_f32(n, 77);
    launch_row("xhal_axpy_f32", Arguments().device(y.address()).device(x.address()).value(a).value(n), n,
               group_size);
    expect_same<float>(oracle::axpy_f32(y.before(), x.before(), a, n), y.span());
  });
}

TEST_P(PackKernel, Fold) {
  for_each_shape([&](Place place, Place, std::uint64_t n, std::uint32_t group_size) {
    const Buffer<std::uint64_t> cells(place, n + kSlack, n, window_, 8);
    const std::uint64_t op = oracle::random_word(n, group_size);
    launch_row("xhal_fold_u64", Arguments().device(cells.address()).value(op).value(n), n, group_size);
    expect_same<std::uint64_t>(oracle::fold_u64(cells.before(), op, n), cells.span());
  });
}

TEST_P(PackKernel, Fold2) {
  for_each_shape([&](Place first, Place second, std::uint64_t n, std::uint32_t group_size) {
    const Buffer<std::uint64_t> dst(first, n + kSlack, n, window_, 8);
    const Buffer<std::uint64_t> src(second, n, n + 1, window_, kHalf);
    const std::uint64_t op = oracle::random_word(n, group_size);
    launch_row("xhal_fold2_u64", Arguments().device(dst.address()).device(src.address()).value(op).value(n),
               n, group_size);
    expect_same<std::uint64_t>(oracle::fold2_u64(dst.before(), src.before(), op, n), dst.span());
  });
}

// The variables in device memory, as drivers have them, and in the host's.
TEST_P(PackKernel, KeptVariables) {
  for (const Place place : {Place::kDevice, Place::kHost}) {
    for (const std::uint64_t n : {0U, 1U, 9U, 13U}) {
      for (const std::uint32_t group_size : {1U, 4U, 64U}) {
        SCOPED_TRACE("n " + std::to_string(n) + ", group " + std::to_string(group_size));
        const Buffer<std::uint64_t> out(Place::kHost, n + kSlack, n, window_, 0);
        const Buffer<std::uint64_t> kept(place, 13, group_size, window_, 64);
        const Buffer<std::uint32_t> items(place, 1, n, window_, 4096);
        const std::array<std::uint64_t, 2> globals = {kept.address(), items.address()};
        const std::uint64_t op = oracle::random_word(n, group_size);
        const Arguments arguments = std::move(Arguments().device(out.address()).value(op).value(n));
        EXPECT_FALSE(run({.kernel = &kernel("xhal_kept_u64"),
                          .arguments = &arguments,
                          .groups = {groups_for(n, group_size) + 1, 1, 1},
                          .group_size = {group_size, 1, 1},
                          .window = &window_,
                          .threads = 2,
                          .globals = globals.data()}));
        const auto expected = oracle::kept_u64(out.before(), kept.before(), op, n);
        expect_same<std::uint64_t>(expected.out, out.span());
        expect_same<std::uint64_t>(expected.kept, kept.span());
        EXPECT_EQ(items.span()[0], items.before()[0] + n);
      }
    }
  }
}

class PackReduction : public PackKernel {};

TEST_P(PackReduction, ForEveryPowerOfTwo) {
  for (std::uint32_t group_size = 1; group_size <= 1024; group_size *= 2) {
    for (const std::uint64_t n : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{group_size},
                                  std::uint64_t{1000}, std::uint64_t{4099}}) {
      SCOPED_TRACE("n " + std::to_string(n) + ", group " + std::to_string(group_size));
      const std::size_t groups = groups_for(n, group_size);
      const Buffer<std::uint32_t> sums(Place::kDevice, groups + 1 + kSlack, 1, window_, 0);
      const Buffer<std::uint32_t> src(Place::kHost, n, 2, window_, 0);
      launch_row("xhal_reduce_u32",
                 Arguments().device(sums.address()).device(src.address()).value(n).local(group_size * 4), n,
                 group_size);
      std::vector<std::uint32_t> expected = sums.before();
      const auto values = oracle::reduce_u32(src.before(), n, group_size);
      std::copy(values.begin(), values.end(), expected.begin());
      expect_same<std::uint32_t>(expected, sums.span());
    }
  }
}

// The linear id counts x, then y, then z, whatever the shape.
TEST_P(PackKernel, DataKernelsInThreeDimensions) {
  static constexpr std::array<Extent, 5> kGroups = {
      Extent{8, 4, 2}, {1, 64, 1}, {1, 1, 64}, {3, 5, 7}, {16, 1, 3}};
  for (const Extent& size : kGroups) {
    const Extent groups = {3, 2, 4};
    const std::uint64_t items = std::uint64_t{24} * size[0] * size[1] * size[2];
    for (const std::uint64_t n : {items, items - 13, std::uint64_t{1}}) {
      SCOPED_TRACE("n " + std::to_string(n) + ", group " + std::to_string(size[0]) + "x" +
                   std::to_string(size[1]) + "x" + std::to_string(size[2]));
      const Buffer<std::uint32_t> iota(Place::kHost, n, 1, window_, 0);
      const Buffer<std::uint64_t> cells(Place::kDevice, n + kSlack, 2, window_, 0);
      const auto launch = [&](const char* name, const Arguments& arguments) {
        EXPECT_FALSE(run({.kernel = &kernel(name),
                          .arguments = &arguments,
                          .groups = groups,
                          .group_size = size,
                          .window = &window_,
                          .threads = 2}));
      };
      launch("xhal_iota_u32", Arguments().device(iota.address()).value(9U).value(3U).value(n));
      launch("xhal_fold_u64", Arguments().device(cells.address()).value(std::uint64_t{5}).value(n));
      expect_same<std::uint32_t>(oracle::iota_u32(iota.before(), 9, 3, n), iota.span());
      expect_same<std::uint64_t>(oracle::fold_u64(cells.before(), 5, n), cells.span());
    }
  }
}

TEST_P(PackReduction, InThreeDimensions) {
  const Extent size = {4, 8, 2};
  const Extent groups = {2, 3, 2};
  const std::uint64_t n = 64 * 12 - 100;
  const Buffer<std::uint32_t> sums(Place::kHost, 12, 1, window_, 0);
  const Buffer<std::uint32_t> src(Place::kDevice, n, 2, window_, 0);
  const Arguments arguments =
      std::move(Arguments().device(sums.address()).device(src.address()).value(n).local(256));
  EXPECT_FALSE(run({.kernel = &kernel("xhal_reduce_u32"),
                    .arguments = &arguments,
                    .groups = groups,
                    .group_size = size,
                    .window = &window_,
                    .threads = 3}));
  std::vector<std::uint32_t> expected = sums.before();
  const auto values = oracle::reduce_u32(src.before(), n, 64);
  std::copy(values.begin(), values.end(), expected.begin());
  expect_same<std::uint32_t>(expected, sums.span());
}

// A count that no launch covers, also one with the highest bit set, which is negative to whoever compares it signed.
TEST_P(PackKernel, CountsBeyondTheLaunchAreLegal) {
  for (const std::uint64_t n : {std::uint64_t{1} << 40, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    const Buffer<std::uint32_t> dst(Place::kHost, 300, 1, window_, 0);
    const Arguments arguments = std::move(Arguments().device(dst.address()).value(4U).value(n));
    EXPECT_FALSE(run({.kernel = &kernel("xhal_fill_u32"),
                      .arguments = &arguments,
                      .groups = {3, 1, 1},
                      .group_size = {100, 1, 1}}));
    EXPECT_TRUE(
        std::all_of(dst.span().begin(), dst.span().end(), [](std::uint32_t word) { return word == 4; }));
  }
}

TEST_P(PackKernel, OneBufferMayBeBothArguments) {
  const std::uint64_t n = 1000;
  const Buffer<std::uint64_t> cells(Place::kDevice, n + kSlack, 3, window_, 0);
  launch_row("xhal_fold2_u64",
             Arguments().device(cells.address()).device(cells.address()).value(std::uint64_t{6}).value(n), n,
             128);
  expect_same<std::uint64_t>(oracle::fold2_u64(cells.before(), cells.before(), 6, n), cells.span());
}

// The last byte of the window is a device address, the one behind it is a host address.
TEST_P(PackKernel, WindowEndsWhereItEnds) {
  const auto write = [&](std::uint64_t address) {
    launch_row("xhal_fill_u32", Arguments().device(address).value(0x55AA55AAU).value(std::uint64_t{1}), 1, 1);
  };
  const std::uint64_t last = window_.base() + window_.size() - 4;
  write(last);
  EXPECT_EQ(*reinterpret_cast<std::uint32_t*>(window_.backing(last)), 0x55AA55AAU);
  auto* const behind = reinterpret_cast<std::uint32_t*>(window_.base() + window_.size());
  *behind = 0;
  write(window_.base() + window_.size());
  EXPECT_EQ(*behind, 0x55AA55AAU);
}

TEST_P(PackKernel, Ids) {
  static constexpr std::array<std::array<Extent, 2>, 6> kShapes = {{{Extent{1, 1, 1}, Extent{1, 1, 1}},
                                                                    {Extent{5, 1, 1}, Extent{7, 1, 1}},
                                                                    {Extent{2, 3, 1}, Extent{4, 5, 1}},
                                                                    {Extent{2, 3, 4}, Extent{3, 2, 5}},
                                                                    {Extent{1, 1, 3}, Extent{1, 1, 64}},
                                                                    {Extent{2, 1, 1}, Extent{1024, 1, 1}}}};
  for (const auto& [groups, size] : kShapes) {
    const oracle::Extent global = {groups[0] * size[0], groups[1] * size[1], groups[2] * size[2]};
    const std::size_t words = std::size_t{19} * global.x * global.y * global.z;
    const Buffer<std::uint32_t> out(Place::kHost, words, 1, window_, 0);
    const Arguments arguments = std::move(Arguments().device(out.address()));
    EXPECT_FALSE(run({.kernel = &kernel("xhal_ids_u32"),
                      .arguments = &arguments,
                      .groups = groups,
                      .group_size = size,
                      .threads = 2}));
    expect_same<std::uint32_t>(oracle::ids_u32(global, {size[0], size[1], size[2]}), out.span());
  }
}

// A chain that changes between device and host memory at every step.
TEST_P(PackKernel, ChaseThroughBothKindsOfMemory) {
  const std::uint64_t device = window_.base() + 4096;
  auto* const device_words = reinterpret_cast<std::uint64_t*>(window_.backing(device));
  GuardedArray<std::uint64_t> host(8);
  std::uint64_t* const host_words = host.data();
  const auto host_address = reinterpret_cast<std::uint64_t>(host_words);
  const std::array<std::uint64_t, 8> host_values = {device, 100, device + 16, 101, device + 32, 102, 0, 103};
  const std::array<std::uint64_t, 6> device_values = {host_address + 16, 200, host_address + 32, 201,
                                                      host_address + 48, 202};
  std::copy(host_values.begin(), host_values.end(), host_words);
  std::copy(device_values.begin(), device_values.end(), device_words);
  const std::array<oracle::MemoryBlock, 2> memory = {oracle::MemoryBlock{host_address, host_values},
                                                     oracle::MemoryBlock{device, device_values}};
  for (std::uint32_t steps = 0; steps <= 6; ++steps) {
    for (const std::uint64_t head : {host_address, device}) {
      if (head == device && steps > 5) continue;
      const Buffer<std::uint64_t> out(Place::kDevice, 2, 1, window_, 64);
      launch_row("xhal_chase_u64", Arguments().device(out.address()).device(head).value(steps), 1, 1);
      EXPECT_EQ(out.span()[0], oracle::chase_u64(memory, head, steps)) << steps << " steps";
      EXPECT_EQ(out.span()[1], out.before()[1]);
    }
  }
}

TEST_P(PackKernel, TrapTrapsWhenItsFlagIsSet) {
  for (const std::uint32_t flag : {0U, 1U, 0x80000000U}) {
    const Arguments arguments = std::move(Arguments().pointer(&flag));
    EXPECT_EQ(run({.kernel = &kernel("xhal_trap_u32"), .arguments = &arguments, .group_size = {8, 1, 1}}),
              oracle::trap_u32(flag));
  }
}

struct GateWords {
  std::atomic<std::uint32_t> flag = 0;
  std::atomic<std::uint32_t> entered = 0;
  std::atomic<std::uint32_t> relaxed = 0;
  std::atomic<bool> abandoned = false;
};

std::uint32_t relax(void* context) {
  auto* const words = static_cast<GateWords*>(context);
  words->relaxed.fetch_add(1);
  std::this_thread::yield();
  return words->abandoned ? 1 : 0;
}

class PackGate : public PackKernel {
 protected:
  std::thread start(std::uint32_t open) {
    return std::thread([this, open] {
      const Arguments arguments =
          std::move(Arguments().pointer(&words_.flag).value(open).pointer(&words_.entered));
      EXPECT_FALSE(run({.kernel = &kernel("xhal_gate_u32"),
                        .arguments = &arguments,
                        .relax = relax,
                        .relax_context = &words_}));
      returned_ = true;
    });
  }
  // The kernel goes round its loop `times` more.
  void await_rounds(std::uint32_t times) {
    const std::uint32_t start = words_.relaxed;
    while (words_.relaxed - start < times) std::this_thread::yield();
  }

  GateWords words_;
  std::atomic<bool> returned_ = false;
};

TEST_P(PackGate, OpensAtItsValueAndNotBefore) {
  std::thread worker = start(3);
  await_rounds(10);
  EXPECT_EQ(words_.entered, 1U);
  for (const std::uint32_t closed : {1U, 2U}) {
    words_.flag = closed;
    await_rounds(10);
    EXPECT_FALSE(returned_);
  }
  words_.flag = 4;
  worker.join();
  EXPECT_TRUE(returned_);
}

TEST_P(PackGate, AnOpenGateNeverRelaxes) {
  words_.flag = 0xFFFFFFFFU;
  start(0xFFFFFFFFU).join();
  EXPECT_EQ(words_.entered, 1U);
  EXPECT_EQ(words_.relaxed, 0U);
}

TEST_P(PackGate, ReturnsWhenAbandoned) {
  std::thread worker = start(1);
  await_rounds(3);
  words_.abandoned = true;
  worker.join();
  EXPECT_EQ(words_.flag, 0U);
}

// What no driver should launch is refused by the image too, and nothing runs.
TEST_P(PackKernel, GroupsThatAreTooLargeTrap) {
  for (const char* name : {"xhal_fill_u32", "xhal_reduce_u32"}) {
    for (const Extent& size :
         {Extent{1025, 1, 1}, {2, 513, 1}, {0xFFFFFFFF, 0xFFFFFFFF, 2}, {1024, 1024, 1024}}) {
      const Buffer<std::uint32_t> dst(Place::kHost, 64, 1, window_, 0);
      const Buffer<std::uint32_t> src(Place::kHost, 64, 2, window_, 0);
      Arguments arguments;
      arguments.device(dst.address());
      if (name == std::string("xhal_fill_u32")) {
        arguments.value(1U).value(std::uint64_t{64});
      } else {
        arguments.device(src.address()).value(std::uint64_t{64}).local(8192);
      }
      EXPECT_TRUE(run({.kernel = &kernel(name), .arguments = &arguments, .group_size = size}));
      expect_same<std::uint32_t>(dst.before(), dst.span());
    }
  }
}

// Groups of one launch on several threads: nothing of an item or a group may be shared.
TEST_P(PackKernel, ThreadsRunDifferentGroupsAtOnce) {
  const std::uint64_t n = 300000;
  const Buffer<std::uint32_t> sums(Place::kDevice, groups_for(n, 64), 1, window_, 0);
  const Buffer<std::uint32_t> src(Place::kHost, n, 2, window_, 0);
  const Arguments arguments =
      std::move(Arguments().device(sums.address()).device(src.address()).value(n).local(256));
  EXPECT_FALSE(run({.kernel = &kernel("xhal_reduce_u32"),
                    .arguments = &arguments,
                    .groups = {groups_for(n, 64), 1, 1},
                    .group_size = {64, 1, 1},
                    .window = &window_,
                    .threads = 8}));
  expect_same<std::uint32_t>(oracle::reduce_u32(src.before(), n, 64), sums.span());
}

TEST_P(PackKernel, ThreadsRunDifferentLaunchesAtOnce) {
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    threads.emplace_back([this, seed] {
      const std::uint64_t n = 5000 + seed;
      Worker worker;
      for (std::uint32_t round = 0; round < 20; ++round) {
        const std::uint32_t group_size = 1U << (round % 11);
        const std::uint32_t groups = groups_for(n, group_size);
        const Buffer<std::uint32_t> sums(Place::kHost, groups, seed, window_, 0);
        const Buffer<std::uint32_t> src(Place::kHost, n, seed + round, window_, 0);
        const Arguments arguments = std::move(
            Arguments().device(sums.address()).device(src.address()).value(n).local(group_size * 4));
        std::atomic<std::uint64_t> next = 0;
        EXPECT_FALSE(worker.run({.kernel = &kernel("xhal_reduce_u32"),
                                 .arguments = &arguments,
                                 .groups = {groups, 1, 1},
                                 .group_size = {group_size, 1, 1}},
                                &next));
        expect_same<std::uint32_t>(oracle::reduce_u32(src.before(), n, group_size), sums.span());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

INSTANTIATE_TEST_SUITE_P(Targets, PackKernel, testing::ValuesIn(runnable_targets()), level_name);
INSTANTIATE_TEST_SUITE_P(Targets, PackReduction, testing::ValuesIn(runnable_targets_and_plain()), level_name);
INSTANTIATE_TEST_SUITE_P(Targets, PackGate, testing::ValuesIn(runnable_targets()), level_name);

}  // namespace
