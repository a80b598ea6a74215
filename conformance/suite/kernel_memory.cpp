// SPDX-License-Identifier: Apache-2.0
// Local memory, barriers, pointers found in memory.
#include <cstdlib>
#include <cstring>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

Cases group_sizes() { return grid({{"group", {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}}}); }

// Sums of groups of `group` elements against the oracle.
void check_reduction(Context& t, Clause clause, xhal_stream_t stream, uint32_t group, uint64_t n,
                     uint64_t local_bytes) {
  const auto source = t.random_u32(n, group + n);
  const uint64_t groups = (n + group - 1) / group;
  const Buffer src = device_memory(t, n * 4);
  const Buffer sums = device_memory(t, (groups + 8) * 4);
  t.write(src, source);
  t.write(sums, std::vector<uint32_t>(groups + 8, 0xA5A5A5A5));
  Launch launch(t.kernel("xhal_reduce_u32"));
  launch.cover(n, group).writes(sums, groups * 4).reads(src).value(n).local(local_bytes);
  note_call("xhal_kernel_launch(stream, reduce, &launch)");
  expect_result(t, clause, launch.on(stream), XHAL_SUCCESS, "xhal_kernel_launch(stream, reduce, &launch)",
                XHAL_HERE, "");
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  auto expected = oracle::reduce_u32(source, n, group);
  expected.resize(groups + 8, 0xA5A5A5A5);
  expect_data(t, clause, expected, t.read<uint32_t>(sums, groups + 8), "the sums", XHAL_HERE,
              fmt::format("{} elements in groups of {}", n, group));
}

bool fits(Context& t, uint32_t group) {
  xhal_kernel_info_t info{};
  info.struct_size = sizeof(info);
  REQUIRE_OK(xhal_kernel_get_info(t.kernel("xhal_reduce_u32"), &info));
  return group <= info.max_group_items && group <= t.properties().max_group_size[0] &&
         group * 4 + info.static_local_bytes <= t.properties().max_local_bytes;
}

XHAL_TEST_P(kernel, barriers, group_sizes, .clauses = {"XHAL-KERNEL-19"},
            .observes = "the tree reduction of whole and cut groups of a power of two",
            .needs = {XHAL_FEATURE_KERNEL}, .may_be_unobservable = true) {
  const auto group = static_cast<uint32_t>(t.number("group"));
  if (!fits(t, group)) Context::not_observable("the group is above the device's limits");
  Stream stream(t);
  for (const uint64_t n :
       {uint64_t{1}, uint64_t{group}, uint64_t{group} + 1, uint64_t{group} * 7 + group / 2 + 1}) {
    check_reduction(t, "XHAL-KERNEL-19", stream, group, n, uint64_t{group} * 4);
  }
}

XHAL_TEST(kernel, local_memory_is_a_groups_own, .clauses = {"XHAL-KERNEL-9"},
          .observes =
              "reductions over 500 groups, with exactly and with more than the local memory they need, on "
              "two streams at once",
          .needs = {XHAL_FEATURE_KERNEL}, .not_bit_exact = "its sizes follow the device's limits") {
  const uint32_t group = fits(t, 64) ? 64 : 1;
  Stream first(t);
  Stream second(t);
  check_reduction(t, "XHAL-KERNEL-9", first, group, 500 * group, group * 4);
  check_reduction(t, "XHAL-KERNEL-9", first, group, 500 * group - 3, group * 8);
  constexpr size_t kLaunches = 6;
  const uint64_t n = 300 * group;
  const auto source = t.random_u32(n);
  const Buffer src = device_memory(t, n * 4);
  t.write(src, source);
  std::vector<Buffer> sums;
  for (size_t i = 0; i < kLaunches; ++i) {
    sums.push_back(device_memory(t, 300 * 4));
    Launch launch(t.kernel("xhal_reduce_u32"));
    launch.cover(n, group).writes(sums.back()).reads(src).value(n).local(group * 4);
    REQUIRE_OK(launch.on(i % 2 == 0 ? first : second));
  }
  REQUIRE_OK(xhal_stream_synchronize(first, t.patience()));
  REQUIRE_OK(xhal_stream_synchronize(second, t.patience()));
  const auto expected = oracle::reduce_u32(source, n, group);
  for (const Buffer& one : sums)
    EXPECT_DATA("XHAL-KERNEL-9", expected, t.read<uint32_t>(one, expected.size()));
}

XHAL_TEST(kernel, dynamic_local_bytes, .clauses = {"XHAL-KERNEL-9"},
          .observes = "a reduction with dynamic local bytes beside its local argument",
          .needs = {XHAL_FEATURE_KERNEL}, .not_bit_exact = "its sizes follow the device's limits") {
  const uint32_t group = fits(t, 64) ? 64 : 1;
  const uint64_t n = 20 * group;
  const auto source = t.random_u32(n);
  const Buffer src = device_memory(t, n * 4);
  const Buffer sums = device_memory(t, 20 * 4);
  t.write(src, source);
  Stream stream(t);
  Launch launch(t.kernel("xhal_reduce_u32"));
  launch.cover(n, group).writes(sums).reads(src).value(n).local(group * 4);
  launch.raw().dynamic_local_bytes = 128;
  EXPECT_RESULT("XHAL-KERNEL-9", launch.on(stream), XHAL_SUCCESS);
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-KERNEL-9", oracle::reduce_u32(source, n, group), t.read<uint32_t>(sums, 20));
}

XHAL_TEST(kernel, local_argument_above_the_limit, .clauses = {"XHAL-KERNEL-5"},
          .observes = "a local argument of one byte more than there is: the code",
          .needs = {XHAL_FEATURE_KERNEL}) {
  const Buffer memory = device_memory(t, 64);
  Stream stream(t);
  for (const uint64_t bytes :
       {uint64_t{t.properties().max_local_bytes} + 1, uint64_t{1} << 40, ~uint64_t{0}}) {
    Launch launch(t.kernel("xhal_reduce_u32"));
    launch.writes(memory.at(32), 4).reads(memory, 4).value(uint64_t{1}).local(bytes);
    EXPECT_RESULT("XHAL-KERNEL-5", launch.on(stream), XHAL_ERROR_LIMIT_EXCEEDED, "{} bytes", bytes);
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
}

XHAL_TEST(kernel, follows_pointers, .clauses = {"XHAL-KERNEL-14", "XHAL-KERNEL-10"},
          .observes =
              "a chain of 600 nodes through device, pinned and, where claimed, registered memory in random "
              "order; the last node's value",
          .needs = {XHAL_FEATURE_POINTERS_IN_MEMORY}) {
  constexpr size_t kNodes = 600;
  constexpr size_t kNode = 2 * sizeof(uint64_t);
  const bool registers = t.claims(XHAL_FEATURE_REGISTER);
  const Buffer on_device = device_memory(t, kNodes * kNode);
  const Buffer on_host = pinned_memory(t, kNodes * kNode);
  const auto heap = t.host_bytes(kNodes * kNode);
  if (registers) REQUIRE_OK(xhal_memory_register(t.device(), heap.data(), heap.size(), 0));
  const auto values = t.random_u64(kNodes, 1);
  const auto places = t.random_u64(kNodes, 2);
  std::vector<void*> nodes(kNodes);
  for (size_t i = 0; i < kNodes; ++i) {
    const uint64_t where = places[i] % (registers ? 3 : 2);
    nodes[i] = where == 0   ? on_device.at(i * kNode)
               : where == 1 ? on_host.at(i * kNode)
                            : heap.data() + i * kNode;
  }
  for (size_t i = 0; i < kNodes; ++i) {
    const uint64_t node[2] = {reinterpret_cast<uintptr_t>(nodes[(i + 1) % kNodes]), values[i]};
    t.write(nodes[i], node, sizeof(node));
  }
  const Buffer out = device_memory(t, sizeof(uint64_t));
  Stream stream(t);
  for (const uint32_t steps : {0u, 1u, 2u, 37u, 599u, 600u, 1234u}) {
    Launch launch(t.kernel("xhal_chase_u64"));
    launch.writes(out).reads(nodes.front(), kNode).value(steps);
    launch.also(on_device, on_device.size(), XHAL_ACCESS_READ)
        .also(on_host, on_host.size(), XHAL_ACCESS_READ);
    if (registers) launch.also(heap.data(), heap.size(), XHAL_ACCESS_READ);
    EXPECT_RESULT("XHAL-KERNEL-10", launch.on(stream), XHAL_SUCCESS);
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    EXPECT_VALUE("XHAL-KERNEL-14", t.read<uint64_t>(out, 1).front(), values[steps % kNodes], "{} steps",
                 steps);
  }
  if (registers) REQUIRE_OK(xhal_memory_unregister(t.device(), heap.data()));
}

}  // namespace
}  // namespace xhal::conformance
