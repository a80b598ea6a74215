// SPDX-License-Identifier: Apache-2.0
// Memory that is allocated and freed in stream order: when it may be used, and when it is given out again.
#include "suite/pool_support.h"

namespace xhal::conformance {
namespace {

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(
    pool, usable_at_once, gates, .clauses = {"XHAL-POOL-1"},
    .observes =
        "an allocation behind a gate, filled and copied away behind the same gate, and by a stream that "
        "waits for it: given while the gate is shut, the bytes after it",
    .needs = {XHAL_FEATURE_POOL}) {
  constexpr uint64_t kBytes = 100'000;
  Pool pool(t);
  Stream stream(t);
  Stream other(t);
  Event allocated(t);
  const Buffer seen = pinned_memory(t, kBytes);
  const Buffer seen_by_other = pinned_memory(t, kBytes);
  std::fill(seen.host().begin(), seen.host().end(), uint8_t{0});
  std::fill(seen_by_other.host().begin(), seen_by_other.host().end(), uint8_t{0});
  Gate gate(t, stream, gate_kind(t.text("hold")));
  const PoolMemory first(t, pool, stream, kBytes);
  const PoolMemory second(t, pool, stream, kBytes);
  if (gate.shut()) EXPECT_CLAUSE("XHAL-POOL-1", gate.held(), "an allocation waited for its stream");
  REQUIRE_OK(xhal_event_record(allocated, stream, 0));
  // Copies that may wait for their stream, as declared, must not meet a shut gate.
  if (may_block(t, XHAL_COPY_DEVICE_TO_PINNED)) gate.open();
  REQUIRE_OK(xhal_memory_fill(stream, first, 0xC1, 1, kBytes));
  REQUIRE_OK(xhal_memory_copy(stream, seen, first, kBytes));
  REQUIRE_OK(xhal_stream_wait_event(other, allocated, 0));
  REQUIRE_OK(xhal_memory_fill(other, second, 0xC2, 1, kBytes));
  REQUIRE_OK(xhal_memory_copy(other, seen_by_other, second, kBytes));
  if (t.witness(gate))
    EXPECT_CLAUSE("XHAL-POOL-1", seen.host()[0] == 0 && seen_by_other.host()[0] == 0,
                  "work overtook the gate");
  gate.open();
  EXPECT_RESULT("XHAL-POOL-1", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-POOL-1", xhal_stream_synchronize(other, t.patience()), XHAL_SUCCESS);
  EXPECT_DATA("XHAL-POOL-1", std::vector<uint8_t>(kBytes, 0xC1),
              std::vector<uint8_t>(seen.host().begin(), seen.host().end()));
  EXPECT_DATA("XHAL-POOL-1", std::vector<uint8_t>(kBytes, 0xC2),
              std::vector<uint8_t>(seen_by_other.host().begin(), seen_by_other.host().end()));
}

XHAL_TEST(pool, kernels_use_it, .clauses = {"XHAL-POOL-1"},
          .observes = "the histories of cells that kernels fold in memory allocated and freed around them",
          .needs = {XHAL_FEATURE_POOL, XHAL_FEATURE_KERNEL}) {
  constexpr uint64_t kCells = 3000;
  constexpr uint64_t kBytes = kCells * sizeof(uint64_t);
  constexpr uint64_t kRounds = 20;
  const auto before = t.random_u64(kCells);
  Pool pool(t);
  Stream stream(t);
  const Buffer start = device_memory(t, kBytes);
  const Buffer results = device_memory(t, kRounds * kBytes);
  t.write(start, before);
  for (uint64_t round = 0; round < kRounds; ++round) {
    const PoolMemory cells(t, pool, stream, kBytes);
    REQUIRE_OK(xhal_memory_copy(stream, cells, start, kBytes));
    REQUIRE_OK(fold(t, stream, cells, round, kCells));
    REQUIRE_OK(fold(t, stream, cells, round + 1, kCells));
    REQUIRE_OK(xhal_memory_copy(stream, results.at(round * kBytes), cells, kBytes));
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  for (uint64_t round = 0; round < kRounds; ++round) {
    const auto expected = oracle::fold_u64(oracle::fold_u64(before, round, kCells), round + 1, kCells);
    EXPECT_DATA("XHAL-POOL-1", expected, t.read<uint64_t>(results.at(round * kBytes), kCells), "round {}",
                round);
  }
}

XHAL_TEST_P(
    pool, free_does_not_wait, gates, .clauses = {"XHAL-POOL-3"},
    .observes =
        "a free behind work that a gate holds, on the own stream and on one that waits for it: returns "
        "while the gate is shut, and the work before it still finds its memory",
    .needs = {XHAL_FEATURE_POOL}) {
  constexpr uint64_t kBytes = 60'000;
  Pool pool(t);
  Stream stream(t);
  Stream other(t);
  Event used(t);
  const Buffer seen = pinned_memory(t, 2 * kBytes);
  std::fill(seen.host().begin(), seen.host().end(), uint8_t{0});
  PoolMemory first(t, pool, stream, kBytes);
  PoolMemory second(t, pool, stream, kBytes);
  REQUIRE_OK(xhal_memory_fill(stream, first, 0xD1, 1, kBytes));
  REQUIRE_OK(xhal_memory_fill(stream, second, 0xD2, 1, kBytes));
  Gate gate(t, stream, gate_kind(t.text("hold")));
  if (may_block(t, XHAL_COPY_DEVICE_TO_PINNED)) gate.open();
  const bool held = gate.held();
  REQUIRE_OK(xhal_memory_copy(stream, seen, first, kBytes));
  REQUIRE_OK(xhal_memory_copy(stream, seen.at(kBytes), second, kBytes));
  REQUIRE_OK(xhal_event_record(used, stream, 0));
  EXPECT_RESULT("XHAL-POOL-3", xhal_pool_free(pool, stream, first.release()), XHAL_SUCCESS);
  REQUIRE_OK(xhal_stream_wait_event(other, used, 0));
  EXPECT_RESULT("XHAL-POOL-3", xhal_pool_free(pool, other, second.release()), XHAL_SUCCESS);
  if (held) EXPECT_CLAUSE("XHAL-POOL-3", gate.held(), "a free waited for its stream");
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  REQUIRE_OK(xhal_stream_synchronize(other, t.patience()));
  std::vector<uint8_t> expected(kBytes, 0xD1);
  expected.resize(2 * kBytes, 0xD2);
  EXPECT_DATA("XHAL-POOL-3", expected, std::vector<uint8_t>(seen.host().begin(), seen.host().end()));
}

XHAL_TEST_P(
    pool, freed_memory_waits_for_its_stream, gates, .clauses = {"XHAL-POOL-2"},
    .observes =
        "memory freed on a held stream whose copy out of it is still to run; sixteen allocations of its "
        "size, and of half of it, on another stream are filled: the copy has the first contents",
    .needs = {XHAL_FEATURE_POOL}) {
  HeldFree work(t, gate_kind(t.text("hold")), 0xA7);
  std::vector<PoolMemory> others;
  for (int i = 0; i < 16; ++i) {
    const uint64_t bytes = i % 2 == 0 ? HeldFree::kBytes : HeldFree::kBytes / 2;
    others.emplace_back(t, work.pool(), work.other(), bytes);
    REQUIRE_OK(xhal_memory_fill(work.other(), others.back(), 0x3C, 1, bytes));
  }
  // The fills have run before the gate opens wherever another stream can get on beside it.
  if (t.witness(work.gate())) REQUIRE_OK(xhal_stream_synchronize(work.other(), t.patience()));
  EXPECT_DATA("XHAL-POOL-2", work.expected(), work.finish(), "the copy out of the freed memory");
}

XHAL_TEST_P(pool, freed_memory_goes_to_who_waits, gates, .clauses = {"XHAL-POOL-1", "XHAL-POOL-2"},
            .observes =
                "memory freed on a held stream whose copy out of it is still to run; a stream that waits for "
                "an event "
                "behind the free allocates, while the gate is shut, fills and copies away: both copies",
            .needs = {XHAL_FEATURE_POOL}) {
  HeldFree work(t, gate_kind(t.text("hold")), 0xA8);
  Event freed(t);
  const Buffer seen = device_memory(t, HeldFree::kBytes);
  const bool held = work.gate().held();
  REQUIRE_OK(xhal_event_record(freed, work.held(), 0));
  REQUIRE_OK(xhal_stream_wait_event(work.other(), freed, 0));
  const PoolMemory memory(t, work.pool(), work.other(), HeldFree::kBytes);
  if (held) EXPECT_CLAUSE("XHAL-POOL-1", work.gate().held(), "an allocation waited for a stream");
  REQUIRE_OK(xhal_memory_fill(work.other(), memory, 0x3D, 1, HeldFree::kBytes));
  REQUIRE_OK(xhal_memory_copy(work.other(), seen, memory, HeldFree::kBytes));
  EXPECT_DATA("XHAL-POOL-2", work.expected(), work.finish(), "the copy out of the freed memory");
  EXPECT_DATA("XHAL-POOL-2", std::vector<uint8_t>(HeldFree::kBytes, 0x3D),
              t.read<uint8_t>(seen, HeldFree::kBytes), "the copy out of what was allocated behind it");
}

XHAL_TEST(
    pool, reuse_follows_order, .clauses = {"XHAL-POOL-2"},
    .observes =
        "600 short lives of blocks on three streams, from one pool without a synchronise, linked by events "
        "now and then: each block's first and last word, copied away just before its free",
    .needs = {XHAL_FEATURE_POOL}) {
  constexpr uint64_t kLives = 600;
  constexpr uint64_t kSizes[] = {64, 4096, 65'536, 200'000};
  Pool pool(t, 0, ~uint64_t{0});
  Stream streams[] = {Stream(t), Stream(t), Stream(t)};
  Event events[] = {Event(t), Event(t), Event(t)};
  const Buffer seen = device_memory(t, kLives * 16);
  std::vector<uint64_t> expected;
  for (uint64_t i = 0; i < kLives; ++i) {
    const uint64_t dice = oracle::random_word(t.seed(), i);
    const xhal_stream_t stream = streams[dice % 3];
    const uint64_t bytes = kSizes[dice / 3 % std::size(kSizes)];
    const uint64_t value = oracle::random_word(t.seed() + 1, i);
    if (dice % 16 == 0) {
      REQUIRE_OK(xhal_event_record(events[dice % 3], streams[(dice + 1) % 3], 0));
      REQUIRE_OK(xhal_stream_wait_event(stream, events[dice % 3], 0));
    }
    const PoolMemory memory(t, pool, stream, bytes);
    REQUIRE_OK(xhal_memory_fill(stream, memory, value, 8, bytes));
    REQUIRE_OK(xhal_memory_copy(stream, seen.at(i * 16), memory, 8));
    REQUIRE_OK(xhal_memory_copy(stream, seen.at(i * 16 + 8), memory.at(bytes - 8), 8));
    expected.insert(expected.end(), {value, value});
  }
  for (Stream& stream : streams) REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-POOL-2", expected, t.read<uint64_t>(seen, 2 * kLives));
  REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
  EXPECT_VALUE("XHAL-POOL-2", pool_info(t, pool).used_bytes, 0u, "after the last free");
}

XHAL_TEST_P(pool, destroyed_with_memory_alive, gates, .clauses = {"XHAL-POOL-7", "XHAL-POOL-9"},
            .observes =
                "a pool destroyed while a gate holds work on its memory and a free: the destroy returns, the "
                "handle is dead, the memory works on and its attributes stay, until xhal_memory_free, once",
            .needs = {XHAL_FEATURE_POOL}) {
  constexpr uint64_t kBytes = 50'000;
  Pool pool(t);
  Stream stream(t);
  void* memory = PoolMemory(t, pool, stream, kBytes).release();
  PoolMemory freed(t, pool, stream, kBytes);
  // If the test leaves early, the memory goes with the instance.
  Gate gate(t, stream, gate_kind(t.text("hold")));
  REQUIRE_OK(xhal_memory_fill(stream, memory, 0x21, 1, kBytes));
  REQUIRE_OK(xhal_memory_fill(stream, freed, 0x22, 1, kBytes));
  REQUIRE_OK(xhal_pool_free(pool, stream, freed.release()));
  const xhal_pool_t handle = pool.release();
  EXPECT_RESULT("XHAL-POOL-7", xhal_pool_destroy(handle), XHAL_SUCCESS);
  if (gate.shut()) EXPECT_CLAUSE("XHAL-POOL-7", gate.held(), "the destroy waited");
  xhal_pool_info_t info{};
  info.struct_size = sizeof(info);
  EXPECT_RESULT("XHAL-POOL-7", xhal_pool_get_info(handle, &info), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_RESULT("XHAL-POOL-7", xhal_pool_free(handle, stream, memory), XHAL_ERROR_INVALID_HANDLE);
  REQUIRE_OK(xhal_memory_fill(stream, memory, 0x23, 1, kBytes / 2));
  gate.open();
  EXPECT_RESULT("XHAL-POOL-7", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  std::vector<uint8_t> expected(kBytes / 2, 0x23);
  expected.resize(kBytes, 0x21);
  EXPECT_DATA("XHAL-POOL-7", expected, t.read<uint8_t>(memory, kBytes));
  const auto attributes = attributes_of(t, memory);
  EXPECT_VALUE("XHAL-POOL-9", attributes.kind, uint32_t{XHAL_MEMORY_DEVICE});
  EXPECT_VALUE("XHAL-POOL-9", attributes.size, kBytes);
  EXPECT_RESULT("XHAL-POOL-7", xhal_memory_free(t.device(), memory), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-POOL-7", xhal_memory_free(t.device(), memory), XHAL_ERROR_INVALID_POINTER, "twice");
}

}  // namespace
}  // namespace xhal::conformance
