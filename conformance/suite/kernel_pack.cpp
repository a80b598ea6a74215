// SPDX-License-Identifier: Apache-2.0
// The pack's kernels of every element type, and those whose items work together.
#include <cstring>

#include "group_oracles.h"
#include "suite/pack_checks.h"

namespace xhal::conformance {
namespace {

FindKernel of_image(Context& t) {
  return [&t](const std::string& name) { return t.kernel(name); };
}

Cases types() { return grid({element_axis(), {"n", {0, 1, 63, 1000, 4099}}}); }

XHAL_TEST_P(
    kernel, elements, types, .clauses = {"XHAL-KERNEL-4"},
    .observes =
        "fill, copy, iota, axpy and add of every element type, whole buffers, f16 and bf16 rounded to even",
    .needs = {XHAL_FEATURE_KERNEL}, .may_be_unobservable = true) {
  check_elements(t, "XHAL-KERNEL-4", of_image(t), t.text("type"), t.number("n"));
}

Cases group_kernels() { return grid({group_kernel_axis()}); }

XHAL_TEST_P(kernel, items_together, group_kernels, .clauses = {"XHAL-KERNEL-9"},
            .observes =
                "scan, reverse, transpose, matmul and atomics in device and in local memory, of sizes chosen "
                "at the launch; a "
                "long loop; structures by value: each against its oracle",
            .needs = {XHAL_FEATURE_KERNEL}, .may_be_unobservable = true,
            .not_bit_exact = "its sizes follow the device's limits") {
  check_group_kernel(t, "XHAL-KERNEL-9", of_image(t), t.text("kernel"));
}

Cases loops() { return grid({{"turns", {65535, 65536, 1000003}}}); }

// Some compilers guard against loops without an end by ending long ones.
XHAL_TEST_P(kernel, long_loops, loops, .clauses = {"XHAL-KERNEL-4"},
            .observes = "one item's loop of so many turns against its oracle",
            .needs = {XHAL_FEATURE_KERNEL}) {
  const uint64_t turns = t.number("turns");
  const auto before = t.random_u64(1);
  const Buffer cell = device_memory(t, sizeof(uint64_t));
  t.write(cell, before);
  Stream stream(t);
  Launch launch(t.kernel("xhal_spin_u64"));
  launch.updates(cell, sizeof(uint64_t)).value(turns);
  REQUIRE_OK(launch.on(stream));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-KERNEL-4", std::vector<uint64_t>{oracle::spin_u64(before.front(), turns)},
              t.read<uint64_t>(cell, 1));
}

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(kernel, structures_are_copied, gates, .clauses = {"XHAL-KERNEL-3"},
            .observes = "structures by value, overwritten as soon as the launch has returned, behind a gate",
            .needs = {XHAL_FEATURE_KERNEL}) {
  constexpr uint64_t kWords = 23;
  const oracle::Color color{.red = 1, .green = 2, .blue = 3};
  oracle::Pair pair{.key = 4, .weight = 1.5F};
  const oracle::Record record{
      .tag = 5, .level = -6, .pairs = {pair, pair}, .count = 7, .bytes = {8, 9, 10, 11, 12}};
  const oracle::Box box{.corner = {1, 2, 3, 4}, .id = 13};
  const Buffer out = device_memory(t, kWords * 8);
  t.write(out, std::vector<uint64_t>(kWords, 0));
  Stream stream(t);
  Launch launch(t.kernel("xhal_structs_u64"));
  launch.writes(out).value(color).value(pair).value(record).value(box).value(uint32_t{14});
  Gate gate(t, stream, gate_kind(t.text("hold")));
  REQUIRE_OK(launch.on(stream));
  for (const xhal_argument_t& argument : launch.arguments()) {
    if (argument.kind == XHAL_ARGUMENT_VALUE)
      std::memset(const_cast<void*>(argument.data), 0xEE, argument.size);
  }
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  const auto words = oracle::structs_u64(color, pair, record, box, 14);
  EXPECT_DATA("XHAL-KERNEL-3", std::vector<uint64_t>(words.begin(), words.end()),
              t.read<uint64_t>(out, kWords));
}

}  // namespace
}  // namespace xhal::conformance
