// SPDX-License-Identifier: Apache-2.0
// Allocation and free as nodes of a graph.
#include <algorithm>

#include "suite/graph_support.h"
#include "suite/pool_support.h"

namespace xhal::conformance {
namespace {

constexpr uint64_t kBytes = 1u << 20;

Cases gates() { return grid({gate_axis()}); }

// Allocates, fills with a byte, lets `between` submit what it likes, copies to `out`, frees.
Graph life(
    Context& t, xhal_pool_t pool, xhal_stream_t stream, uint8_t value, const Buffer& out,
    const Submit& between = [](xhal_stream_t) {}) {
  return captured(t, stream, [&](xhal_stream_t s) {
    void* memory = nullptr;
    EXPECT_RESULT("XHAL-POOL-10", xhal_pool_allocate(pool, s, kBytes, &memory), XHAL_SUCCESS);
    ASSERT_CLAUSE("XHAL-POOL-10", memory != nullptr, "an allocation that succeeds gives no pointer");
    REQUIRE_OK(xhal_memory_fill(s, memory, value, 1, kBytes));
    between(s);
    REQUIRE_OK(xhal_memory_copy(s, out, memory, kBytes));
    EXPECT_RESULT("XHAL-POOL-10", xhal_pool_free(pool, s, memory), XHAL_SUCCESS);
  });
}

// The whole of the copied bytes, which the host takes back afterwards.
std::vector<uint8_t> taken(const Buffer& out) {
  std::vector<uint8_t> bytes(out.host().begin(), out.host().end());
  std::fill(out.host().begin(), out.host().end(), uint8_t{0});
  return bytes;
}

XHAL_TEST(
    pool, captured_in_turn, .clauses = {"XHAL-POOL-10"},
    .observes =
        "two graphs that allocate, fill, copy away and free, launched in turn ten times on one stream and "
        "then on two that events link: each launch's bytes; nodes for all four operations",
    .needs = {XHAL_FEATURE_POOL, XHAL_FEATURE_GRAPH}) {
  Pool pool(t);
  Stream a(t);
  Stream b(t);
  Event link(t);
  const Buffer first_out = pinned_memory(t, kBytes);
  const Buffer second_out = pinned_memory(t, kBytes);
  std::fill(first_out.host().begin(), first_out.host().end(), uint8_t{0});
  std::fill(second_out.host().begin(), second_out.host().end(), uint8_t{0});
  const Graph first = life(t, pool, a, 0x81, first_out);
  const Graph second = life(t, pool, a, 0x82, second_out);
  EXPECT_CLAUSE("XHAL-POOL-10", graph_info(t, first).node_count >= 4, "{} nodes",
                graph_info(t, first).node_count);
  REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
  EXPECT_DATA("XHAL-POOL-10", std::vector<uint8_t>(kBytes, 0), taken(first_out), "after the capture");
  const GraphExec first_exec(t, first);
  const GraphExec second_exec(t, second);
  for (int round = 0; round < 10; ++round) {
    const xhal_stream_t other = round < 5 ? a : b;
    REQUIRE_OK(xhal_graph_exec_launch(first_exec, a));
    REQUIRE_OK(xhal_event_record(link, a, 0));
    REQUIRE_OK(xhal_stream_wait_event(other, link, 0));
    REQUIRE_OK(xhal_graph_exec_launch(second_exec, other));
    REQUIRE_OK(xhal_stream_synchronize(other, t.patience()));
    EXPECT_DATA("XHAL-POOL-10", std::vector<uint8_t>(kBytes, 0x81), taken(first_out), "first, round {}",
                round);
    EXPECT_DATA("XHAL-POOL-10", std::vector<uint8_t>(kBytes, 0x82), taken(second_out), "second, round {}",
                round);
  }
}

XHAL_TEST_P(
    pool, captured_together, gates, .clauses = {"XHAL-POOL-10"},
    .observes =
        "a launch held between fill and copy of its graph's memory; meanwhile another graph is launched "
        "and the pool itself gives out and fills as much again on a free stream: each has its own bytes",
    .needs = {XHAL_FEATURE_POOL, XHAL_FEATURE_GRAPH}) {
  Pool pool(t);
  Stream a(t);
  Stream b(t);
  const Buffer first_out = pinned_memory(t, kBytes);
  const Buffer second_out = pinned_memory(t, kBytes);
  const Buffer eager_out = pinned_memory(t, kBytes);
  std::unique_ptr<Gate> gate;
  const Graph first =
      life(t, pool, a, 0x91, first_out, [&](xhal_stream_t s) { gate = gate_in_capture(t, s); });
  const Graph second = life(t, pool, b, 0x92, second_out);
  const GraphExec first_exec(t, first);
  const GraphExec second_exec(t, second);
  // In front of the launch: copies that may wait for their stream, as declared, are submitted while nothing is held.
  REQUIRE_OK(xhal_graph_exec_launch(first_exec, a));
  require_entered(t, *gate, a);
  const bool beside = t.witness(*gate);
  if (!beside) gate->open();
  EXPECT_RESULT("XHAL-POOL-10", xhal_graph_exec_launch(second_exec, b), XHAL_SUCCESS);
  {
    const PoolMemory eager(t, pool, b, kBytes);
    REQUIRE_OK(xhal_memory_fill(b, eager, 0x93, 1, kBytes));
    REQUIRE_OK(xhal_memory_copy(b, eager_out, eager, kBytes));
  }
  REQUIRE_OK(xhal_stream_synchronize(b, t.patience()));
  if (beside)
    EXPECT_CLAUSE("XHAL-POOL-10", gate->held(), "unordered launches waited for each other's memory");
  gate->open();
  REQUIRE_OK(xhal_stream_synchronize(a, t.patience()));
  EXPECT_DATA("XHAL-POOL-10", std::vector<uint8_t>(kBytes, 0x91), taken(first_out), "the held graph");
  EXPECT_DATA("XHAL-POOL-10", std::vector<uint8_t>(kBytes, 0x92), taken(second_out), "the other graph");
  EXPECT_DATA("XHAL-POOL-10", std::vector<uint8_t>(kBytes, 0x93), taken(eager_out), "the pool's own memory");
}

XHAL_TEST(
    pool, captured_memory_has_its_owner, .clauses = {"XHAL-POOL-10", "XHAL-POOL-8"},
    .observes =
        "in a capture: a free of what is no base of the pool and an allocation of size 0, the codes; how "
        "the capture ends; the pool afterwards",
    .needs = {XHAL_FEATURE_POOL, XHAL_FEATURE_GRAPH}) {
  Pool pool(t);
  Stream stream(t);
  const Buffer device = device_memory(t, 4096);
  void* none = sentinel<void>();
  {
    Capture capture(t, stream);
    EXPECT_RESULT("XHAL-POOL-8", xhal_pool_free(pool, stream, device), XHAL_ERROR_INVALID_POINTER);
    EXPECT_RESULT("XHAL-POOL-10", xhal_pool_allocate(pool, stream, 0, &none), XHAL_ERROR_INVALID_ARGUMENT);
    xhal_graph_t handle = nullptr;
    const xhal_result_t ended = capture.end(&handle);
    const Graph graph(handle);
    EXPECT_CLAUSE("XHAL-POOL-10", ended_whole_or_invalid(ended), "{}", result_name(ended));
  }
  EXPECT_VALUE("XHAL-POOL-10", none, sentinel<void>());
  EXPECT_VALUE("XHAL-POOL-10", pool_info(t, pool).used_bytes, 0u);
  const PoolMemory memory(t, pool, stream, 4096);
  EXPECT_RESULT("XHAL-POOL-10", xhal_memory_fill(stream, memory, 1, 1, 4096), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-POOL-10", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
}

XHAL_TEST(pool, captured_memory_comes_back, .clauses = {"XHAL-POOL-10"},
          .observes =
              "twelve graphs in turn that allocate a quarter of the free memory, fill its ends and free it, "
              "launched "
              "and destroyed, every other one with its launch still under way: none runs out",
          .needs = {XHAL_FEATURE_POOL, XHAL_FEATURE_GRAPH}, .isolated = true) {
  const uint64_t quarter = part_of_free_memory(t, 4);
  Pool pool(t);
  Stream stream(t);
  for (int round = 0; round < 12; ++round) {
    Graph graph = captured(t, stream, [&](xhal_stream_t s) {
      void* memory = nullptr;
      ASSERT_RESULT("XHAL-POOL-10", xhal_pool_allocate(pool, s, quarter, &memory), XHAL_SUCCESS,
                    "round {}, {} bytes", round, quarter);
      const PoolMemory kept(pool, s, memory);
      REQUIRE_OK(xhal_memory_fill(s, kept, 1, 1, 64));
      REQUIRE_OK(xhal_memory_fill(s, kept.at(quarter - 64), 2, 1, 64));
    });
    {
      const GraphExec exec(t, graph);
      ASSERT_RESULT("XHAL-POOL-10", xhal_graph_exec_launch(exec, stream), XHAL_SUCCESS, "round {}", round);
      if (round % 2 == 0) REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
      graph.reset();
    }
    ASSERT_RESULT("XHAL-POOL-10", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS, "round {}",
                  round);
  }
}

XHAL_TEST(
    pool, captured_and_freed_outside, .clauses = {"XHAL-POOL-10"},
    .observes =
        "memory that a graph allocates, fills and leaves, copied away on the launch's stream and freed "
        "there, after which the pool gives out and fills as much; launched three times so: both contents",
    .needs = {XHAL_FEATURE_POOL, XHAL_FEATURE_GRAPH}) {
  constexpr int kLaunches = 3;
  Pool pool(t, 0, ~uint64_t{0});
  Stream stream(t);
  const Buffer seen = device_memory(t, kBytes);
  void* memory = nullptr;
  const GraphExec exec = executable(t, stream, [&](xhal_stream_t s) {
    ASSERT_RESULT("XHAL-POOL-10", xhal_pool_allocate(pool, s, kBytes, &memory), XHAL_SUCCESS);
    REQUIRE_OK(xhal_memory_fill(s, memory, 0xA1, 1, kBytes));
  });
  std::vector<PoolMemory> others;
  for (int launch = 0; launch < kLaunches; ++launch) {
    REQUIRE_OK(xhal_graph_exec_launch(exec, stream));
    REQUIRE_OK(xhal_memory_copy(stream, seen, memory, kBytes));
    EXPECT_RESULT("XHAL-POOL-10", xhal_pool_free(pool, stream, memory), XHAL_SUCCESS, "behind launch {}",
                  launch);
    others.emplace_back(t, pool, stream, kBytes);
    REQUIRE_OK(xhal_memory_fill(stream, others.back(), 0xB1 + static_cast<unsigned>(launch), 1, kBytes));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    EXPECT_DATA("XHAL-POOL-10", std::vector<uint8_t>(kBytes, 0xA1), t.read<uint8_t>(seen, kBytes),
                "the graph's own, launch {}", launch);
  }
  for (int launch = 0; launch < kLaunches; ++launch) {
    EXPECT_DATA("XHAL-POOL-10", std::vector<uint8_t>(kBytes, static_cast<uint8_t>(0xB1 + launch)),
                t.read<uint8_t>(others[static_cast<size_t>(launch)], kBytes),
                "what the pool gave out behind launch {}", launch);
  }
}

}  // namespace
}  // namespace xhal::conformance
