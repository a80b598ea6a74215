// SPDX-License-Identifier: Apache-2.0
// Kernels among other work of their stream, and more groups than a short counter holds.
#include "suite/support.h"

namespace xhal::conformance {
namespace {

Cases holds() { return grid({hold_axis()}); }

XHAL_TEST_P(stream, order_of_kernels_and_fills, holds, .clauses = {"XHAL-STREAM-1", "XHAL-KERNEL-16"},
            .observes =
                "32 rounds of filling a cell, folding it by a kernel and copying it to a place of its own; "
                "each place holds its round's history",
            .needs = {XHAL_FEATURE_KERNEL}) {
  constexpr size_t kRounds = 32;
  const auto values = t.random_u64(kRounds, 1);
  const auto ops = t.random_u64(kRounds, 2);
  Stream stream(t);
  const Buffer cell = device_memory(t, sizeof(uint64_t));
  const Buffer places = device_memory(t, kRounds * sizeof(uint64_t));
  t.kernel("xhal_fold_u64");
  const auto gate = gate_if_asked(t, stream);
  if (gate != nullptr && may_block(t, XHAL_COPY_DEVICE_TO_DEVICE)) gate->open();
  for (size_t i = 0; i < kRounds; ++i) {
    REQUIRE_OK(xhal_memory_fill(stream, cell, values[i], sizeof(uint64_t), sizeof(uint64_t)));
    REQUIRE_OK(fold(t, stream, cell, ops[i], 1));
    REQUIRE_OK(xhal_memory_copy(stream, places.at(i * sizeof(uint64_t)), cell, sizeof(uint64_t)));
  }
  if (gate != nullptr) gate->open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  std::vector<uint64_t> expected;
  for (size_t i = 0; i < kRounds; ++i) expected.push_back(oracle::mix(values[i], ops[i]));
  const auto got = t.read<uint64_t>(places, kRounds);
  EXPECT_DATA("XHAL-STREAM-1", expected, got);
  EXPECT_VALUE("XHAL-KERNEL-16", got.back(), expected.back());
}

Cases group_counts() { return grid({Axis{"groups", {65536, 70001}}}); }

XHAL_TEST_P(kernel, many_groups, group_counts, .clauses = {"XHAL-KERNEL-4"},
            .observes = "cells that a launch of so many groups of one item folds, the last ones above all",
            .needs = {XHAL_FEATURE_KERNEL}) {
  const auto groups = static_cast<uint32_t>(t.number("groups"));
  if (groups > t.properties().max_group_count[0]) {
    EXPECT_CLAUSE("XHAL-KERNEL-4", t.properties().max_group_count[0] > 0);
    t.substitute("the device takes fewer groups than that in one launch");
    return;
  }
  Stream stream(t);
  const auto before = t.random_u64(groups);
  const Buffer cells = device_memory(t, before.size() * sizeof(uint64_t));
  t.write(cells, before);
  Launch launch(t.kernel("xhal_fold_u64"));
  launch.groups(groups).items(1).updates(cells, before.size() * sizeof(uint64_t)).value(t.seed());
  EXPECT_RESULT("XHAL-KERNEL-4", launch.value(uint64_t{groups}).on(stream), XHAL_SUCCESS);
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-KERNEL-4", oracle::fold_u64(before, t.seed(), groups),
              t.read<uint64_t>(cells, before.size()));
}

}  // namespace
}  // namespace xhal::conformance
