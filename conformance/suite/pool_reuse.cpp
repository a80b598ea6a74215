// SPDX-License-Identifier: Apache-2.0
// Memory that a pool gives out again while those who had it are held, many of them, or have failed.
#include <bit>
#include <vector>

#include "suite/failing.h"
#include "suite/graph_support.h"
#include "suite/pool_support.h"

namespace xhal::conformance {
namespace {

constexpr uint64_t kBytes = 64u << 10;

Cases gates() { return grid({gate_axis()}); }

uint8_t value_of(size_t i) { return static_cast<uint8_t>(0x81 + i); }

// Blocks of a pool, each filled with its own value, in front of everything that the test holds.
class Blocks {
 public:
  Blocks(Context& t, xhal_pool_t pool, xhal_stream_t stream, size_t count)
      : t_(t), seen_(t, XHAL_MEMORY_DEVICE, count * kBytes) {
    for (size_t i = 0; i < count; ++i) {
      blocks_.emplace_back(t, pool, stream, kBytes);
      REQUIRE_OK(xhal_memory_fill(stream, blocks_.back(), value_of(i), 1, kBytes));
    }
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  }
  // Copies block i away and frees it, both on that stream.
  void copy_and_free(xhal_pool_t pool, xhal_stream_t stream, size_t i) {
    Context& t = t_;
    REQUIRE_OK(xhal_memory_copy(stream, seen_.at(i * kBytes), blocks_[i], kBytes));
    REQUIRE_OK(xhal_pool_free(pool, stream, blocks_[i].release()));
  }
  // What the copies found, once they are done.
  void expect_whole() {
    Context& t = t_;
    for (size_t i = 0; i < blocks_.size(); ++i) {
      EXPECT_DATA("XHAL-POOL-2", std::vector<uint8_t>(kBytes, value_of(i)),
                  t.read<uint8_t>(seen_.at(i * kBytes), kBytes), "the copy out of block {}", i);
    }
  }

 private:
  Context& t_;
  Buffer seen_;
  std::vector<PoolMemory> blocks_;
};

XHAL_TEST(pool, exactly_the_limit, .clauses = {"XHAL-POOL-4", "XHAL-POOL-5"},
          .observes =
              "all of max_bytes in one allocation, a byte beside it, a fill of its end; freed, and once more",
          .needs = {XHAL_FEATURE_POOL}) {
  // A power of two, so that no granularity takes more of it.
  const uint64_t limit = std::bit_floor(large(t));
  Pool pool(t, limit);
  Stream stream(t);
  for (int round = 0; round < 2; ++round) {
    void* pointer = nullptr;
    ASSERT_RESULT("XHAL-POOL-4", xhal_pool_allocate(pool, stream, limit, &pointer), XHAL_SUCCESS,
                  "{} bytes of as many, round {}", limit, round);
    PoolMemory all(pool, stream, pointer);
    void* none = sentinel<void>();
    EXPECT_RESULT("XHAL-POOL-4", xhal_pool_allocate(pool, stream, 1, &none), XHAL_ERROR_OUT_OF_DEVICE_MEMORY,
                  "a byte beside it, round {}", round);
    EXPECT_VALUE("XHAL-POOL-5", pool_info(t, pool).used_bytes, limit);
    EXPECT_RESULT("XHAL-POOL-4", xhal_memory_fill(stream, all.at(limit - 64), 7, 1, 64), XHAL_SUCCESS);
    EXPECT_RESULT("XHAL-POOL-4", xhal_pool_free(pool, stream, all.release()), XHAL_SUCCESS);
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  }
}

XHAL_TEST_P(
    pool, figures_behind_a_gate, gates, .clauses = {"XHAL-POOL-5", "XHAL-POOL-6"},
    .observes =
        "reserved and used bytes while a gate is shut, behind which memory was freed and twice as much "
        "allocated; after the gate; after all was freed and the pool trimmed",
    .needs = {XHAL_FEATURE_POOL}) {
  const uint64_t bytes = large(t);
  Pool pool(t);
  Stream stream(t);
  PoolMemory first(t, pool, stream, bytes);
  REQUIRE_OK(xhal_memory_fill(stream, first, 1, 1, 64));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  {
    Gate gate(t, stream, gate_kind(t.text("hold")));
    REQUIRE_OK(xhal_memory_fill(stream, first, 2, 1, 64));
    REQUIRE_OK(xhal_pool_free(pool, stream, first.release()));
    std::vector<PoolMemory> live;
    const auto expect_reserved = [&](const char* when) {
      const xhal_pool_info_t info = pool_info(t, pool);
      EXPECT_CLAUSE("XHAL-POOL-5",
                    info.reserved_bytes >= info.used_bytes && info.used_bytes >= live.size() * bytes,
                    "{}: {} reserved, {} used, {} live", when, info.reserved_bytes, info.used_bytes,
                    live.size() * bytes);
    };
    for (int i = 0; i < 2; ++i) {
      live.emplace_back(t, pool, stream, bytes);
      expect_reserved("behind the gate");
    }
    gate.open();
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    expect_reserved("after the gate");
    EXPECT_VALUE("XHAL-POOL-5", pool_info(t, pool).used_bytes, 2 * bytes, "after the gate");
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_RESULT("XHAL-POOL-6", xhal_pool_trim(pool, 0), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-POOL-6", pool_info(t, pool).reserved_bytes, 0u, "nothing is used");
}

XHAL_TEST_P(pool, many_frees_behind_a_gate, gates, .clauses = {"XHAL-POOL-2", "XHAL-POOL-6"},
            .observes =
                "fourteen blocks that are copied away and freed in turn on a held stream, while another one "
                "allocates and fills as many: each copy; reserved bytes after all was freed and trimmed",
            .needs = {XHAL_FEATURE_POOL}) {
  constexpr size_t kBlocks = 14;
  Pool pool(t, 0, ~uint64_t{0});
  Stream held(t);
  Stream other(t);
  Blocks blocks(t, pool, held, kBlocks);
  {
    Gate gate(t, held, gate_kind(t.text("hold")));
    // Copies that may wait for their stream, as declared, must not meet a shut gate.
    if (may_block(t, XHAL_COPY_DEVICE_TO_DEVICE)) gate.open();
    for (size_t i = 0; i < kBlocks; ++i) blocks.copy_and_free(pool, held, i);
    std::vector<PoolMemory> others;
    for (size_t i = 0; i < kBlocks; ++i) {
      others.emplace_back(t, pool, other, kBytes);
      REQUIRE_OK(xhal_memory_fill(other, others.back(), 0x3C, 1, kBytes));
    }
    if (t.witness(gate)) REQUIRE_OK(xhal_stream_synchronize(other, t.patience()));
    gate.open();
    REQUIRE_OK(xhal_stream_synchronize(held, t.patience()));
    REQUIRE_OK(xhal_stream_synchronize(other, t.patience()));
  }
  blocks.expect_whole();
  REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
  EXPECT_RESULT("XHAL-POOL-6", xhal_pool_trim(pool, 0), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-POOL-6", pool_info(t, pool).reserved_bytes, 0u, "nothing is used");
}

XHAL_TEST_P(
    pool, waits_for_many, gates, .clauses = {"XHAL-POOL-2"},
    .observes =
        "eighteen streams that wait for a held one, copy a block away and free it; one that waits for all "
        "of them allocates as many and fills every other one: each copy",
    .needs = {XHAL_FEATURE_POOL}) {
  constexpr size_t kStreams = 18;
  Pool pool(t, 0, ~uint64_t{0});
  Stream held(t);
  Stream last(t);
  std::vector<Stream> streams;
  std::vector<Event> freed;
  for (size_t i = 0; i < kStreams; ++i) {
    streams.emplace_back(t);
    freed.emplace_back(t);
  }
  Event start(t);
  Blocks blocks(t, pool, held, kStreams);
  Gate gate(t, held, gate_kind(t.text("hold")));
  if (may_block(t, XHAL_COPY_DEVICE_TO_DEVICE)) gate.open();
  REQUIRE_OK(xhal_event_record(start, held, 0));
  for (size_t i = 0; i < kStreams; ++i) {
    REQUIRE_OK(xhal_stream_wait_event(streams[i], start, 0));
    blocks.copy_and_free(pool, streams[i], i);
    REQUIRE_OK(xhal_event_record(freed[i], streams[i], 0));
    REQUIRE_OK(xhal_stream_wait_event(last, freed[i], 0));
  }
  std::vector<PoolMemory> others;
  for (size_t i = 0; i < kStreams; ++i) {
    others.emplace_back(t, pool, last, kBytes);
    if (i % 2 == 0) REQUIRE_OK(xhal_memory_fill(last, others.back(), 0x3C, 1, kBytes));
  }
  gate.open();
  REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
  blocks.expect_whole();
}

Cases failures() { return grid({{"followers", {1, 2}}, {"first_freed", {0, 1}}, {"frees_beside", {0, 12}}}); }

XHAL_TEST_P(
    pool, freed_by_who_has_failed, failures, .clauses = {"XHAL-POOL-2", "XHAL-ERROR-5"},
    .observes =
        "two blocks whose copies a stream still has before it, freed there, allocated and freed again by "
        "one that waits for it, and so on; those fail before they have waited; a stream that waited for "
        "nobody allocates and fills as much, once the first copy is done: both copies",
    .needs = {XHAL_FEATURE_POOL, XHAL_FEATURE_KERNEL, XHAL_FEATURE_CROSS_STREAM_PROGRESS}, .isolated = true,
    .may_be_unobservable = true) {
  if (t.properties().fault_scope != XHAL_FAULT_SCOPE_STREAM)
    Context::not_observable("a failure reaches beyond its stream, as declared: nobody goes on beside it");
  if (may_block(t, XHAL_COPY_DEVICE_TO_DEVICE))
    Context::not_observable(
        "a copy may wait for its stream, as declared: nothing is freed behind one that is held");
  const size_t followers = t.number("followers");
  const size_t first_freed = t.number("first_freed");
  load_trap(t);
  Pool pool(t, 0, ~uint64_t{0});
  Stream held(t);
  Stream other(t);
  Blocks blocks(t, pool, held, 2);
  std::vector<Stream> streams;
  std::vector<Event> freed;
  for (size_t i = 0; i < followers; ++i) streams.emplace_back(t);
  for (size_t i = 0; i <= followers; ++i) freed.emplace_back(t);
  Gate first(t, held, Gate::Kind::kKernel);
  blocks.copy_and_free(pool, held, 0);
  Gate second(t, held, Gate::Kind::kKernel, 0, Gate::Entry::kLater);
  blocks.copy_and_free(pool, held, 1);
  REQUIRE_OK(xhal_event_record(freed[0], held, 0));
  const Buffer word = device_memory(t, 64);
  std::vector<std::unique_ptr<Gate>> before;
  for (size_t i = 0; i < followers; ++i) {
    const xhal_stream_t stream = streams[i];
    // Others, freed around the two, with work between.
    std::vector<PoolMemory> beside;
    while (beside.size() < t.number("frees_beside")) beside.emplace_back(t, pool, stream, kBytes);
    const auto free_beside = [&] {
      if (beside.empty()) return;
      REQUIRE_OK(xhal_pool_free(pool, stream, beside.back().release()));
      beside.pop_back();
      REQUIRE_OK(xhal_memory_fill(stream, word, 1, 1, 64));
    };
    before.push_back(std::make_unique<Gate>(t, stream, Gate::Kind::kKernel));
    REQUIRE_OK(submit_trap(t, stream));
    REQUIRE_OK(xhal_stream_wait_event(stream, freed[i], 0));
    std::vector<PoolMemory> again;
    for (int k = 0; k < 2; ++k) again.emplace_back(t, pool, stream, kBytes);
    free_beside();
    REQUIRE_OK(xhal_pool_free(pool, stream, again[first_freed].release()));
    free_beside();
    REQUIRE_OK(xhal_pool_free(pool, stream, again[1 - first_freed].release()));
    while (!beside.empty()) free_beside();
    REQUIRE_OK(xhal_event_record(freed[i + 1], stream, 0));
  }
  for (const auto& gate : before) gate->open();
  for (const Stream& stream : streams) {
    const xhal_result_t code = TRACED(xhal_stream_synchronize(stream, t.patience()));
    EXPECT_CLAUSE("XHAL-ERROR-5", is_failure(code), "the trap's stream says {}", result_name(code));
  }
  const bool dropped = first.held();
  if (first.shut() && !dropped) t.note("what has failed kept its waits: nothing is left to be seen early");
  first.open();
  require_entered(t, second, held);
  std::vector<PoolMemory> others;
  for (int i = 0; i < 20; ++i) {
    others.emplace_back(t, pool, other, kBytes);
    REQUIRE_OK(xhal_memory_fill(other, others.back(), 0x3C, 1, kBytes));
  }
  REQUIRE_OK(xhal_stream_synchronize(other, t.patience()));
  if (dropped) EXPECT_CLAUSE("XHAL-POOL-2", second.held(), "who follows nobody waited for what is held");
  second.open();
  EXPECT_RESULT("XHAL-ERROR-5", xhal_stream_synchronize(held, t.patience()), XHAL_SUCCESS,
                "a stream that waited for nobody");
  blocks.expect_whole();
}

}  // namespace
}  // namespace xhal::conformance
