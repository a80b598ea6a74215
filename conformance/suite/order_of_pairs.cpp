// SPDX-License-Identifier: Apache-2.0
// Each kind of operation behind each other kind: copies, fills, kernels and host functions are different engines in many devices, and every
// pair of them is a dependency of its own that a driver can lose.
#include "suite/graph_support.h"
#include "suite/operation_pairs.h"

namespace xhal::conformance {
namespace {

// A kernel that a driver runs too early would hold its caller, were it the gate.
Gate::Kind gate_of_pairs(Context& t) {
  return t.properties().host_function_blocks == XHAL_BLOCKS_NONE ? Gate::Kind::kHostFunction
                                                                 : Gate::Kind::kAutomatic;
}

XHAL_TEST_P(stream, pair_of_operations, operation_pairs, .clauses = {"XHAL-STREAM-1"},
            .observes =
                "two operations of one stream that meet in 32 KiB, both submitted behind a gate: all that "
                "they leave is what "
                "the first and then the second leave") {
  OperationPair pair(t);
  Stream stream(t);
  Gate gate(t, stream, gate_of_pairs(t));
  if (pair.may_wait()) gate.open();
  pair.submit_first(stream);
  pair.submit_second(stream);
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  pair.expect("XHAL-STREAM-1");
}

XHAL_TEST_P(event, pair_of_operations, operation_pairs, .clauses = {"XHAL-EVENT-14"},
            .observes =
                "an operation behind a gate and one of another stream that waits for an event behind the "
                "first: all that they "
                "leave, with the gate opened once later work of a third stream is done") {
  OperationPair pair(t);
  Stream first(t);
  Stream second(t);
  Event between(t);
  t.prepare(0);
  Gate gate(t, first, gate_of_pairs(t));
  if (pair.may_wait()) gate.open();
  pair.submit_first(first);
  REQUIRE_OK(xhal_event_record(between, first, 0));
  REQUIRE_OK(xhal_stream_wait_event(second, between, 0));
  pair.submit_second(second);
  if (gate.shut() && gate.held()) t.witness(gate);
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(second, t.patience()));
  pair.expect("XHAL-EVENT-14");
}

XHAL_TEST_P(graph, pair_of_operations, operation_pairs, .clauses = {"XHAL-GRAPH-2", "XHAL-GRAPH-3"},
            .observes =
                "two operations that meet, captured in two streams with an event between them and launched "
                "twice behind a gate: "
                "all that they leave",
            .needs = {XHAL_FEATURE_GRAPH}) {
  OperationPair pair(t);
  Stream origin(t);
  Stream forked(t);
  Event fork(t);
  Event join(t);
  const GraphExec exec = executable(t, origin, [&](xhal_stream_t stream) {
    pair.submit_first(stream);
    REQUIRE_OK(xhal_event_record(fork, stream, 0));
    REQUIRE_OK(xhal_stream_wait_event(forked, fork, 0));
    pair.submit_second(forked);
    REQUIRE_OK(xhal_event_record(join, forked, 0));
    REQUIRE_OK(xhal_stream_wait_event(stream, join, 0));
  });
  Gate gate(t, origin, gate_of_pairs(t));
  for (int launch = 0; launch < 2; ++launch) REQUIRE_OK(xhal_graph_exec_launch(exec, origin));
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(origin, t.patience()));
  pair.expect("XHAL-GRAPH-2", 2);
  pair.expect("XHAL-GRAPH-3", 0);
}

}  // namespace
}  // namespace xhal::conformance
