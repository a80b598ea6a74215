// SPDX-License-Identifier: Apache-2.0
// A capture and what it meets: an event that is recorded outside again, one that other processes know, another graph.
#include <algorithm>
#include <string>

#include "suite/graph_support.h"
#include "suite/ipc_support.h"

namespace xhal::conformance {
namespace {

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(
    graph, recorded_outside_again, gates,
    .clauses = {"XHAL-GRAPH-3", "XHAL-GRAPH-1", "XHAL-EVENT-4", "XHAL-EVENT-5"},
    .observes =
        "an event recorded in a capture and then on a held stream beside it: what a third stream's wait "
        "for it is held by, which capture that stream is in, the query; a wait for it in the capture",
    .needs = {XHAL_FEATURE_GRAPH}) {
  Stream capturing(t);
  Stream beside(t);
  Stream waiter(t);
  Event event(t);
  Marker inside(t);
  Marker behind(t);
  Gate gate(t, beside, gate_kind(t.text("hold")));
  Capture capture(t, capturing);
  inside.fill_on(t, capturing);
  REQUIRE_OK(xhal_event_record(event, capturing, 0));
  EXPECT_RESULT("XHAL-GRAPH-3", xhal_event_record(event, beside, 0), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-GRAPH-3", xhal_stream_wait_event(waiter, event, 0), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-GRAPH-3", capture_info(t, waiter).state, uint32_t{XHAL_CAPTURE_STATE_NONE},
               "the latest record is no part of the capture");
  behind.fill_on(t, waiter);
  if (gate.shut()) {
    if (t.witness(gate)) EXPECT_CLAUSE("XHAL-EVENT-4", behind.untouched(), "{}", behind.shown());
    EXPECT_RESULT("XHAL-EVENT-5", xhal_event_query(event), XHAL_NOT_READY);
  }
  behind.stamp(gate);
  gate.open();
  EXPECT_RESULT("XHAL-EVENT-4", xhal_stream_synchronize(waiter, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-EVENT-4", behind.filled(), "{}", behind.shown());
  EXPECT_RESULT("XHAL-EVENT-5", xhal_event_synchronize(event, t.patience()), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-GRAPH-3", xhal_stream_wait_event(capturing, event, 0), XHAL_ERROR_CAPTURE_UNSUPPORTED,
                "recorded outside of the capture");
  xhal_graph_t handle = nullptr;
  const xhal_result_t ended = capture.end(&handle);
  const Graph graph(handle);
  EXPECT_CLAUSE("XHAL-GRAPH-3", ended_whole_or_invalid(ended), "{}", result_name(ended));
  EXPECT_CLAUSE("XHAL-GRAPH-1", inside.untouched(), "{}", inside.shown());
}

// Imports the event and waits for it as often as it is told of a launch.
void follower(Context& t, Peer& peer) {
  const ImportedEvent event(t, peer.receive());
  for (;;) {
    const Message word = peer.receive();
    if (std::string(word.begin(), word.end()) != "launched") return;
    EXPECT_RESULT("XHAL-IPC-9", xhal_event_synchronize(event, t.patience()), XHAL_SUCCESS,
                  "the launch is done");
    peer.send("seen");
  }
}

XHAL_TEST(
    graph, external_record_for_others, .clauses = {"XHAL-GRAPH-15", "XHAL-IPC-9"},
    .observes =
        "an event for other processes that a graph records: refused at the capture, or done after each of "
        "two launches, here and in the other process, and what waits for it runs",
    .needs = {XHAL_FEATURE_GRAPH, XHAL_FEATURE_IPC_EVENT}, .isolated = true) {
  OtherProcess other(t, follower);
  Stream stream(t);
  Stream waiter(t);
  Event event(t, XHAL_EVENT_IPC);
  Marker behind(t);
  other.send(exported_event(t, event));
  Capture capture(t, stream);
  const xhal_result_t recorded = TRACED(xhal_event_record(event, stream, XHAL_EVENT_EXTERNAL));
  if (recorded != XHAL_SUCCESS) {
    EXPECT_VALUE("XHAL-GRAPH-15", result_name(recorded), result_name(XHAL_ERROR_CAPTURE_UNSUPPORTED));
    xhal_graph_t handle = nullptr;
    const xhal_result_t ended = capture.end(&handle);
    const Graph graph(handle);
    EXPECT_CLAUSE("XHAL-GRAPH-15", ended_whole_or_invalid(ended), "{}", result_name(ended));
    EXPECT_RESULT("XHAL-GRAPH-15", xhal_event_query(event), XHAL_SUCCESS, "never recorded");
    other.send("over");
    other.finish();
    return;
  }
  const GraphExec exec(t, capture.end());
  for (int launch = 0; launch < 2; ++launch) {
    behind.renew();
    REQUIRE_OK(xhal_graph_exec_launch(exec, stream));
    REQUIRE_OK(xhal_stream_wait_event(waiter, event, 0));
    behind.fill_on(t, waiter);
    EXPECT_RESULT("XHAL-GRAPH-15", xhal_stream_synchronize(waiter, t.patience()), XHAL_SUCCESS, "launch {}",
                  launch);
    EXPECT_CLAUSE("XHAL-GRAPH-15", behind.filled(), "launch {}: {}", launch, behind.shown());
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    EXPECT_RESULT("XHAL-GRAPH-15", xhal_event_synchronize(event, t.patience()), XHAL_SUCCESS, "launch {}",
                  launch);
    other.send("launched");
    other.expect("seen");
  }
  other.send("over");
  other.finish();
}

// A capture in which a launch is captured, too: what that one answered, and the graph, if any.
struct Nested {
  xhal_result_t launched;
  Graph graph;
};

Nested nested(Context& t, xhal_stream_t stream, const std::function<xhal_result_t(xhal_stream_t)>& submit) {
  Capture capture(t, stream);
  const xhal_result_t launched = submit(stream);
  if (launched == XHAL_SUCCESS) return {launched, capture.end()};
  EXPECT_VALUE("XHAL-GRAPH-2", result_name(launched), result_name(XHAL_ERROR_CAPTURE_UNSUPPORTED));
  t.note("a launch may not be captured");
  xhal_graph_t handle = nullptr;
  const xhal_result_t ended = capture.end(&handle);
  EXPECT_CLAUSE("XHAL-GRAPH-2", ended_whole_or_invalid(ended), "{}", result_name(ended));
  return {launched, Graph(handle)};
}

Cases places() { return grid({gate_axis(), {"gate", {"before", "inside"}}}); }

XHAL_TEST_P(
    graph, launch_in_a_capture, places, .clauses = {"XHAL-GRAPH-1", "XHAL-GRAPH-2"},
    .observes =
        "a launch that is captured itself, with a gate before it in the outer graph or inside of the inner "
        "one: neither the inner fill behind the gate nor the outer one behind the launch has run while it is "
        "shut, both have behind it, and none before the outer launch",
    .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Marker inner_fill(t);
  Marker outer_fill(t);
  const bool is_inside = t.text("gate") == "inside";
  std::unique_ptr<Gate> gate;
  const GraphExec inner = executable(t, stream, [&](xhal_stream_t s) {
    if (is_inside) gate = gate_in_capture(t, s);
    inner_fill.fill_on(t, s);
  });
  const Nested outer_graph = nested(t, stream, [&](xhal_stream_t s) {
    if (!is_inside) gate = gate_in_capture(t, s);
    const xhal_result_t launched = TRACED(xhal_graph_exec_launch(inner, s));
    if (launched == XHAL_SUCCESS) outer_fill.fill_on(t, s);
    return launched;
  });
  REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
  EXPECT_CLAUSE("XHAL-GRAPH-1", inner_fill.untouched() && outer_fill.untouched(),
                "before the outer launch: inside {}, behind {}", inner_fill.shown(), outer_fill.shown());
  if (outer_graph.launched != XHAL_SUCCESS) return;
  const GraphExec outer(t, outer_graph.graph);
  REQUIRE_OK(xhal_graph_exec_launch(outer, stream));
  require_entered(t, *gate, stream);
  if (t.witness(*gate))
    EXPECT_CLAUSE("XHAL-GRAPH-2", inner_fill.untouched() && outer_fill.untouched(), "inside {}, behind {}",
                  inner_fill.shown(), outer_fill.shown());
  inner_fill.stamp(*gate);
  outer_fill.stamp(*gate);
  gate->open();
  EXPECT_RESULT("XHAL-GRAPH-2", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-GRAPH-2", inner_fill.filled() && outer_fill.filled(), "inside {}, behind {}",
                inner_fill.shown(), outer_fill.shown());
}

Cases edges() { return grid({{"edge", {"inside", "before"}}}); }

XHAL_TEST_P(
    graph, edges_of_a_captured_launch, edges, .clauses = {"XHAL-GRAPH-13", "XHAL-GRAPH-2"},
    .observes =
        "the update of a graph with a captured launch by one that is the same but for one edge, inside "
        "of that launch or from what lies before it: the code, and the bytes of a launch afterwards",
    .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Stream forked(t);
  Event over(t);
  const Buffer words = pinned_memory(t, 8);
  const bool is_inside = t.text("edge") == "inside";
  // Two nodes, one behind the other or side by side.
  const auto two = [&](xhal_stream_t s, bool chained, const Submit& first, const Submit& second) {
    if (!chained) {
      REQUIRE_OK(xhal_event_record(over, s, 0));
      REQUIRE_OK(xhal_stream_wait_event(forked, over, 0));
    }
    first(s);
    second(chained ? s : forked);
    if (!chained) {
      REQUIRE_OK(xhal_event_record(over, forked, 0));
      REQUIRE_OK(xhal_stream_wait_event(s, over, 0));
    }
  };
  const auto fill = [&](uint64_t word) -> Submit {
    return [&t, &words, word](xhal_stream_t s) {
      REQUIRE_OK(xhal_memory_fill(s, words.at(4 * word), 7 + word, 4, 4));
    };
  };
  std::vector<GraphExec> inner;
  const auto make = [&](bool chained) {
    inner.push_back(executable(t, stream, [&](xhal_stream_t s) {
      if (is_inside) {
        two(s, chained, fill(0), fill(1));
      } else {
        fill(1)(s);
      }
    }));
    return nested(t, stream, [&](xhal_stream_t s) {
      xhal_result_t launched = XHAL_SUCCESS;
      const Submit launch = [&](xhal_stream_t on) {
        launched = TRACED(xhal_graph_exec_launch(inner.back(), on));
      };
      if (is_inside) {
        launch(s);
      } else {
        two(s, chained, fill(0), launch);
      }
      return launched;
    });
  };
  const Nested chain = make(true);
  if (chain.launched != XHAL_SUCCESS) return;
  const Nested pair = make(false);
  ASSERT_VALUE("XHAL-GRAPH-2", result_name(pair.launched), result_name(XHAL_SUCCESS));
  const GraphExec exec(t, chain.graph);
  EXPECT_RESULT("XHAL-GRAPH-13", xhal_graph_exec_update(exec, pair.graph, nullptr),
                XHAL_ERROR_GRAPH_UPDATE_FAILED);
  std::fill(words.host().begin(), words.host().end(), uint8_t{0});
  run(t, exec, stream);
  EXPECT_VALUE("XHAL-GRAPH-2", words.host<uint32_t>()[0], 7u, "the first fill");
  EXPECT_VALUE("XHAL-GRAPH-2", words.host<uint32_t>()[1], 8u, "the second fill");
}

}  // namespace
}  // namespace xhal::conformance
