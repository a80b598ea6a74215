// SPDX-License-Identifier: Apache-2.0
// What a capture takes in, how streams join it, and how it ends.
#include <array>

#include "suite/graph_support.h"

namespace xhal::conformance {
namespace {

Cases modes() { return grid({mode_axis()}); }

// Operations whose every execution shows: the host sets source and destination anew before each one.
Cases works() {
  return grid({{"work", {Value("kernel", {XHAL_FEATURE_KERNEL}), "copy", "fill", "host_function"}}});
}

class Work {
 public:
  explicit Work(Context& t)
      : t_(t),
        kind_(t.text("work")),
        source_(t, XHAL_MEMORY_PINNED, sizeof(uint64_t)),
        destination_(t, XHAL_MEMORY_PINNED, sizeof(uint64_t)) {
    arm(0);
  }

  void submit(xhal_stream_t stream) {
    Context& t = t_;
    if (kind_ == "kernel") {
      REQUIRE_OK(fold(t, stream, destination_, kOp, 1));
    } else if (kind_ == "copy") {
      REQUIRE_OK(xhal_memory_copy(stream, destination_, source_, sizeof(uint64_t)));
    } else if (kind_ == "fill") {
      REQUIRE_OK(xhal_memory_fill(stream, destination_, kOp, sizeof(uint32_t), sizeof(uint64_t)));
    } else {
      REQUIRE_OK(xhal_stream_host_function(stream, count_call, &call_));
    }
  }

  // Before each execution.
  void arm(uint64_t round) {
    *source_.as<uint64_t>() = oracle::random_word(t_.seed(), 2 * round);
    before_ = oracle::random_word(t_.seed(), 2 * round + 1);
    *destination_.as<uint64_t>() = before_;
    calls_before_ = call_.count.load();
  }
  // How often it has run since arm(): 0, 1, or -1 for anything else.
  [[nodiscard]] int times() const {
    if (kind_ == "host_function") {
      const int more = call_.count.load() - calls_before_;
      return more == 0 || more == 1 ? more : -1;
    }
    const uint64_t now = *destination_.as<uint64_t>();
    return now == before_ ? 0 : now == expected() ? 1 : -1;
  }

 private:
  static constexpr uint64_t kOp = 0x0000000061C88647;

  [[nodiscard]] uint64_t expected() const {
    if (kind_ == "kernel") return oracle::mix(before_, kOp);
    return kind_ == "copy" ? *source_.as<uint64_t>() : kOp << 32 | kOp;
  }

  Context& t_;
  std::string kind_;
  Buffer source_;
  Buffer destination_;
  uint64_t before_ = 0;
  HostCall& call_ = t_.kept<HostCall>();
  int calls_before_ = 0;
};

XHAL_TEST_P(
    graph, work_runs_once_a_launch, works, .clauses = {"XHAL-GRAPH-1"},
    .observes =
        "what one operation left behind after its capture and a device synchronise (nothing), after its "
        "graph's instantiation (nothing), after each of five launches (one execution), and after a last "
        "device synchronise (nothing more)",
    .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Work work(t);
  const Graph graph = captured(t, stream, [&](xhal_stream_t s) { work.submit(s); });
  REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
  EXPECT_VALUE("XHAL-GRAPH-1", work.times(), 0, "after the capture");
  const GraphExec exec(t, graph);
  REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
  EXPECT_VALUE("XHAL-GRAPH-1", work.times(), 0, "after the instantiation");
  for (uint64_t round = 1; round <= 5; ++round) {
    work.arm(round);
    EXPECT_RESULT("XHAL-GRAPH-1", xhal_graph_exec_launch(exec, stream), XHAL_SUCCESS);
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    EXPECT_VALUE("XHAL-GRAPH-1", work.times(), 1, "launch {}", round);
  }
  work.arm(6);
  REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
  EXPECT_VALUE("XHAL-GRAPH-1", work.times(), 0, "without a launch");
  // The stream itself is as before: what it gets now runs.
  work.submit(stream);
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_VALUE("XHAL-GRAPH-1", work.times(), 1, "submitted to the stream that captured before");
}

XHAL_TEST_P(graph, history_of_launches, modes, .clauses = {"XHAL-GRAPH-1", "XHAL-GRAPH-2"},
            .observes =
                "257 cells that three captured folds change, before, between and after launches: the cells' "
                "histories hold each launch's folds in the captured order, and nothing else",
            .needs = {XHAL_FEATURE_GRAPH, XHAL_FEATURE_KERNEL}) {
  constexpr size_t kCells = 257;
  const auto before = t.random_u64(kCells, 1);
  const auto ops = t.random_u64(4, 2);
  Stream stream(t);
  const Buffer cells = device_memory(t, kCells * sizeof(uint64_t));
  t.write(cells, before);
  Capture capture(t, stream, capture_mode(t.text("mode")));
  for (size_t i = 0; i < 3; ++i) REQUIRE_OK(fold(t, stream, cells, ops[i], kCells));
  const Graph graph = capture.end();
  REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
  EXPECT_DATA("XHAL-GRAPH-1", before, t.read<uint64_t>(cells, kCells), "after the capture");
  const GraphExec exec(t, graph);
  std::vector<uint64_t> history;
  for (int launch = 0; launch < 3; ++launch) {
    REQUIRE_OK(xhal_graph_exec_launch(exec, stream));
    REQUIRE_OK(fold(t, stream, cells, ops[3], kCells));
    history.insert(history.end(), ops.begin(), ops.end());
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  std::vector<uint64_t> expected;
  for (const uint64_t cell : before) expected.push_back(oracle::FoldHistory(cell, history).value());
  EXPECT_DATA("XHAL-GRAPH-2", expected, t.read<uint64_t>(cells, kCells));
}

XHAL_TEST(
    graph, host_functions_run_once_a_launch, .clauses = {"XHAL-GRAPH-16"},
    .observes = "calls, pointer and status of two captured functions, counted after each of three launches",
    .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  auto& calls = t.kept<std::array<HostCall, 2>>();
  const GraphExec exec = executable(t, stream, [&](xhal_stream_t s) {
    for (HostCall& call : calls) REQUIRE_OK(xhal_stream_host_function(s, count_call, &call));
  });
  REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
  for (int launches = 0; launches <= 3; ++launches) {
    if (launches > 0) run(t, exec, stream);
    for (HostCall& call : calls) {
      EXPECT_VALUE("XHAL-GRAPH-16", call.count.load(), launches, "after {} launches", launches);
      if (launches == 0) continue;
      EXPECT_VALUE("XHAL-GRAPH-16", call.user.load(), static_cast<void*>(&call));
      EXPECT_VALUE("XHAL-GRAPH-16", call.status.load(), XHAL_SUCCESS);
    }
  }
}

Cases pageable_sides() { return grid({{"side", {"source", "destination", "both"}}}); }

XHAL_TEST_P(
    graph, pageable_memory_is_refused, pageable_sides, .clauses = {"XHAL-GRAPH-16"},
    .observes =
        "the code of a captured copy from or to pageable memory, how the capture ends, and where it gives a "
        "graph, that a launch does the rest and leaves the pageable bytes alone",
    .needs = {XHAL_FEATURE_GRAPH}) {
  constexpr uint64_t kBytes = 64;
  Stream stream(t);
  Marker marker(t);
  const Buffer memory = device_memory(t, kBytes);
  const auto from = t.host_bytes(kBytes, 1);
  const auto to = t.host_bytes(kBytes, 2);
  const std::string& side = t.text("side");
  Capture capture(t, stream);
  marker.fill_on(t, stream);
  EXPECT_RESULT("XHAL-GRAPH-16",
                xhal_memory_copy(stream, side == "source" ? memory.get() : to.data(),
                                 side == "destination" ? memory.get() : from.data(), kBytes),
                XHAL_ERROR_CAPTURE_UNSUPPORTED);
  xhal_graph_t handle = nullptr;
  const xhal_result_t ended = capture.end(&handle);
  const Graph graph(handle);
  EXPECT_CLAUSE("XHAL-GRAPH-16", ended_whole_or_invalid(ended), "the end of the capture: {}",
                result_name(ended));
  if (ended == XHAL_SUCCESS) {
    run(t, GraphExec(t, graph), stream);
    EXPECT_CLAUSE("XHAL-GRAPH-16", marker.filled(), "{}", marker.shown());
  }
  REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
  EXPECT_DATA("XHAL-GRAPH-16", std::vector<uint8_t>(kBytes, 2), std::vector<uint8_t>(to.begin(), to.end()));
}

XHAL_TEST(graph, registered_memory_is_captured, .clauses = {"XHAL-GRAPH-16"},
          .observes = "a captured copy out of registered memory, launched after the bytes have changed",
          .needs = {XHAL_FEATURE_GRAPH, XHAL_FEATURE_REGISTER}) {
  constexpr size_t kBytes = 4096;
  const auto data = t.random_bytes(kBytes);
  const auto block = t.host_bytes(kBytes, 1);
  REQUIRE_OK(xhal_memory_register(t.device(), block.data(), kBytes, 0));
  // Whatever happens behind it.
  t.at_end([device = t.device(), pointer = block.data()] { xhal_memory_unregister(device, pointer); });
  Stream stream(t);
  const Buffer memory = device_memory(t, kBytes);
  const GraphExec exec = executable(t, stream, [&](xhal_stream_t s) {
    EXPECT_RESULT("XHAL-GRAPH-16", xhal_memory_copy(s, memory, block.data(), kBytes), XHAL_SUCCESS);
  });
  std::copy(data.begin(), data.end(), block.begin());
  run(t, exec, stream);
  EXPECT_DATA("XHAL-GRAPH-16", data, t.read<uint8_t>(memory, kBytes), "the bytes at the launch");
}

XHAL_TEST(
    graph, an_event_joins_a_stream, .clauses = {"XHAL-GRAPH-3", "XHAL-GRAPH-2"},
    .observes =
        "a fork and a join over two streams, captured and launched twice: values that only the captured "
        "dependencies give; the forked stream's own work afterwards",
    .needs = {XHAL_FEATURE_GRAPH, XHAL_FEATURE_KERNEL}) {
  constexpr size_t kCells = 1000;
  constexpr size_t kBytes = kCells * sizeof(uint64_t);
  const auto ops = t.random_u64(5, 9);
  Stream origin(t);
  Stream forked(t);
  Event fork(t);
  Event join(t);
  const Buffer x = device_memory(t, kBytes);
  const Buffer y = device_memory(t, kBytes);
  auto expected_x = t.random_u64(kCells, 1);
  auto expected_y = t.random_u64(kCells, 2);
  t.write(x, expected_x);
  t.write(y, expected_y);
  const auto fold2 = [&](xhal_stream_t stream, const Buffer& to, const Buffer& from, uint64_t op) {
    Launch launch(t.kernel("xhal_fold2_u64"));
    launch.cover(kCells, small_group(t)).updates(to, kBytes).reads(from, kBytes).value(op);
    REQUIRE_OK(launch.value(uint64_t{kCells}).on(stream));
  };
  const GraphExec exec = executable(t, origin, [&](xhal_stream_t s) {
    REQUIRE_OK(fold(t, s, x, ops[0], kCells));
    EXPECT_RESULT("XHAL-GRAPH-3", xhal_event_record(fork, s, 0), XHAL_SUCCESS);
    EXPECT_RESULT("XHAL-GRAPH-3", xhal_stream_wait_event(forked, fork, 0), XHAL_SUCCESS);
    fold2(forked, y, x, ops[1]);
    REQUIRE_OK(fold(t, forked, y, ops[2], kCells));
    EXPECT_RESULT("XHAL-GRAPH-3", xhal_event_record(join, forked, 0), XHAL_SUCCESS);
    EXPECT_RESULT("XHAL-GRAPH-3", xhal_stream_wait_event(s, join, 0), XHAL_SUCCESS);
    fold2(s, x, y, ops[3]);
  });
  REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
  EXPECT_DATA("XHAL-GRAPH-3", expected_y, t.read<uint64_t>(y, kCells), "the forked stream's work has run");
  for (int launch = 0; launch < 2; ++launch) {
    run(t, exec, origin);
    expected_x = oracle::fold_u64(expected_x, ops[0], kCells);
    expected_y = oracle::fold2_u64(expected_y, expected_x, ops[1], kCells);
    expected_y = oracle::fold_u64(expected_y, ops[2], kCells);
    expected_x = oracle::fold2_u64(expected_x, expected_y, ops[3], kCells);
    EXPECT_DATA("XHAL-GRAPH-2", expected_x, t.read<uint64_t>(x, kCells), "launch {}", launch);
    EXPECT_DATA("XHAL-GRAPH-2", expected_y, t.read<uint64_t>(y, kCells), "launch {}", launch);
  }
  REQUIRE_OK(fold(t, forked, y, ops[4], kCells));
  REQUIRE_OK(xhal_stream_synchronize(forked, t.patience()));
  EXPECT_DATA("XHAL-GRAPH-3", oracle::fold_u64(expected_y, ops[4], kCells), t.read<uint64_t>(y, kCells),
              "work of the forked stream after the capture");
}

XHAL_TEST(graph, earlier_events_are_no_part, .clauses = {"XHAL-GRAPH-3"},
          .observes =
              "the code of a wait for an event that was recorded before the capture began, how the capture "
              "ends, and that another stream may wait for it meanwhile",
          .needs = {XHAL_FEATURE_GRAPH}) {
  Stream earlier(t);
  Stream stream(t);
  Stream other(t);
  Event event(t);
  Marker beside(t);
  REQUIRE_OK(xhal_event_record(event, earlier, 0));
  REQUIRE_OK(xhal_event_synchronize(event, t.patience()));
  {
    Capture capture(t, stream);
    EXPECT_RESULT("XHAL-GRAPH-3", xhal_stream_wait_event(other, event, 0), XHAL_SUCCESS);
    beside.fill_on(t, other);
    EXPECT_RESULT("XHAL-GRAPH-3", xhal_stream_wait_event(stream, event, 0), XHAL_ERROR_CAPTURE_UNSUPPORTED);
    xhal_graph_t handle = nullptr;
    const xhal_result_t ended = capture.end(&handle);
    const Graph graph(handle);
    EXPECT_CLAUSE("XHAL-GRAPH-3", ended_whole_or_invalid(ended), "{}", result_name(ended));
  }
  EXPECT_RESULT("XHAL-GRAPH-3", xhal_stream_synchronize(other, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-GRAPH-3", beside.filled(), "{}", beside.shown());
  EXPECT_RESULT("XHAL-GRAPH-3", xhal_stream_wait_event(stream, event, 0), XHAL_SUCCESS, "after the capture");
  EXPECT_RESULT("XHAL-GRAPH-3", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
}

XHAL_TEST(graph, forked_streams_wait_as_before, .clauses = {"XHAL-GRAPH-3"},
          .observes =
              "a stream that was forked into a capture, and whose first call after its end is a wait for an "
              "event that a held stream has recorded: taken, its fill behind the wait has not happened while "
              "the gate is shut, and has after it",
          .needs = {XHAL_FEATURE_GRAPH}) {
  Stream origin(t);
  Stream forked(t);
  Stream holder(t);
  Event fork(t);
  Event join(t);
  Event later(t);
  Marker marker(t);
  {
    Capture capture(t, origin);
    REQUIRE_OK(xhal_event_record(fork, origin, 0));
    REQUIRE_OK(xhal_stream_wait_event(forked, fork, 0));
    REQUIRE_OK(xhal_event_record(join, forked, 0));
    REQUIRE_OK(xhal_stream_wait_event(origin, join, 0));
    const Graph graph = capture.end();
  }
  Gate gate(t, holder);
  REQUIRE_OK(xhal_event_record(later, holder, 0));
  EXPECT_RESULT("XHAL-GRAPH-3", xhal_stream_wait_event(forked, later, 0), XHAL_SUCCESS,
                "the first call after the capture");
  marker.fill_on(t, forked);
  if (t.witness(gate)) EXPECT_CLAUSE("XHAL-GRAPH-3", marker.untouched(), "{}", marker.shown());
  marker.stamp(gate);
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(forked, t.patience()));
  EXPECT_CLAUSE("XHAL-GRAPH-3", marker.filled(), "{}", marker.shown());
}

Cases open_forks() { return grid({{"open", {"never_joined", "work_behind_the_join"}}}); }

XHAL_TEST_P(
    graph, open_fork, open_forks, .clauses = {"XHAL-GRAPH-4"},
    .observes =
        "the end of a capture whose fork was not joined, or got more work behind its join: the code, no "
        "graph, both streams idle and working afterwards, none of the captured work done",
    .needs = {XHAL_FEATURE_GRAPH}) {
  Stream origin(t);
  Stream forked(t);
  Event fork(t);
  Event join(t);
  Marker inside(t);
  Marker tail(t);
  xhal_graph_t graph = sentinel<xhal_graph_s>();
  Capture capture(t, origin);
  REQUIRE_OK(xhal_event_record(fork, origin, 0));
  REQUIRE_OK(xhal_stream_wait_event(forked, fork, 0));
  inside.fill_on(t, forked);
  if (t.text("open") == "work_behind_the_join") {
    REQUIRE_OK(xhal_event_record(join, forked, 0));
    REQUIRE_OK(xhal_stream_wait_event(origin, join, 0));
    tail.fill_on(t, forked);
  }
  EXPECT_VALUE("XHAL-GRAPH-4", result_name(capture.end(&graph)), result_name(XHAL_ERROR_CAPTURE_UNJOINED));
  EXPECT_VALUE("XHAL-GRAPH-4", graph, sentinel<xhal_graph_s>());
  for (const xhal_stream_t stream :
       {static_cast<xhal_stream_t>(origin), static_cast<xhal_stream_t>(forked)}) {
    EXPECT_VALUE("XHAL-GRAPH-4", capture_info(t, stream).state, uint32_t{XHAL_CAPTURE_STATE_NONE});
    Marker after(t);
    after.fill_on(t, stream);
    EXPECT_RESULT("XHAL-GRAPH-4", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
    EXPECT_CLAUSE("XHAL-GRAPH-4", after.filled(), "{}", after.shown());
  }
  EXPECT_CLAUSE("XHAL-GRAPH-4", inside.untouched() && tail.untouched(), "{}; {}", inside.shown(),
                tail.shown());
}

XHAL_TEST(graph, destroying_the_stream_ends_its_capture, .clauses = {"XHAL-GRAPH-18"},
          .observes =
              "a stream destroyed while it captures with a fork open: the destroy, the fork, an allocation "
              "that the capture had forbidden, and the number of nodes and the effect of the next capture",
          .needs = {XHAL_FEATURE_GRAPH}) {
  Stream forked(t);
  Stream next(t);
  Event fork(t);
  Marker lost(t);
  Marker kept(t);
  Marker after(t);
  const auto one_fill = [&](xhal_stream_t s) { kept.fill_on(t, s); };
  const xhal_graph_info_t alone = graph_info(t, captured(t, next, one_fill));
  {
    Stream origin(t);
    Capture capture(t, origin, XHAL_CAPTURE_GLOBAL);
    lost.fill_on(t, origin);
    REQUIRE_OK(xhal_event_record(fork, origin, 0));
    REQUIRE_OK(xhal_stream_wait_event(forked, fork, 0));
    lost.fill_on(t, forked);
    EXPECT_RESULT("XHAL-GRAPH-18", xhal_stream_destroy(origin), XHAL_SUCCESS);
    origin.release();
    capture.forget();
  }
  EXPECT_VALUE("XHAL-GRAPH-18", capture_info(t, forked).state, uint32_t{XHAL_CAPTURE_STATE_NONE}, "the fork");
  const xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_DEVICE, 64);
  void* pointer = nullptr;
  if (EXPECT_RESULT("XHAL-GRAPH-18", xhal_memory_allocate(t.device(), &desc, &pointer), XHAL_SUCCESS,
                    "no capture is under way"))
    REQUIRE_OK(xhal_memory_free(t.device(), pointer));
  after.fill_on(t, forked);
  EXPECT_RESULT("XHAL-GRAPH-18", xhal_stream_synchronize(forked, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-GRAPH-18", after.filled(), "the fork's own work: {}", after.shown());
  const Graph graph = captured(t, next, one_fill);
  EXPECT_VALUE("XHAL-GRAPH-18", graph_info(t, graph).node_count, alone.node_count, "the next capture");
  run(t, GraphExec(t, graph), next);
  EXPECT_RESULT("XHAL-GRAPH-18", xhal_device_synchronize(t.device(), t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-GRAPH-18", kept.filled() && lost.untouched(), "{}; {}", kept.shown(), lost.shown());
}

XHAL_TEST(graph, reset_ends_captures, .clauses = {"XHAL-GRAPH-18"},
          .observes =
              "a reset in the middle of a capture: its code, the old stream's handle, an allocation, and the "
              "number of nodes and the effect of the next capture",
          .needs = {XHAL_FEATURE_GRAPH}, .isolated = true, .may_be_unobservable = true) {
  if (t.properties().fault_recovery != XHAL_RECOVERY_RESET)
    Context::not_observable("the device does not declare reset");
  xhal_stream_t old = Stream(t).release();
  void* memory = device_memory(t, 64).release();
  REQUIRE_OK(xhal_stream_begin_capture(old, XHAL_CAPTURE_GLOBAL));
  REQUIRE_OK(xhal_memory_fill(old, memory, 1, 1, 64));
  ASSERT_RESULT("XHAL-GRAPH-18", xhal_device_reset(t.device()), XHAL_SUCCESS);
  xhal_graph_t none = sentinel<xhal_graph_s>();
  EXPECT_RESULT("XHAL-GRAPH-18", xhal_stream_end_capture(old, &none), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_VALUE("XHAL-GRAPH-18", none, sentinel<xhal_graph_s>());
  EXPECT_RESULT("XHAL-GRAPH-18", xhal_stream_destroy(old), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-GRAPH-18", xhal_memory_free(t.device(), memory), XHAL_SUCCESS);
  Stream stream(t);
  Marker marker(t);
  xhal_graph_t handle = nullptr;
  // Without the frame's own things: they were made before the reset.
  REQUIRE_OK(xhal_stream_begin_capture(stream, XHAL_CAPTURE_RELAXED));
  ASSERT_RESULT("XHAL-GRAPH-18", xhal_stream_end_capture(stream, &handle), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-GRAPH-18", graph_info(t, Graph(handle)).node_count, 0u, "an empty capture");
  REQUIRE_OK(xhal_stream_begin_capture(stream, XHAL_CAPTURE_RELAXED));
  marker.fill_on(t, stream);
  ASSERT_RESULT("XHAL-GRAPH-18", xhal_stream_end_capture(stream, &handle), XHAL_SUCCESS);
  const Graph graph(handle);
  run(t, GraphExec(t, graph), stream);
  EXPECT_CLAUSE("XHAL-GRAPH-18", marker.filled(), "{}", marker.shown());
}

}  // namespace
}  // namespace xhal::conformance
