// SPDX-License-Identifier: Apache-2.0
// Records and waits that are nodes of a graph, for events outside of it.
#include "suite/graph_support.h"

namespace xhal::conformance {
namespace {

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(
    graph, external_record, gates, .clauses = {"XHAL-GRAPH-15"},
    .observes =
        "an event that a graph records behind a gate: done while nothing was launched, pending from each "
        "of two launches on until the launch has passed it, then done",
    .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Event event(t);
  Marker before(t);
  // One a launch: a gate that was opened stays open.
  std::vector<GraphExec> execs;
  std::vector<std::unique_ptr<Gate>> gates;
  for (int launch = 0; launch < 2; ++launch) {
    execs.push_back(executable(t, stream, [&](xhal_stream_t s) {
      gates.push_back(gate_in_capture(t, s));
      before.fill_on(t, s);
      EXPECT_RESULT("XHAL-GRAPH-15", xhal_event_record(event, s, XHAL_EVENT_EXTERNAL), XHAL_SUCCESS);
    }));
  }
  EXPECT_RESULT("XHAL-GRAPH-15", xhal_event_query(event), XHAL_SUCCESS,
                "never recorded: a capture records nothing");
  for (size_t launch = 0; launch < 2; ++launch) {
    Gate& gate = *gates[launch];
    before.renew();
    REQUIRE_OK(xhal_graph_exec_launch(execs[launch], stream));
    if (gate.shut()) {
      EXPECT_RESULT("XHAL-GRAPH-15", xhal_event_query(event), XHAL_NOT_READY, "right behind launch {}",
                    launch);
      require_entered(t, gate, stream);
      EXPECT_RESULT("XHAL-GRAPH-15", xhal_event_query(event), XHAL_NOT_READY, "inside launch {}", launch);
      EXPECT_RESULT("XHAL-GRAPH-15", xhal_event_synchronize(event, 0), XHAL_TIMEOUT);
    }
    before.stamp(gate);
    gate.open();
    EXPECT_RESULT("XHAL-GRAPH-15", xhal_event_synchronize(event, t.patience()), XHAL_SUCCESS);
    EXPECT_CLAUSE("XHAL-GRAPH-15", before.filled(), "the event is done, and {}", before.shown());
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  }
}

XHAL_TEST_P(
    graph, external_record_is_waited_for, gates, .clauses = {"XHAL-GRAPH-15"},
    .observes =
        "a stream that waits for an event which a launch records in its middle: held as long as the part "
        "before the record is, and let go while the part behind it is held",
    .needs = {XHAL_FEATURE_GRAPH, XHAL_FEATURE_CROSS_STREAM_PROGRESS}, .may_be_unobservable = true) {
  static_cast<void>(independent_gate_kind(t));
  Stream stream(t);
  Stream waiter(t);
  Event event(t);
  Marker waited(t);
  std::unique_ptr<Gate> before;
  std::unique_ptr<Gate> behind;
  const GraphExec exec = executable(t, stream, [&](xhal_stream_t s) {
    before = gate_in_capture(t, s);
    REQUIRE_OK(xhal_event_record(event, s, XHAL_EVENT_EXTERNAL));
    behind = gate_in_capture(t, s);
  });
  REQUIRE_OK(xhal_graph_exec_launch(exec, stream));
  require_entered(t, *before, stream);
  EXPECT_RESULT("XHAL-GRAPH-15", xhal_stream_wait_event(waiter, event, 0), XHAL_SUCCESS);
  waited.fill_on(t, waiter);
  if (t.witness(*before)) EXPECT_CLAUSE("XHAL-GRAPH-15", waited.untouched(), "{}", waited.shown());
  waited.stamp(*before);
  before->open();
  EXPECT_RESULT("XHAL-GRAPH-15", xhal_stream_synchronize(waiter, t.patience()), XHAL_SUCCESS);
  if (behind->shut())
    EXPECT_CLAUSE("XHAL-GRAPH-15", behind->held(), "the event waited for nodes behind its record");
  EXPECT_CLAUSE("XHAL-GRAPH-15", waited.filled(), "{}", waited.shown());
  behind->open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
}

XHAL_TEST_P(
    graph, external_wait, gates, .clauses = {"XHAL-GRAPH-15", "XHAL-GRAPH-3"},
    .observes =
        "a graph that waits for an event recorded before its capture: a launch while the event is done "
        "runs, one launched while the event is pending on a held stream does not until that is let go; "
        "twice",
    .needs = {XHAL_FEATURE_GRAPH}) {
  Stream holder(t);
  Stream stream(t);
  Event event(t);
  Marker behind(t);
  REQUIRE_OK(xhal_event_record(event, holder, 0));
  REQUIRE_OK(xhal_stream_synchronize(holder, t.patience()));
  const GraphExec exec = executable(t, stream, [&](xhal_stream_t s) {
    EXPECT_RESULT("XHAL-GRAPH-3", xhal_stream_wait_event(s, event, XHAL_EVENT_EXTERNAL), XHAL_SUCCESS);
    behind.fill_on(t, s);
  });
  for (int round = 0; round < 2; ++round) {
    behind.renew();
    EXPECT_RESULT("XHAL-GRAPH-15", xhal_graph_exec_launch(exec, stream), XHAL_SUCCESS);
    EXPECT_RESULT("XHAL-GRAPH-15", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS,
                  "the event is done");
    EXPECT_CLAUSE("XHAL-GRAPH-15", behind.filled(), "the event is done: {}", behind.shown());
    behind.renew();
    Gate gate(t, holder, gate_kind(t.text("hold")));
    REQUIRE_OK(xhal_event_record(event, holder, 0));
    EXPECT_RESULT("XHAL-GRAPH-15", xhal_graph_exec_launch(exec, stream), XHAL_SUCCESS);
    if (gate.shut()) {
      if (t.witness(gate)) EXPECT_CLAUSE("XHAL-GRAPH-15", behind.untouched(), "{}", behind.shown());
      EXPECT_RESULT("XHAL-GRAPH-15", xhal_stream_query(stream), XHAL_NOT_READY);
      EXPECT_CLAUSE("XHAL-GRAPH-15", gate.held(), "the launch waited on the host");
    }
    behind.stamp(gate);
    gate.open();
    EXPECT_RESULT("XHAL-GRAPH-15", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
    EXPECT_CLAUSE("XHAL-GRAPH-15", behind.filled(), "{}", behind.shown());
  }
}

XHAL_TEST(graph, external_wait_on_a_new_event, .clauses = {"XHAL-GRAPH-15"},
          .observes = "a launch that waits for an event which nobody has recorded: it runs",
          .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Event event(t);
  Marker behind(t);
  const GraphExec exec = executable(t, stream, [&](xhal_stream_t s) {
    REQUIRE_OK(xhal_stream_wait_event(s, event, XHAL_EVENT_EXTERNAL));
    behind.fill_on(t, s);
  });
  EXPECT_RESULT("XHAL-GRAPH-15", xhal_graph_exec_launch(exec, stream), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-GRAPH-15", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-GRAPH-15", behind.filled(), "{}", behind.shown());
}

XHAL_TEST(graph, two_graphs_hand_over, .clauses = {"XHAL-GRAPH-15"},
          .observes =
              "40 pairs of launches on two streams that only external events link: a cell that both fold has "
              "the folds of both in turn",
          .needs = {XHAL_FEATURE_GRAPH, XHAL_FEATURE_KERNEL}) {
  constexpr int kRounds = 40;
  Stream a(t);
  Stream b(t);
  Event to_b(t);
  Event to_a(t);
  FoldCell cell(t);
  Delay delay(t);
  const GraphExec on_a = executable(t, a, [&](xhal_stream_t s) {
    REQUIRE_OK(xhal_stream_wait_event(s, to_a, XHAL_EVENT_EXTERNAL));
    // Whoever does not wait for this graph is ahead of it.
    delay.on(s);
    cell.fold_on(s, 1);
    REQUIRE_OK(xhal_event_record(to_b, s, XHAL_EVENT_EXTERNAL));
  });
  const GraphExec on_b = executable(t, b, [&](xhal_stream_t s) {
    REQUIRE_OK(xhal_stream_wait_event(s, to_b, XHAL_EVENT_EXTERNAL));
    cell.fold_on(s, 2);
    REQUIRE_OK(xhal_event_record(to_a, s, XHAL_EVENT_EXTERNAL));
  });
  oracle::FoldHistory history(0);
  for (int round = 0; round < kRounds; ++round) {
    // A later generation that is waited for instead must be there already: so each pair is waited for.
    REQUIRE_OK(xhal_graph_exec_launch(on_a, a));
    REQUIRE_OK(xhal_graph_exec_launch(on_b, b));
    REQUIRE_OK(xhal_event_synchronize(to_a, t.patience()));
    history.fold(1).fold(2);
    EXPECT_VALUE("XHAL-GRAPH-15", cell.value(), history.value(), "round {}", round);
  }
}

}  // namespace
}  // namespace xhal::conformance
