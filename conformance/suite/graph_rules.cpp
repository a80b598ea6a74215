// SPDX-License-Identifier: Apache-2.0
// What a capture refuses, what it tells of itself, who ends it.
#include <array>
#include <set>

#include "suite/graph_support.h"

namespace xhal::conformance {
namespace {

Cases modes() { return grid({mode_axis()}); }

Cases questions() {
  return grid({{"call", {"stream_query", "stream_synchronize", "event_query", "event_synchronize"}},
               {"stream", {"origin", "forked"}}});
}

XHAL_TEST_P(graph, questions_invalidate, questions, .clauses = {"XHAL-GRAPH-5", "XHAL-GRAPH-6"},
            .observes =
                "the code of a query or synchronise of a capturing stream, or of an event recorded in the "
                "capture; the state; the end's code; both streams afterwards, and that nothing captured ran",
            .needs = {XHAL_FEATURE_GRAPH}) {
  Stream origin(t);
  Stream forked(t);
  Event fork(t);
  Event on_origin(t);
  Event on_forked(t);
  Marker inside(t);
  const bool asks_origin = t.text("stream") == "origin";
  const xhal_stream_t stream = asks_origin ? origin : forked;
  const xhal_event_t event = asks_origin ? on_origin : on_forked;
  const std::string& call = t.text("call");
  Capture capture(t, origin);
  inside.fill_on(t, origin);
  REQUIRE_OK(xhal_event_record(fork, origin, 0));
  REQUIRE_OK(xhal_stream_wait_event(forked, fork, 0));
  REQUIRE_OK(xhal_event_record(on_origin, origin, 0));
  REQUIRE_OK(xhal_event_record(on_forked, forked, 0));
  const xhal_result_t answer = call == "stream_query" ? TRACED(xhal_stream_query(stream))
                               : call == "stream_synchronize"
                                   ? TRACED(xhal_stream_synchronize(stream, t.patience()))
                               : call == "event_query" ? TRACED(xhal_event_query(event))
                                                       : TRACED(xhal_event_synchronize(event, t.patience()));
  EXPECT_VALUE("XHAL-GRAPH-5", result_name(answer), result_name(XHAL_ERROR_CAPTURE_UNSUPPORTED));
  EXPECT_VALUE("XHAL-GRAPH-5", capture_info(t, origin).state, uint32_t{XHAL_CAPTURE_STATE_INVALIDATED});
  xhal_graph_t graph = sentinel<xhal_graph_s>();
  EXPECT_VALUE("XHAL-GRAPH-5", result_name(capture.end(&graph)), result_name(XHAL_ERROR_CAPTURE_INVALIDATED));
  EXPECT_VALUE("XHAL-GRAPH-6", graph, sentinel<xhal_graph_s>(), "an invalidated capture gives no graph");
  for (const xhal_stream_t one : {static_cast<xhal_stream_t>(origin), static_cast<xhal_stream_t>(forked)}) {
    Marker after(t);
    after.fill_on(t, one);
    EXPECT_RESULT("XHAL-GRAPH-6", xhal_stream_synchronize(one, t.patience()), XHAL_SUCCESS);
    EXPECT_CLAUSE("XHAL-GRAPH-6", after.filled(), "{}", after.shown());
  }
  EXPECT_CLAUSE("XHAL-GRAPH-5", inside.untouched(), "{}", inside.shown());
}

XHAL_TEST(graph, invalidated_captures_take_nothing, .clauses = {"XHAL-GRAPH-6", "XHAL-GRAPH-9"},
          .observes =
              "the codes of a fill, a copy, a host function, a graph, a record, a wait and a launch in an "
              "invalidated capture, twice, the end's code, and that none of it ran",
          .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Event event(t);
  const Buffer word = pinned_memory(t, 64);
  std::fill(word.host().begin(), word.host().end(), uint8_t{1});
  auto& called = t.kept<HostCall>();
  const GraphExec exec =
      executable(t, stream, [&](xhal_stream_t s) { REQUIRE_OK(xhal_memory_fill(s, word, 3, 1, 64)); });
  Capture capture(t, stream);
  REQUIRE_OK(xhal_event_record(event, stream, 0));
  EXPECT_RESULT("XHAL-GRAPH-6", xhal_stream_query(stream), XHAL_ERROR_CAPTURE_UNSUPPORTED);
  for (int round = 0; round < 2; ++round) {
    EXPECT_RESULT("XHAL-GRAPH-6", xhal_memory_fill(stream, word, 2, 1, 64), XHAL_ERROR_CAPTURE_INVALIDATED);
    EXPECT_RESULT("XHAL-GRAPH-6", xhal_memory_copy(stream, word.at(32), word, 32),
                  XHAL_ERROR_CAPTURE_INVALIDATED);
    EXPECT_RESULT("XHAL-GRAPH-6", xhal_stream_host_function(stream, count_call, &called),
                  XHAL_ERROR_CAPTURE_INVALIDATED);
    EXPECT_RESULT("XHAL-GRAPH-6", xhal_graph_exec_launch(exec, stream), XHAL_ERROR_CAPTURE_INVALIDATED);
    EXPECT_RESULT("XHAL-GRAPH-6", xhal_event_record(event, stream, 0), XHAL_ERROR_CAPTURE_INVALIDATED);
    EXPECT_RESULT("XHAL-GRAPH-6", xhal_stream_wait_event(stream, event, 0), XHAL_ERROR_CAPTURE_INVALIDATED);
    if (t.has_kernels()) {
      EXPECT_VALUE("XHAL-GRAPH-6", result_name(fold(t, stream, word, 1, 1)),
                   result_name(XHAL_ERROR_CAPTURE_INVALIDATED), "a launch");
    }
    EXPECT_VALUE("XHAL-GRAPH-9", capture_info(t, stream).state, uint32_t{XHAL_CAPTURE_STATE_INVALIDATED});
  }
  xhal_graph_t graph = sentinel<xhal_graph_s>();
  EXPECT_VALUE("XHAL-GRAPH-6", result_name(capture.end(&graph)), result_name(XHAL_ERROR_CAPTURE_INVALIDATED));
  EXPECT_VALUE("XHAL-GRAPH-6", graph, sentinel<xhal_graph_s>());
  EXPECT_VALUE("XHAL-GRAPH-9", capture_info(t, stream).state, uint32_t{XHAL_CAPTURE_STATE_NONE});
  REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
  EXPECT_VALUE("XHAL-GRAPH-6", called.count.load(), 0, "the refused host function");
  EXPECT_DATA("XHAL-GRAPH-6", std::vector<uint8_t>(64, 1),
              std::vector<uint8_t>(word.host().begin(), word.host().end()), "a refused call wrote");
}

XHAL_TEST_P(
    graph, capture_info, modes, .clauses = {"XHAL-GRAPH-9"},
    .observes =
        "state and id before, during, in a fork, beside, behind the join and after, asked often and by "
        "two threads; the ids of two captures; the capture stays whole",
    .needs = {XHAL_FEATURE_GRAPH}) {
  Stream origin(t);
  Stream forked(t);
  Stream beside(t);
  Event fork(t);
  Event join(t);
  const auto expect_none = [&](xhal_stream_t stream, const char* when) {
    const xhal_capture_info_t info = capture_info(t, stream);
    EXPECT_VALUE("XHAL-GRAPH-9", info.state, uint32_t{XHAL_CAPTURE_STATE_NONE}, "{}", when);
    EXPECT_VALUE("XHAL-GRAPH-9", info.id, 0u, "{}", when);
  };
  std::set<uint64_t> ids;
  for (int round = 0; round < 2; ++round) {
    expect_none(origin, "before");
    expect_none(forked, "before");
    Capture capture(t, origin, capture_mode(t.text("mode")));
    const xhal_capture_info_t info = capture_info(t, origin);
    EXPECT_VALUE("XHAL-GRAPH-9", info.state, uint32_t{XHAL_CAPTURE_STATE_ACTIVE});
    EXPECT_CLAUSE("XHAL-GRAPH-9", info.id != 0);
    ids.insert(info.id);
    const auto expect_same = [&](xhal_stream_t stream, const char* when) {
      const xhal_capture_info_t now = capture_info(t, stream);
      EXPECT_VALUE("XHAL-GRAPH-9", now.state, uint32_t{XHAL_CAPTURE_STATE_ACTIVE}, "{}", when);
      EXPECT_VALUE("XHAL-GRAPH-9", now.id, info.id, "{}", when);
    };
    expect_none(forked, "before the fork");
    REQUIRE_OK(xhal_event_record(fork, origin, 0));
    REQUIRE_OK(xhal_stream_wait_event(forked, fork, 0));
    for (int i = 0; i < 100; ++i) expect_same(i % 2 == 0 ? origin : forked, "in the fork");
    xhal_capture_info_t by_another{};
    by_another.struct_size = sizeof(by_another);
    const xhal_result_t answer =
        elsewhere([&] { return TRACED(xhal_stream_get_capture_info(forked, &by_another)); });
    EXPECT_VALUE("XHAL-GRAPH-9", result_name(answer), result_name(XHAL_SUCCESS), "another thread asks");
    EXPECT_VALUE("XHAL-GRAPH-9", by_another.id, info.id, "another thread asks");
    expect_none(beside, "a stream beside the capture");
    REQUIRE_OK(xhal_event_record(join, forked, 0));
    REQUIRE_OK(xhal_stream_wait_event(origin, join, 0));
    expect_same(origin, "behind the join");
    xhal_graph_t graph = nullptr;
    EXPECT_VALUE("XHAL-GRAPH-9", result_name(capture.end(&graph)), result_name(XHAL_SUCCESS),
                 "asking invalidated the capture");
    const Graph done(graph);
    expect_none(origin, "after");
    expect_none(forked, "after");
  }
  EXPECT_VALUE("XHAL-GRAPH-9", ids.size(), 2u, "two captures have one id");
}

XHAL_TEST_P(
    graph, who_ends_a_capture, modes, .clauses = {"XHAL-GRAPH-10"},
    .observes =
        "the end by another thread, in each mode: the code; where it is refused, that the capture goes "
        "on and its own thread ends it",
    .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Marker marker(t);
  Capture capture(t, stream, capture_mode(t.text("mode")));
  marker.fill_on(t, stream);
  xhal_graph_t handle = sentinel<xhal_graph_s>();
  const xhal_result_t other = elsewhere([&] { return capture.end(&handle); });
  if (t.text("mode") == "relaxed") {
    ASSERT_CLAUSE("XHAL-GRAPH-10", other == XHAL_SUCCESS, "{}", result_name(other));
  } else {
    EXPECT_VALUE("XHAL-GRAPH-10", result_name(other), result_name(XHAL_ERROR_CAPTURE_MISMATCH));
    EXPECT_VALUE("XHAL-GRAPH-10", handle, sentinel<xhal_graph_s>());
    EXPECT_VALUE("XHAL-GRAPH-10", capture_info(t, stream).state, uint32_t{XHAL_CAPTURE_STATE_ACTIVE});
    const xhal_result_t own = capture.end(&handle);
    ASSERT_CLAUSE("XHAL-GRAPH-10", own == XHAL_SUCCESS, "its own thread: {}", result_name(own));
  }
  ASSERT_CLAUSE("XHAL-GRAPH-10", handle != sentinel<xhal_graph_s>(), "a success without a graph");
  const Graph graph(handle);
  run(t, GraphExec(t, graph), stream);
  EXPECT_CLAUSE("XHAL-GRAPH-10", marker.filled(), "{}", marker.shown());
}

XHAL_TEST(graph, mismatches, .clauses = {"XHAL-GRAPH-10"},
          .observes =
              "ending a stream that does not capture, beginning twice, beginning or ending a stream that was "
              "only forked into the capture: the codes, and that the capture is as before",
          .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Stream forked(t);
  Stream other(t);
  Event fork(t);
  Event join(t);
  Marker marker(t);
  xhal_graph_t none = sentinel<xhal_graph_s>();
  EXPECT_RESULT("XHAL-GRAPH-10", xhal_stream_end_capture(stream, &none), XHAL_ERROR_CAPTURE_MISMATCH,
                "it never captured");
  Capture capture(t, stream);
  const uint64_t id = capture_info(t, stream).id;
  EXPECT_RESULT("XHAL-GRAPH-10", xhal_stream_begin_capture(stream, XHAL_CAPTURE_RELAXED),
                XHAL_ERROR_CAPTURE_MISMATCH, "beginning twice");
  EXPECT_RESULT("XHAL-GRAPH-10", xhal_stream_end_capture(other, &none), XHAL_ERROR_CAPTURE_MISMATCH,
                "a stream beside it");
  REQUIRE_OK(xhal_event_record(fork, stream, 0));
  REQUIRE_OK(xhal_stream_wait_event(forked, fork, 0));
  EXPECT_RESULT("XHAL-GRAPH-10", xhal_stream_begin_capture(forked, XHAL_CAPTURE_RELAXED),
                XHAL_ERROR_CAPTURE_MISMATCH, "beginning in a fork");
  EXPECT_RESULT("XHAL-GRAPH-10", xhal_stream_end_capture(forked, &none), XHAL_ERROR_CAPTURE_MISMATCH,
                "ending a fork");
  EXPECT_VALUE("XHAL-GRAPH-10", none, sentinel<xhal_graph_s>());
  EXPECT_VALUE("XHAL-GRAPH-10", capture_info(t, stream).id, id, "after the refused calls");
  marker.fill_on(t, forked);
  REQUIRE_OK(xhal_event_record(join, forked, 0));
  REQUIRE_OK(xhal_stream_wait_event(stream, join, 0));
  xhal_graph_t handle = nullptr;
  const xhal_result_t ended = capture.end(&handle);
  ASSERT_CLAUSE("XHAL-GRAPH-10", ended == XHAL_SUCCESS, "{}", result_name(ended));
  const Graph graph(handle);
  EXPECT_RESULT("XHAL-GRAPH-10", xhal_stream_end_capture(stream, &none), XHAL_ERROR_CAPTURE_MISMATCH,
                "ending twice");
  run(t, GraphExec(t, graph), stream);
  EXPECT_CLAUSE("XHAL-GRAPH-10", marker.filled(), "{}", marker.shown());
}

XHAL_TEST(graph, undefined_values, .clauses = {"XHAL-ABI-11"},
          .observes = "capture modes and flags that nobody defined: the codes, and that nothing began",
          .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Event event(t);
  Marker marker(t);
  uint32_t former = 77;
  for (const uint32_t mode : {3u, 99u, ~0u}) {
    EXPECT_RESULT("XHAL-ABI-11", xhal_stream_begin_capture(stream, mode), XHAL_ERROR_INVALID_ARGUMENT,
                  "mode {}", mode);
    EXPECT_RESULT("XHAL-ABI-11", xhal_driver_exchange_capture_mode(t.driver(), mode, &former),
                  XHAL_ERROR_INVALID_ARGUMENT, "mode {}", mode);
  }
  EXPECT_VALUE("XHAL-ABI-11", former, 77u);
  EXPECT_VALUE("XHAL-ABI-11", capture_info(t, stream).state, uint32_t{XHAL_CAPTURE_STATE_NONE});
  Capture capture(t, stream);
  marker.fill_on(t, stream);
  const Graph graph = capture.end();
  xhal_graph_exec_t exec = sentinel<xhal_graph_exec_s>();
  for (const uint32_t flags : {1u, 1u << 31}) {
    EXPECT_RESULT("XHAL-ABI-11", xhal_graph_instantiate(graph, flags, &exec), XHAL_ERROR_INVALID_ARGUMENT,
                  "flags {:#x}", flags);
  }
  EXPECT_VALUE("XHAL-ABI-11", exec, sentinel<xhal_graph_exec_s>());
}

XHAL_TEST(graph, destroyed_handles, .clauses = {"XHAL-ABI-4"},
          .observes = "every call on a destroyed graph and a destroyed executable: the codes",
          .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Marker marker(t);
  const auto fill = [&](xhal_stream_t s) { marker.fill_on(t, s); };
  const Graph live = captured(t, stream, fill);
  const GraphExec live_exec(t, live);
  const xhal_graph_t graph = captured(t, stream, fill).release();
  const xhal_graph_exec_t exec = GraphExec(t, graph).release();
  REQUIRE_OK(xhal_graph_destroy(graph));
  REQUIRE_OK(xhal_graph_exec_destroy(exec));
  xhal_graph_info_t info{};
  info.struct_size = sizeof(info);
  xhal_graph_exec_t none = sentinel<xhal_graph_exec_s>();
  const xhal_text_sink_fn sink = [](void*, const char*, uint64_t) { return 0; };
  EXPECT_RESULT("XHAL-ABI-4", xhal_graph_get_info(graph, &info), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_RESULT("XHAL-ABI-4", xhal_graph_dump(graph, sink, nullptr), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_RESULT("XHAL-ABI-4", xhal_graph_instantiate(graph, 0, &none), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_RESULT("XHAL-ABI-4", xhal_graph_exec_update(live_exec, graph, nullptr), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_RESULT("XHAL-ABI-4", xhal_graph_destroy(graph), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_RESULT("XHAL-ABI-4", xhal_graph_exec_launch(exec, stream), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_RESULT("XHAL-ABI-4", xhal_graph_exec_update(exec, live, nullptr), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_RESULT("XHAL-ABI-4", xhal_graph_exec_destroy(exec), XHAL_ERROR_INVALID_HANDLE);
  run(t, live_exec, stream);
  EXPECT_CLAUSE("XHAL-ABI-4", marker.filled(), "{}", marker.shown());
}

}  // namespace
}  // namespace xhal::conformance
