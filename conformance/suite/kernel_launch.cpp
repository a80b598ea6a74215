// SPDX-License-Identifier: Apache-2.0
// Launches: arguments, limits, flags, threads.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "suite/launch_support.h"

namespace xhal::conformance {
namespace {

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(kernel, arguments_are_copied, gates, .clauses = {"XHAL-KERNEL-3"},
            .observes =
                "argument values, argument array and launch struct overwritten right after the launch, while "
                "the stream is held",
            .needs = {XHAL_FEATURE_KERNEL}) {
  constexpr uint64_t kCells = 100;
  const auto before = t.random_u64(kCells);
  Stream stream(t);
  const Buffer cells = device_memory(t, kCells * 8);
  t.write(cells, before);
  xhal_kernel_t kernel = t.kernel("xhal_fold_u64");
  Gate gate(t, stream, gate_kind(t.text("hold")));
  std::vector<uint64_t> ops;
  for (uint64_t op = 1; op <= 10; ++op) {
    uint64_t op_value = op;
    uint64_t n_value = kCells;
    std::array<xhal_argument_t, 3> arguments = {
        {{XHAL_ARGUMENT_MEMORY, XHAL_ACCESS_READ_WRITE, 0, cells.get()},
         {XHAL_ARGUMENT_VALUE, 0, 8, &op_value},
         {XHAL_ARGUMENT_VALUE, 0, 8, &n_value}}};
    xhal_launch_t launch = *Launch(kernel).cover(kCells, small_group(t)).desc();
    launch.arguments = arguments.data();
    launch.argument_count = 3;
    launch.ranges = nullptr;
    REQUIRE_OK(xhal_kernel_launch(stream, kernel, &launch));
    op_value = 0xBAD;
    n_value = 1;
    arguments.fill({XHAL_ARGUMENT_VALUE, 0, 0, nullptr});
    std::memset(&launch, 0xFF, sizeof(launch));
    ops.push_back(op);
  }
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  std::vector<uint64_t> expected;
  for (const uint64_t cell : before) expected.push_back(oracle::FoldHistory(cell, ops).value());
  EXPECT_DATA("XHAL-KERNEL-3", expected, t.read<uint64_t>(cells, kCells));
}

XHAL_TEST(kernel, sizes_are_checked, .clauses = {"XHAL-KERNEL-5"},
          .observes = "a zero in each size, and one above each limit: codes; nothing ran",
          .needs = {XHAL_FEATURE_KERNEL}) {
  const auto& p = t.properties();
  Refusal refusal(t);
  for (size_t d = 0; d < 3; ++d) {
    refusal.expect("XHAL-KERNEL-5", XHAL_ERROR_INVALID_ARGUMENT, fmt::format("group_count[{}] = 0", d),
                   [&](Launch& l) { l.raw().group_count[d] = 0; });
    refusal.expect("XHAL-KERNEL-5", XHAL_ERROR_INVALID_ARGUMENT, fmt::format("group_size[{}] = 0", d),
                   [&](Launch& l) { l.raw().group_size[d] = 0; });
    refusal.expect("XHAL-KERNEL-5", XHAL_ERROR_LIMIT_EXCEEDED,
                   fmt::format("group_size[{}] above the limit", d),
                   [&](Launch& l) { l.raw().group_size[d] = p.max_group_size[d] + 1; });
    refusal.expect("XHAL-KERNEL-5", XHAL_ERROR_LIMIT_EXCEEDED, fmt::format("group_size[{}] near 2^32", d),
                   [&](Launch& l) { l.raw().group_size[d] = std::numeric_limits<uint32_t>::max(); });
    if (p.max_group_count[d] == std::numeric_limits<uint32_t>::max()) continue;
    refusal.expect("XHAL-KERNEL-5", XHAL_ERROR_LIMIT_EXCEEDED,
                   fmt::format("group_count[{}] above the limit", d),
                   [&](Launch& l) { l.raw().group_count[d] = p.max_group_count[d] + 1; });
  }
  // More items in all than a group may have, with each dimension inside its own limit.
  const uint32_t x = p.max_group_size[0];
  const uint32_t y = std::min(p.max_group_size[1], p.max_group_items / x + 1);
  const uint32_t z =
      std::min(p.max_group_size[2], static_cast<uint32_t>(p.max_group_items / (uint64_t{x} * y) + 1));
  if (uint64_t{x} * y * z > p.max_group_items) {
    refusal.expect("XHAL-KERNEL-5", XHAL_ERROR_LIMIT_EXCEEDED, fmt::format("{} x {} x {} items", x, y, z),
                   [&](Launch& l) { l.items(x, y, z); });
  }
  if (p.max_local_bytes < std::numeric_limits<uint32_t>::max()) {
    refusal.expect("XHAL-KERNEL-5", XHAL_ERROR_LIMIT_EXCEEDED, "dynamic local bytes above the limit",
                   [&](Launch& l) { l.raw().dynamic_local_bytes = p.max_local_bytes + 1; });
  }
  refusal.expect_untouched("XHAL-KERNEL-5");
}

XHAL_TEST(kernel, arguments_are_checked, .clauses = {"XHAL-KERNEL-6"},
          .observes =
              "one too few, one too many, none, each kind in place of another, sizes 1 below and above: "
              "codes; nothing ran",
          .needs = {XHAL_FEATURE_ARGUMENT_CHECK}) {
  Refusal refusal(t);
  const auto refused = [&](const std::string& what,
                           const std::function<void(std::vector<xhal_argument_t>&)>& change) {
    refusal.expect("XHAL-KERNEL-6", XHAL_ERROR_INVALID_ARGUMENT, what,
                   [&](Launch& l) { change(l.arguments()); });
  };
  refused("two of three arguments", [](auto& a) { a.pop_back(); });
  refused("no argument", [](auto& a) { a.clear(); });
  refused("a fourth argument", [](auto& a) { a.push_back(a.back()); });
  refused("a value for memory", [](auto& a) { a[0] = a[1]; });
  refused("memory for a value", [](auto& a) { a[1] = a[0]; });
  refused("local memory for a value", [](auto& a) { a[1] = {XHAL_ARGUMENT_LOCAL, 0, 8, nullptr}; });
  refused("local memory for memory", [](auto& a) { a[0] = {XHAL_ARGUMENT_LOCAL, 0, 64, nullptr}; });
  refused("an unknown kind", [](auto& a) { a[1].kind = 77; });
  for (const uint64_t size : {0u, 1u, 4u, 7u, 9u, 16u}) {
    refused(fmt::format("a value of {} bytes for one of 8", size), [size](auto& a) { a[2].size = size; });
  }
  refusal.expect_untouched("XHAL-KERNEL-6");
}

XHAL_TEST(kernel, access_is_checked, .clauses = {"XHAL-KERNEL-10"},
          .observes = "access 0 and unknown bits of an argument and of a further range: codes; nothing ran",
          .needs = {XHAL_FEATURE_KERNEL}) {
  Refusal refusal(t);
  for (const uint32_t access : {0u, 4u, 7u, 0x80000003u}) {
    refusal.expect("XHAL-KERNEL-10", XHAL_ERROR_INVALID_ARGUMENT,
                   fmt::format("argument access {:#x}", access),
                   [access](Launch& l) { l.arguments()[0].access = access; });
    refusal.expect("XHAL-KERNEL-10", XHAL_ERROR_INVALID_ARGUMENT, fmt::format("range access {:#x}", access),
                   [&](Launch& l) { l.also(refusal.cell(), 8, access); });
  }
  refusal.expect_untouched("XHAL-KERNEL-10");
}

XHAL_TEST(kernel, further_ranges, .clauses = {"XHAL-KERNEL-10"},
          .observes = "a launch with two further ranges runs as one without",
          .needs = {XHAL_FEATURE_KERNEL}) {
  Stream stream(t);
  const Buffer cell = device_memory(t, 8);
  const Buffer other = device_memory(t, 4096);
  t.write(cell, std::vector<uint64_t>{3});
  Launch launch(t.kernel("xhal_fold_u64"));
  launch.updates(cell, 8)
      .value(uint64_t{4})
      .value(uint64_t{1})
      .also(other, 100, XHAL_ACCESS_READ)
      .also(other.at(2048), 8, XHAL_ACCESS_READ_WRITE);
  EXPECT_RESULT("XHAL-KERNEL-10", launch.on(stream), XHAL_SUCCESS);
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_VALUE("XHAL-KERNEL-10", t.read<uint64_t>(cell, 1).front(), oracle::mix(3, 4));
}

// A cluster that every device with clusters takes.
void make_cluster(Launch& launch, uint32_t flags) {
  launch.raw().flags = flags;
  std::fill_n(launch.raw().cluster_size, 3, 1u);
}
constexpr uint32_t kBothFlags = uint32_t{XHAL_LAUNCH_COOPERATIVE} | uint32_t{XHAL_LAUNCH_CLUSTER};

XHAL_TEST(
    kernel, unclaimed_launch_flags, .clauses = {"XHAL-KERNEL-13"},
    .observes =
        "cooperative launches without the feature, also with clusters: the code; nothing ran; occupancy "
        "tells 0",
    .needs = {XHAL_FEATURE_KERNEL}, .unless = {XHAL_FEATURE_COOPERATIVE_LAUNCH}) {
  Refusal refusal(t);
  refusal.expect("XHAL-KERNEL-13", XHAL_ERROR_UNSUPPORTED, "COOPERATIVE",
                 [](Launch& l) { l.raw().flags = XHAL_LAUNCH_COOPERATIVE; });
  refusal.expect("XHAL-KERNEL-13", XHAL_ERROR_UNSUPPORTED, "both flags",
                 [](Launch& l) { make_cluster(l, kBothFlags); });
  refusal.expect_untouched("XHAL-KERNEL-13");
  EXPECT_VALUE("XHAL-KERNEL-13", occupancy_of(t, "xhal_fold_u64", 1, 0).max_cooperative_groups, 0u);
}

XHAL_TEST(kernel, unclaimed_cluster_flag, .clauses = {"XHAL-KERNEL-13"},
          .observes =
              "cluster launches without the feature, also cooperative ones: the code; nothing ran; occupancy "
              "tells 0",
          .needs = {XHAL_FEATURE_KERNEL}, .unless = {XHAL_FEATURE_CLUSTER_LAUNCH}) {
  Refusal refusal(t);
  refusal.expect("XHAL-KERNEL-13", XHAL_ERROR_UNSUPPORTED, "CLUSTER",
                 [](Launch& l) { make_cluster(l, XHAL_LAUNCH_CLUSTER); });
  refusal.expect("XHAL-KERNEL-13", XHAL_ERROR_UNSUPPORTED, "both flags",
                 [](Launch& l) { make_cluster(l, kBothFlags); });
  refusal.expect_untouched("XHAL-KERNEL-13");
  EXPECT_VALUE("XHAL-KERNEL-13", occupancy_of(t, "xhal_fold_u64", 1, 0).max_cluster_groups, 0u);
}

XHAL_TEST(kernel, stream_of_another_device, .clauses = {"XHAL-KERNEL-15"},
          .observes = "a kernel of device 0 on a stream of device 1: the code; nothing ran",
          .needs = {XHAL_FEATURE_KERNEL}, .devices = 2) {
  Stream stream(t, 1);
  const Buffer cell = device_memory(t, 8);
  t.write(cell, std::vector<uint64_t>{3});
  Launch launch(t.kernel("xhal_fold_u64"));
  launch.updates(cell, 8).value(uint64_t{4}).value(uint64_t{1});
  EXPECT_RESULT("XHAL-KERNEL-15", launch.on(stream), XHAL_ERROR_INVALID_ARGUMENT);
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_VALUE("XHAL-KERNEL-15", t.read<uint64_t>(cell, 1).front(), 3u);
}

XHAL_TEST(kernel, many_threads_one_kernel, .clauses = {"XHAL-KERNEL-7", "XHAL-ABI-15"},
          .observes =
              "six threads launch one kernel 60 times each with values of their own on streams of their own; "
              "every cell's history",
          .needs = {XHAL_FEATURE_KERNEL}) {
  constexpr size_t kThreads = 6;
  constexpr uint64_t kLaunches = 60;
  constexpr uint64_t kCells = 129;
  xhal_kernel_t kernel = t.kernel("xhal_fold_u64");
  std::vector<Stream> streams;
  std::vector<Buffer> cells;
  for (size_t i = 0; i < kThreads; ++i) {
    streams.emplace_back(t);
    cells.push_back(device_memory(t, kCells * 8));
    t.write(cells.back(), std::vector<uint64_t>(kCells, i));
  }
  const uint32_t group = small_group(t);
  std::atomic<int> refused{0};
  run_threads(kThreads, [&](size_t i) {
    for (uint64_t k = 0; k < kLaunches; ++k) {
      Launch launch(kernel);
      launch.cover(kCells, group).updates(cells[i]).value(i * 1000 + k).value(kCells);
      if (TRACED(launch.on(streams[i])) != XHAL_SUCCESS) ++refused;
    }
    if (TRACED(xhal_stream_synchronize(streams[i], t.patience())) != XHAL_SUCCESS) ++refused;
  });
  EXPECT_VALUE("XHAL-ABI-15", refused.load(), 0, "calls that did not succeed");
  for (size_t i = 0; i < kThreads; ++i) {
    oracle::FoldHistory history(i);
    for (uint64_t k = 0; k < kLaunches; ++k) history.fold(i * 1000 + k);
    EXPECT_DATA("XHAL-KERNEL-7", std::vector<uint64_t>(kCells, history.value()),
                t.read<uint64_t>(cells[i], kCells), "thread {}", i);
  }
}

}  // namespace
}  // namespace xhal::conformance
