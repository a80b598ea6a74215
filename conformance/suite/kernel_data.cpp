// SPDX-License-Identifier: Apache-2.0
// What kernels compute: every item once, ids, offsets, order with other operations.
#include <algorithm>
#include <array>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

// Element counts with and without a tail, below, at and above a group.
Cases counts() { return grid({{"n", {0, 1, 2, 63, 64, 65, 1000, 4096, 100'003}}}); }
constexpr size_t kGuard = 70;  // elements behind n, which stay

XHAL_TEST_P(kernel, fill_copy_iota, counts, .clauses = {"XHAL-KERNEL-4", "XHAL-KERNEL-16"},
            .observes =
                "three kernels against their oracles, whole buffers, with groups of one, of the preferred "
                "multiple and of an odd size",
            .needs = {XHAL_FEATURE_KERNEL}) {
  const uint64_t n = t.number("n");
  const auto before = t.random_u32(n + kGuard, 1);
  const auto source = t.random_u32(n + kGuard, 2);
  const uint32_t value = static_cast<uint32_t>(t.seed());
  Stream stream(t);
  const Buffer dst = device_memory(t, before.size() * 4);
  const Buffer src = device_memory(t, source.size() * 4);
  t.write(src, source);
  const uint32_t largest = small_group(t);
  for (const uint32_t group :
       {1u, std::min(t.properties().preferred_group_multiple, largest), std::max(1u, largest - 1)}) {
    if (group == 1 && n > 5000) continue;  // a hundred thousand groups of one show nothing new
    t.write(dst, before);
    Launch fill(t.kernel("xhal_fill_u32"));
    fill.cover(n, group).writes(dst).value(value).value(n);
    REQUIRE_OK(fill.on(stream));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    EXPECT_DATA("XHAL-KERNEL-4", oracle::fill_u32(before, value, n), t.read<uint32_t>(dst, before.size()),
                "fill, groups of {}", group);
    Launch iota(t.kernel("xhal_iota_u32"));
    iota.cover(n, group).writes(dst).value(value).value(uint32_t{7}).value(n);
    REQUIRE_OK(iota.on(stream));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    EXPECT_DATA("XHAL-KERNEL-4", oracle::iota_u32(before, value, 7, n), t.read<uint32_t>(dst, before.size()),
                "iota, groups of {}", group);
    Launch copy(t.kernel("xhal_copy_u32"));
    copy.cover(n, group).writes(dst).reads(src).value(n);
    REQUIRE_OK(copy.on(stream));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    EXPECT_DATA("XHAL-KERNEL-16", oracle::copy_u32(before, source, n), t.read<uint32_t>(dst, before.size()),
                "copy, groups of {}", group);
  }
}

XHAL_TEST_P(kernel, axpy, counts, .clauses = {"XHAL-KERNEL-4"},
            .observes = "y after three axpys in a row, bit by bit, fused or not",
            .needs = {XHAL_FEATURE_KERNEL}) {
  const uint64_t n = t.number("n");
  std::vector<float> x(n + kGuard);
  std::vector<float> y(n + kGuard);
  oracle::fill_random(std::span(x), t.seed() + 1);
  oracle::fill_random(std::span(y), t.seed() + 2);
  Stream stream(t);
  const Buffer device_x = device_memory(t, x.size() * 4);
  const Buffer device_y = device_memory(t, y.size() * 4);
  t.write(device_x, x);
  t.write(device_y, y);
  for (uint64_t round = 0; round < 3; ++round) {
    const float a = oracle::exact_f32(t.seed(), round);
    Launch launch(t.kernel("xhal_axpy_f32"));
    launch.cover(n, small_group(t)).updates(device_y).reads(device_x).value(a).value(n);
    REQUIRE_OK(launch.on(stream));
    y = oracle::axpy_f32(y, x, a, n);
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-KERNEL-4", y, t.read<float>(device_y, y.size()));
}

XHAL_TEST_P(
    kernel, every_item_once, counts, .clauses = {"XHAL-KERNEL-4"},
    .observes = "fold and fold2, which show an item that ran twice or never, with more items than elements",
    .needs = {XHAL_FEATURE_KERNEL}) {
  const uint64_t n = t.number("n");
  const auto first = t.random_u64(n + kGuard, 1);
  const auto second = t.random_u64(n + kGuard, 2);
  Stream stream(t);
  const Buffer a = device_memory(t, first.size() * 8);
  const Buffer b = device_memory(t, second.size() * 8);
  t.write(a, first);
  t.write(b, second);
  const uint32_t group = small_group(t);
  Launch fold(t.kernel("xhal_fold_u64"));
  // Two groups too many: their items have nothing to do.
  fold.groups(static_cast<uint32_t>(n / group + 3)).items(group).updates(a).value(t.seed()).value(n);
  REQUIRE_OK(fold.on(stream));
  Launch fold2(t.kernel("xhal_fold2_u64"));
  fold2.groups(static_cast<uint32_t>(n / group + 3))
      .items(group)
      .updates(b)
      .reads(a)
      .value(uint64_t{11})
      .value(n);
  REQUIRE_OK(fold2.on(stream));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  const auto folded = oracle::fold_u64(first, t.seed(), n);
  EXPECT_DATA("XHAL-KERNEL-4", folded, t.read<uint64_t>(a, first.size()), "fold");
  EXPECT_DATA("XHAL-KERNEL-4", oracle::fold2_u64(second, folded, 11, n), t.read<uint64_t>(b, second.size()),
              "fold2");
}

Cases shapes() {
  Axis axis{"shape", {}};
  // groups x items, three dimensions each.
  for (const char* shape : {"1x1x1-1x1x1", "5x1x1-3x1x1", "1x5x1-1x3x1", "1x1x5-1x1x3", "2x3x4-4x2x3",
                            "7x1x3-1x5x2", "3x2x2-8x4x2", "64x1x1-64x1x1"}) {
    axis.values.emplace_back(shape);
  }
  return grid({axis});
}

XHAL_TEST_P(kernel, ids, shapes, .clauses = {"XHAL-KERNEL-4"},
            .observes =
                "global, local and group ids and the group's size of every item in three dimensions, and the "
                "words behind them",
            .needs = {XHAL_FEATURE_KERNEL}, .not_bit_exact = "its sizes follow the device's limits") {
  std::array<uint32_t, 6> s{};
  const std::string& shape = t.text("shape");
  size_t at = 0;
  for (uint32_t& number : s) {
    size_t used = 0;
    number = static_cast<uint32_t>(std::stoul(shape.substr(at), &used));
    at += used + 1;
  }
  const auto& p = t.properties();
  if (s[3] > p.max_group_size[0] || s[4] > p.max_group_size[1] || s[5] > p.max_group_size[2] ||
      s[3] * s[4] * s[5] > p.max_group_items) {
    t.note("the shape is above the device's limits: its groups are made of one item");
    s[3] = s[4] = s[5] = 1;
  }
  const oracle::Extent group{s[3], s[4], s[5]};
  const oracle::Extent global{s[0] * s[3], s[1] * s[4], s[2] * s[5]};
  auto expected = oracle::ids_u32(global, group);
  const size_t words = expected.size();
  expected.resize(words + kGuard, 0xA5A5A5A5);
  Stream stream(t);
  const Buffer out = device_memory(t, expected.size() * 4);
  t.write(out, std::vector<uint32_t>(expected.size(), 0xA5A5A5A5));
  Launch launch(t.kernel("xhal_ids_u32"));
  launch.groups(s[0], s[1], s[2]).items(s[3], s[4], s[5]).writes(out, words * 4);
  EXPECT_RESULT("XHAL-KERNEL-4", launch.on(stream), XHAL_SUCCESS);
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-KERNEL-4", expected, t.read<uint32_t>(out, expected.size()));
}

XHAL_TEST(kernel, in_order_with_everything, .clauses = {"XHAL-KERNEL-16"},
          .observes =
              "copy in, kernel, copy across, kernel on both, fill of a part, kernel, copy out: 20 rounds "
              "with one synchronise",
          .needs = {XHAL_FEATURE_KERNEL}) {
  constexpr uint64_t kCells = 777;
  constexpr size_t kRounds = 20;
  Stream stream(t);
  const Buffer a = device_memory(t, kCells * 8);
  const Buffer b = device_memory(t, kCells * 8);
  const auto inputs = t.random_u64(kCells * kRounds);
  const auto out = t.host_bytes(kCells * kRounds * 8);
  std::vector<uint64_t> expected;
  for (uint64_t round = 0; round < kRounds; ++round) {
    std::vector<uint64_t> cells(inputs.begin() + static_cast<std::ptrdiff_t>(round * kCells),
                                inputs.begin() + static_cast<std::ptrdiff_t>((round + 1) * kCells));
    REQUIRE_OK(xhal_memory_copy(stream, a, cells.data(), kCells * 8));
    REQUIRE_OK(fold(t, stream, a, round, kCells));
    REQUIRE_OK(xhal_memory_copy(stream, b, a, kCells * 8));
    REQUIRE_OK(fold(t, stream, b, round + 100, kCells));
    REQUIRE_OK(xhal_memory_fill(stream, b, 42, 8, 100 * 8));
    Launch join(t.kernel("xhal_fold2_u64"));
    join.cover(kCells, small_group(t)).updates(b).reads(a).value(round + 200).value(kCells);
    REQUIRE_OK(join.on(stream));
    REQUIRE_OK(xhal_memory_copy(stream, out.data() + round * kCells * 8, b, kCells * 8));
    const auto on_a = oracle::fold_u64(cells, round, kCells);
    auto on_b = oracle::fold_u64(on_a, round + 100, kCells);
    std::fill_n(on_b.begin(), 100, uint64_t{42});
    on_b = oracle::fold2_u64(on_b, on_a, round + 200, kCells);
    expected.insert(expected.end(), on_b.begin(), on_b.end());
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  std::vector<uint64_t> got(expected.size());
  std::copy(out.begin(), out.end(), reinterpret_cast<uint8_t*>(got.data()));
  EXPECT_DATA("XHAL-KERNEL-16", expected, got);
}

XHAL_TEST(kernel, across_streams, .clauses = {"XHAL-KERNEL-16"},
          .observes =
              "one cell array folded by turns on four streams that wait for each other's events; the order "
              "in the values",
          .needs = {XHAL_FEATURE_KERNEL}) {
  constexpr uint64_t kCells = 300;
  constexpr uint64_t kFolds = 120;
  const auto before = t.random_u64(kCells);
  const Buffer cells = device_memory(t, kCells * 8);
  t.write(cells, before);
  std::vector<Stream> streams;
  for (int i = 0; i < 4; ++i) streams.emplace_back(t);
  Event turn(t);
  std::vector<uint64_t> ops;
  for (uint64_t i = 0; i < kFolds; ++i) {
    const Stream& stream = streams[(i * 7) % 4];
    REQUIRE_OK(xhal_stream_wait_event(stream, turn, 0));
    REQUIRE_OK(fold(t, stream, cells, i, kCells));
    REQUIRE_OK(xhal_event_record(turn, stream, 0));
    ops.push_back(i);
  }
  REQUIRE_OK(xhal_event_synchronize(turn, t.patience()));
  std::vector<uint64_t> expected;
  for (const uint64_t cell : before) expected.push_back(oracle::FoldHistory(cell, ops).value());
  EXPECT_DATA("XHAL-KERNEL-16", expected, t.read<uint64_t>(cells, kCells));
}

XHAL_TEST(kernel, interior_pointers, .clauses = {"XHAL-KERNEL-17"},
          .observes =
              "destination and source at odd element offsets: the elements, and all others of the allocation",
          .needs = {XHAL_FEATURE_KERNEL}) {
  constexpr size_t kRoom = 600;
  const auto before = t.random_u32(kRoom, 1);
  const auto source = t.random_u32(kRoom, 2);
  Stream stream(t);
  const Buffer dst = device_memory(t, kRoom * 4);
  const Buffer src = device_memory(t, kRoom * 4);
  t.write(src, source);
  for (const size_t to : {size_t{1}, size_t{3}, size_t{64}, size_t{129}}) {
    for (const size_t from : {size_t{0}, size_t{1}, size_t{255}}) {
      constexpr uint64_t kCount = 333;
      t.write(dst, before);
      Launch launch(t.kernel("xhal_copy_u32"));
      launch.cover(kCount, small_group(t))
          .writes(dst.at(to * 4), kCount * 4)
          .reads(src.at(from * 4), kCount * 4)
          .value(kCount);
      EXPECT_RESULT("XHAL-KERNEL-17", launch.on(stream), XHAL_SUCCESS);
      REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
      auto expected = before;
      std::copy_n(source.begin() + static_cast<std::ptrdiff_t>(from), kCount,
                  expected.begin() + static_cast<std::ptrdiff_t>(to));
      EXPECT_DATA("XHAL-KERNEL-17", expected, t.read<uint32_t>(dst, kRoom), "from {} to {}", from, to);
    }
  }
}

}  // namespace
}  // namespace xhal::conformance
