// SPDX-License-Identifier: Apache-2.0
// Activity records of launches of graphs.
#include "suite/activity_support.h"
#include "suite/graph_support.h"

namespace xhal::conformance {
namespace {

XHAL_TEST(
    activity, graph_launches,
    .clauses = {"XHAL-ACTIVITY-1", "XHAL-ACTIVITY-2", "XHAL-ACTIVITY-3", "XHAL-ACTIVITY-4"},
    .observes =
        "records of three launches of a graph of fills and copies under subscriptions to graphs, to "
        "everything "
        "and to fills: one of the kind graph for each launch where it was asked for, with the stream's id "
        "and the launching thread's correlation, one behind the other; records of what is in the graph "
        "lie within its own; none of a kind that was not asked for",
    .needs = {XHAL_FEATURE_ACTIVITY, XHAL_FEATURE_GRAPH}) {
  constexpr uint64_t kLaunches = 3;
  Stream stream(t);
  const Buffer from = device_memory(t, 1u << 16);
  const Buffer to = device_memory(t, from.size());
  const GraphExec exec = executable(t, stream, [&](xhal_stream_t capturing) {
    REQUIRE_OK(xhal_memory_fill(capturing, from, 1, 4, from.size()));
    REQUIRE_OK(xhal_memory_copy(capturing, to, from, from.size()));
    REQUIRE_OK(xhal_memory_fill(capturing, from, 2, 4, from.size()));
  });
  const uint64_t id = stream_id(t, stream);
  for (const uint32_t kinds : {uint32_t{XHAL_ACTIVITY_GRAPH}, kEveryActivity, uint32_t{XHAL_ACTIVITY_FILL}}) {
    Subscription subscription(t, kinds);
    for (uint64_t launch = 0; launch < kLaunches; ++launch) {
      const Correlation correlation(t, 40 + launch);
      REQUIRE_OK(xhal_graph_exec_launch(exec, stream));
    }
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    REQUIRE_OK(xhal_activity_flush(subscription, t.patience()));
    const auto graphs = subscription.of(id, XHAL_ACTIVITY_GRAPH);
    EXPECT_VALUE("XHAL-ACTIVITY-1", graphs.size(), (kinds & XHAL_ACTIVITY_GRAPH) != 0 ? kLaunches : 0,
                 "launches, kinds {:#x}", kinds);
    for (size_t i = 0; i < graphs.size(); ++i) {
      const xhal_activity_record_t& one = graphs[i].record;
      EXPECT_VALUE("XHAL-ACTIVITY-2", one.device_index, 0u);
      EXPECT_VALUE("XHAL-ACTIVITY-4", one.external_correlation, 40 + i);
      EXPECT_CLAUSE("XHAL-ACTIVITY-3", one.begin_ns <= one.end_ns, "launch {} ends before it begins", i);
      if (i > 0)
        EXPECT_CLAUSE("XHAL-ACTIVITY-3", graphs[i - 1].record.end_ns <= one.begin_ns,
                      "launch {} begins at {}, the one before it ends at {}", i, one.begin_ns,
                      graphs[i - 1].record.end_ns);
    }
    for (const Activity& activity : subscription.all()) {
      const xhal_activity_record_t& one = activity.record;
      if (!EXPECT_CLAUSE("XHAL-ACTIVITY-1", (one.kind & ~kinds) == 0, "a record of kind {:#x}, kinds {:#x}",
                         one.kind, kinds))
        break;
      if (graphs.empty() || one.stream_id != id) continue;
      const size_t launch = one.external_correlation - 40;
      if (!EXPECT_CLAUSE("XHAL-ACTIVITY-4", launch < graphs.size(), "an id that nobody gave: {}",
                         one.external_correlation))
        break;
      EXPECT_CLAUSE(
          "XHAL-ACTIVITY-3",
          graphs[launch].record.begin_ns <= one.begin_ns && one.end_ns <= graphs[launch].record.end_ns,
          "kind {:#x} from {} to {}, its launch from {} to {}", one.kind, one.begin_ns, one.end_ns,
          graphs[launch].record.begin_ns, graphs[launch].record.end_ns);
    }
  }
}

}  // namespace
}  // namespace xhal::conformance
