// SPDX-License-Identifier: Apache-2.0
// Launches: order inside and around, overlap, and what they depend on afterwards.
#include "suite/graph_support.h"

namespace xhal::conformance {
namespace {

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(
    graph, a_launch_waits_for_its_stream, gates, .clauses = {"XHAL-GRAPH-2"},
    .observes =
        "a launch behind a gate, of a graph with a fork: neither branch has run while the gate is shut, "
        "both have after it, and the launch did not wait",
    .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Stream forked(t);
  Event fork(t);
  Event join(t);
  Marker trunk(t);
  Marker branch(t);
  const GraphExec exec = executable(t, stream, [&](xhal_stream_t s) {
    REQUIRE_OK(xhal_event_record(fork, s, 0));
    REQUIRE_OK(xhal_stream_wait_event(forked, fork, 0));
    branch.fill_on(t, forked);
    trunk.fill_on(t, s);
    REQUIRE_OK(xhal_event_record(join, forked, 0));
    REQUIRE_OK(xhal_stream_wait_event(s, join, 0));
  });
  Gate gate(t, stream, gate_kind(t.text("hold")));
  REQUIRE_OK(xhal_graph_exec_launch(exec, stream));
  if (t.witness(gate))
    EXPECT_CLAUSE("XHAL-GRAPH-2", trunk.untouched() && branch.untouched(), "{}; {}", trunk.shown(),
                  branch.shown());
  if (gate.shut()) {
    EXPECT_RESULT("XHAL-GRAPH-2", xhal_stream_query(stream), XHAL_NOT_READY);
    EXPECT_CLAUSE("XHAL-GRAPH-2", gate.held(), "the launch waited for the stream");
  }
  trunk.stamp(gate);
  branch.stamp(gate);
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_CLAUSE("XHAL-GRAPH-2", trunk.filled() && branch.filled(), "{}; {}", trunk.shown(), branch.shown());
}

XHAL_TEST_P(graph, later_work_waits_for_the_launch, gates, .clauses = {"XHAL-GRAPH-2"},
            .observes =
                "a gate in a branch of the graph: the node behind the join, a fill and an event behind the "
                "launch and a stream that waits for that event have not happened while it is shut",
            .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Stream forked(t);
  Stream waiter(t);
  Event fork(t);
  Event join(t);
  Event behind(t);
  Marker joined(t);
  Marker next(t);
  Marker waited(t);
  std::unique_ptr<Gate> gate;
  const GraphExec exec = executable(t, stream, [&](xhal_stream_t s) {
    REQUIRE_OK(xhal_event_record(fork, s, 0));
    REQUIRE_OK(xhal_stream_wait_event(forked, fork, 0));
    gate = gate_in_capture(t, forked);
    REQUIRE_OK(xhal_event_record(join, forked, 0));
    REQUIRE_OK(xhal_stream_wait_event(s, join, 0));
    joined.fill_on(t, s);
  });
  REQUIRE_OK(xhal_graph_exec_launch(exec, stream));
  next.fill_on(t, stream);
  REQUIRE_OK(xhal_event_record(behind, stream, 0));
  REQUIRE_OK(xhal_stream_wait_event(waiter, behind, 0));
  waited.fill_on(t, waiter);
  require_entered(t, *gate, stream);
  if (t.witness(*gate))
    EXPECT_CLAUSE("XHAL-GRAPH-2", joined.untouched() && next.untouched() && waited.untouched(), "{}; {}; {}",
                  joined.shown(), next.shown(), waited.shown());
  if (gate->shut()) {
    EXPECT_RESULT("XHAL-GRAPH-2", xhal_event_query(behind), XHAL_NOT_READY);
    EXPECT_RESULT("XHAL-GRAPH-2", xhal_stream_query(stream), XHAL_NOT_READY);
    EXPECT_RESULT("XHAL-GRAPH-2", xhal_stream_synchronize(stream, 0), XHAL_TIMEOUT);
    EXPECT_CLAUSE("XHAL-GRAPH-2", gate->held());
  }
  for (Marker* marker : {&joined, &next, &waited}) marker->stamp(*gate);
  gate->open();
  REQUIRE_OK(xhal_stream_synchronize(waiter, t.patience()));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_CLAUSE("XHAL-GRAPH-2", joined.filled() && next.filled() && waited.filled(), "{}; {}; {}",
                joined.shown(), next.shown(), waited.shown());
}

XHAL_TEST(
    graph, folds_inside_and_around, .clauses = {"XHAL-GRAPH-2"},
    .observes =
        "a cell's history: folds before, between and behind 20 launches of two graphs whose folds go over "
        "two streams in turn",
    .needs = {XHAL_FEATURE_GRAPH, XHAL_FEATURE_KERNEL}) {
  Stream stream(t);
  Stream forked(t);
  Event over(t);
  FoldCell cell(t);
  const auto there_and_back = [&](xhal_stream_t s, uint64_t op) {
    cell.fold_on(s, op);
    REQUIRE_OK(xhal_event_record(over, s, 0));
    REQUIRE_OK(xhal_stream_wait_event(forked, over, 0));
    cell.fold_on(forked, op + 1);
    REQUIRE_OK(xhal_event_record(over, forked, 0));
    REQUIRE_OK(xhal_stream_wait_event(s, over, 0));
    cell.fold_on(s, op + 2);
  };
  const GraphExec first = executable(t, stream, [&](xhal_stream_t s) { there_and_back(s, 100); });
  const GraphExec second = executable(t, stream, [&](xhal_stream_t s) {
    there_and_back(s, 200);
    there_and_back(s, 300);
  });
  oracle::FoldHistory history(0);
  for (uint64_t round = 0; round < 20; ++round) {
    cell.fold_on(stream, round);
    REQUIRE_OK(xhal_graph_exec_launch(round % 3 == 0 ? second : first, stream));
    history.fold(round);
    for (const uint64_t op : round % 3 == 0 ? std::vector<uint64_t>{200, 201, 202, 300, 301, 302}
                                            : std::vector<uint64_t>{100, 101, 102})
      history.fold(op);
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_VALUE("XHAL-GRAPH-2", cell.value(), history.value());
}

XHAL_TEST(graph, an_empty_graph, .clauses = {"XHAL-GRAPH-2"},
          .observes = "the launch of a graph without nodes between two folds of a cell, and behind a gate",
          .needs = {XHAL_FEATURE_GRAPH, XHAL_FEATURE_KERNEL}) {
  Stream stream(t);
  FoldCell cell(t);
  Event behind(t);
  const GraphExec exec = executable(t, stream, [](xhal_stream_t) {});
  Gate gate(t, stream);
  cell.fold_on(stream, 1);
  EXPECT_RESULT("XHAL-GRAPH-2", xhal_graph_exec_launch(exec, stream), XHAL_SUCCESS);
  REQUIRE_OK(xhal_event_record(behind, stream, 0));
  cell.fold_on(stream, 2);
  if (gate.shut()) EXPECT_RESULT("XHAL-GRAPH-2", xhal_event_query(behind), XHAL_NOT_READY);
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_VALUE("XHAL-GRAPH-2", cell.value(), folded(0, {1, 2}));
}

XHAL_TEST(
    graph, independent_of_what_made_it, .clauses = {"XHAL-GRAPH-11"},
    .observes =
        "an executable launched on a new stream after graph, capturing streams and events were destroyed "
        "and the launch's arguments and the copy's variables overwritten: the values of the capture",
    .needs = {XHAL_FEATURE_GRAPH, XHAL_FEATURE_KERNEL}) {
  constexpr size_t kCells = 130;
  constexpr size_t kBytes = kCells * sizeof(uint64_t);
  const auto before = t.random_u64(kCells, 1);
  const Buffer cells = device_memory(t, kBytes);
  const Buffer copy = device_memory(t, kBytes);
  t.write(cells, before);
  xhal_graph_exec_t handle = nullptr;
  {
    Stream origin(t);
    Stream forked(t);
    Event over(t);
    Launch launch(t.kernel("xhal_fold_u64"));
    launch.cover(kCells, small_group(t)).updates(cells, kBytes).value(uint64_t{41}).value(uint64_t{kCells});
    const Graph graph = captured(t, origin, [&](xhal_stream_t s) {
      REQUIRE_OK(launch.on(s));
      REQUIRE_OK(xhal_event_record(over, s, 0));
      REQUIRE_OK(xhal_stream_wait_event(forked, over, 0));
      REQUIRE_OK(xhal_memory_copy(forked, copy, cells, kBytes));
      REQUIRE_OK(xhal_event_record(over, forked, 0));
      REQUIRE_OK(xhal_stream_wait_event(s, over, 0));
      // Overwritten at once: the capture has its copies.
      for (xhal_argument_t& argument : launch.arguments()) {
        if (argument.kind == XHAL_ARGUMENT_VALUE)
          std::fill_n(static_cast<uint8_t*>(const_cast<void*>(argument.data)), argument.size, uint8_t{0x5A});
      }
      std::fill(launch.arguments().begin(), launch.arguments().end(), xhal_argument_t{});
      launch.raw() = xhal_launch_t{};
    });
    handle = GraphExec(t, graph).release();
  }
  Stream stream(t);
  EXPECT_RESULT("XHAL-GRAPH-11", xhal_graph_exec_launch(handle, stream), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-GRAPH-11", xhal_graph_exec_launch(handle, stream), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-GRAPH-11", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-GRAPH-11", xhal_graph_exec_destroy(handle), XHAL_SUCCESS);
  const auto expected = oracle::fold_u64(oracle::fold_u64(before, 41, kCells), 41, kCells);
  EXPECT_DATA("XHAL-GRAPH-11", expected, t.read<uint64_t>(cells, kCells));
  EXPECT_DATA("XHAL-GRAPH-11", expected, t.read<uint64_t>(copy, kCells));
}

XHAL_TEST_P(
    graph, launches_never_overlap, gates, .clauses = {"XHAL-GRAPH-12"},
    .observes =
        "a graph that folds a cell, then holds at a gate: launched on two streams, the second launch has "
        "not folded while the first is held, nor is its stream done; two folds after the release",
    .needs = {XHAL_FEATURE_GRAPH, XHAL_FEATURE_KERNEL}) {
  Stream a(t);
  Stream b(t);
  FoldCell cell(t);
  std::unique_ptr<Gate> gate;
  const GraphExec exec = executable(t, a, [&](xhal_stream_t s) {
    cell.fold_on(s, 7);
    gate = gate_in_capture(t, s);
    cell.fold_on(s, 8);
  });
  REQUIRE_OK(xhal_graph_exec_launch(exec, a));
  require_entered(t, *gate, a);
  EXPECT_RESULT("XHAL-GRAPH-12", xhal_graph_exec_launch(exec, b), XHAL_SUCCESS);
  if (t.witness(*gate))
    EXPECT_VALUE("XHAL-GRAPH-12", cell.value(), folded(0, {7}), "while the first is held");
  if (gate->shut()) {
    EXPECT_RESULT("XHAL-GRAPH-12", xhal_stream_query(b), XHAL_NOT_READY);
    EXPECT_CLAUSE("XHAL-GRAPH-12", gate->held(), "the second launch waited on the host");
  }
  gate->open();
  EXPECT_RESULT("XHAL-GRAPH-12", xhal_stream_synchronize(b, t.patience()), XHAL_SUCCESS);
  REQUIRE_OK(xhal_stream_synchronize(a, t.patience()));
  EXPECT_VALUE("XHAL-GRAPH-12", cell.value(), folded(0, {7, 8, 7, 8}));
}

XHAL_TEST(
    graph, launches_in_turn, .clauses = {"XHAL-GRAPH-12"},
    .observes =
        "60 launches of one executable over three streams that nothing else links: every cell has every "
        "launch's folds, whole and in order",
    .needs = {XHAL_FEATURE_GRAPH, XHAL_FEATURE_KERNEL}) {
  constexpr size_t kCells = 4000;
  constexpr size_t kLaunches = 60;
  const Buffer cells = device_memory(t, kCells * sizeof(uint64_t));
  t.write(cells, std::vector<uint64_t>(kCells, 0));
  Stream streams[] = {Stream(t), Stream(t), Stream(t)};
  const GraphExec exec = executable(t, streams[0], [&](xhal_stream_t s) {
    for (const uint64_t op : {11u, 12u, 13u}) REQUIRE_OK(fold(t, s, cells, op, kCells));
  });
  std::vector<uint64_t> history;
  for (size_t i = 0; i < kLaunches; ++i) {
    REQUIRE_OK(xhal_graph_exec_launch(exec, streams[i % 3]));
    history.insert(history.end(), {11, 12, 13});
  }
  for (Stream& stream : streams) REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA(
      "XHAL-GRAPH-12",
      std::vector<uint64_t>(kCells, oracle::FoldHistory(0, std::span<const uint64_t>(history)).value()),
      t.read<uint64_t>(cells, kCells));
}

XHAL_TEST_P(
    graph, destroyed_in_flight, gates, .clauses = {"XHAL-GRAPH-14"},
    .observes =
        "graph and executable destroyed while a launch is held inside: the destroys return, the handles "
        "are dead, the launch and one queued behind it complete",
    .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Marker inside(t);
  std::unique_ptr<Gate> gate;
  auto& calls = t.kept<HostCall>();
  Graph graph = captured(t, stream, [&](xhal_stream_t s) {
    gate = gate_in_capture(t, s);
    inside.fill_on(t, s);
    REQUIRE_OK(xhal_stream_host_function(s, count_call, &calls));
  });
  const xhal_graph_exec_t exec = GraphExec(t, graph).release();
  REQUIRE_OK(xhal_graph_exec_launch(exec, stream));
  REQUIRE_OK(xhal_graph_exec_launch(exec, stream));
  require_entered(t, *gate, stream);
  EXPECT_RESULT("XHAL-GRAPH-14", xhal_graph_exec_destroy(exec), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-GRAPH-14", xhal_graph_destroy(graph.release()), XHAL_SUCCESS);
  if (gate->shut()) EXPECT_CLAUSE("XHAL-GRAPH-14", gate->held(), "a destroy waited for the launch");
  EXPECT_RESULT("XHAL-GRAPH-14", xhal_graph_exec_launch(exec, stream), XHAL_ERROR_INVALID_HANDLE);
  if (t.witness(*gate)) EXPECT_CLAUSE("XHAL-GRAPH-14", inside.untouched(), "{}", inside.shown());
  inside.stamp(*gate);
  gate->open();
  EXPECT_RESULT("XHAL-GRAPH-14", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-GRAPH-14", inside.filled(), "{}", inside.shown());
  EXPECT_VALUE("XHAL-GRAPH-14", calls.count.load(), 2, "the host function of two launches");
}

}  // namespace
}  // namespace xhal::conformance
