// SPDX-License-Identifier: Apache-2.0
// Cooperative and cluster launches in graphs.
#include <algorithm>

#include "suite/graph_support.h"
#include "suite/launch_support.h"

namespace xhal::conformance {
namespace {

Cases flags() {
  return grid({{"flag",
                {Value("cooperative", {XHAL_FEATURE_COOPERATIVE_LAUNCH}),
                 Value("cluster", {XHAL_FEATURE_CLUSTER_LAUNCH})}}});
}

uint32_t flag_of(Context& t) {
  return t.text("flag") == "cooperative" ? uint32_t{XHAL_LAUNCH_COOPERATIVE} : uint32_t{XHAL_LAUNCH_CLUSTER};
}

// Two groups that wait for each other, or clusters of two.
Meeting::Shape pairs(Context& t) {
  const uint32_t items = small_group(t);
  const xhal_occupancy_t most = occupancy_of(t, "xhal_meet_u64", items, meeting_local_bytes(items));
  const bool cooperative = flag_of(t) == XHAL_LAUNCH_COOPERATIVE;
  if ((cooperative ? most.max_cooperative_groups : most.max_cluster_groups) < 2)
    Context::not_observable("one group alone may wait for others");
  return {.groups = {cooperative ? 2u : 6u, 1, 1}, .team = {2, 1, 1}};
}

XHAL_TEST_P(graph, captured_launches_keep_their_flags, flags, .clauses = {"XHAL-GRAPH-19"},
            .observes = "barriers across groups, in a graph that is launched twice",
            .needs = {XHAL_FEATURE_GRAPH}, .not_bit_exact = "its sizes follow the device's limits") {
  Stream stream(t);
  Meeting meeting(t, pairs(t), flag_of(t));
  const GraphExec exec = executable(t, stream, [&](xhal_stream_t s) { meeting.submit(s); });
  for (uint32_t launches = 1; launches <= 2; ++launches) {
    REQUIRE_OK(xhal_graph_exec_launch(exec, stream));
    if (!meeting.expect_met("XHAL-GRAPH-19", stream, fmt::format("launch {} of the graph", launches),
                            launches))
      return;
  }
}

XHAL_TEST_P(
    graph, captured_launches_are_checked, flags, .clauses = {"XHAL-GRAPH-19"},
    .observes =
        "captured launches above the limits, and clusters that do not divide: the codes, at the capture",
    .needs = {XHAL_FEATURE_GRAPH}) {
  const uint32_t flag = flag_of(t);
  Stream stream(t);
  const Buffer cell = device_memory(t, 8);
  const xhal_occupancy_t most = occupancy_of(t, "xhal_fold_u64", 1, 0);
  xhal_kernel_t kernel = t.kernel("xhal_fold_u64");
  const auto refused = [&](xhal_result_t code, uint32_t groups, uint32_t cluster) {
    Launch launch(kernel);
    launch.groups(groups).updates(cell, 8).value(uint64_t{1}).value(uint64_t{1});
    launch.raw().flags = flag;
    launch.raw().cluster_size[0] = cluster;
    launch.raw().cluster_size[1] = launch.raw().cluster_size[2] = 1;
    Capture capture(t, stream);
    EXPECT_RESULT("XHAL-GRAPH-19", launch.on(stream), code, "{} groups in clusters of {}", groups, cluster);
    // Whether a refused call spoils the capture is not asked here.
    xhal_graph_t handle = nullptr;
    EXPECT_CLAUSE("XHAL-GRAPH-19", ended_whole_or_invalid(capture.end(&handle)));
    const Graph graph(handle);
  };
  if (flag == XHAL_LAUNCH_COOPERATIVE) {
    refused(XHAL_ERROR_LIMIT_EXCEEDED, most.max_cooperative_groups + 1, 1);
  } else {
    refused(XHAL_ERROR_LIMIT_EXCEEDED, most.max_cluster_groups + 1, most.max_cluster_groups + 1);
    refused(XHAL_ERROR_INVALID_ARGUMENT, 3, 2);
    refused(XHAL_ERROR_INVALID_ARGUMENT, 1, 0);
  }
}

XHAL_TEST_P(
    graph, update_of_launch_flags, flags, .clauses = {"XHAL-GRAPH-19"},
    .observes =
        "updates of a plain launch to one with the flag and back: the code; from one with the flag to "
        "another with other arguments: the later launch has them",
    .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  const Buffer cell = device_memory(t, 8);
  t.write(cell, std::vector<uint64_t>{5});
  const auto graph = [&](uint32_t flag, uint64_t op) {
    return captured(t, stream, [&](xhal_stream_t s) {
      Launch launch(t.kernel("xhal_fold_u64"));
      launch.updates(cell, 8).value(op).value(uint64_t{1});
      launch.raw().flags = flag;
      std::fill_n(launch.raw().cluster_size, 3, 1u);
      REQUIRE_OK(launch.on(s));
    });
  };
  const Graph plain = graph(0, 1);
  const Graph flagged = graph(flag_of(t), 2);
  const Graph other = graph(flag_of(t), 3);
  const GraphExec of_plain(t, plain);
  const GraphExec of_flagged(t, flagged);
  EXPECT_RESULT("XHAL-GRAPH-19", xhal_graph_exec_update(of_plain, flagged, nullptr),
                XHAL_ERROR_GRAPH_UPDATE_FAILED, "a flag more");
  EXPECT_RESULT("XHAL-GRAPH-19", xhal_graph_exec_update(of_flagged, plain, nullptr),
                XHAL_ERROR_GRAPH_UPDATE_FAILED, "a flag less");
  run(t, of_flagged, stream);
  EXPECT_RESULT("XHAL-GRAPH-19", xhal_graph_exec_update(of_flagged, other, nullptr), XHAL_SUCCESS);
  run(t, of_flagged, stream);
  run(t, of_plain, stream);
  EXPECT_VALUE("XHAL-GRAPH-19", t.read<uint64_t>(cell, 1).front(), folded(5, {2, 3, 1}));
}

}  // namespace
}  // namespace xhal::conformance
