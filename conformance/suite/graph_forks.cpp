// SPDX-License-Identifier: Apache-2.0
// The edges of a graph: what a fork waits for, seen while the node in front of it is held.
#include "suite/graph_support.h"

namespace xhal::conformance {
namespace {

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(graph, a_fork_waits_for_what_lies_before_it, gates, .clauses = {"XHAL-GRAPH-2"},
            .observes =
                "a launch of a graph whose trunk holds in front of a fork: the branch has not run while it "
                "does, and has behind it",
            .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Stream forked(t);
  Event fork(t);
  Event join(t);
  Marker branch(t);
  std::unique_ptr<Gate> gate;
  const GraphExec exec = executable(t, stream, [&](xhal_stream_t s) {
    gate = gate_in_capture(t, s);
    REQUIRE_OK(xhal_event_record(fork, s, 0));
    REQUIRE_OK(xhal_stream_wait_event(forked, fork, 0));
    branch.fill_on(t, forked);
    REQUIRE_OK(xhal_event_record(join, forked, 0));
    REQUIRE_OK(xhal_stream_wait_event(s, join, 0));
  });
  REQUIRE_OK(xhal_graph_exec_launch(exec, stream));
  require_entered(t, *gate, stream);
  if (t.witness(*gate)) EXPECT_CLAUSE("XHAL-GRAPH-2", branch.untouched(), "{}", branch.shown());
  branch.stamp(*gate);
  gate->open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_CLAUSE("XHAL-GRAPH-2", branch.filled(), "{}", branch.shown());
}

}  // namespace
}  // namespace xhal::conformance
