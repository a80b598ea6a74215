// SPDX-License-Identifier: Apache-2.0
// What a capture forbids, to whom, and whom it leaves alone.
#include "suite/graph_support.h"

namespace xhal::conformance {
namespace {

Cases callers() { return grid({mode_axis(), {"caller", {"this_thread", "another_thread"}}}); }
Cases modes() { return grid({mode_axis()}); }

// The answers of the calls that a capture may forbid. What one of them gave out is undone.
struct Unsafe {
  xhal_result_t allocate_device = XHAL_ERROR_UNKNOWN;
  xhal_result_t allocate_pinned = XHAL_ERROR_UNKNOWN;
  xhal_result_t free = XHAL_ERROR_UNKNOWN;
  xhal_result_t synchronize = XHAL_ERROR_UNKNOWN;
  std::vector<void*> made;
};

void try_unsafe(xhal_device_t device, void* memory, Unsafe& out) {
  for (const bool pinned : {false, true}) {
    const xhal_memory_desc_t desc = memory_desc(pinned ? XHAL_MEMORY_PINNED : XHAL_MEMORY_DEVICE, 4096);
    void* pointer = nullptr;
    (pinned ? out.allocate_pinned : out.allocate_device) =
        TRACED(xhal_memory_allocate(device, &desc, &pointer));
    if (pointer != nullptr) out.made.push_back(pointer);
  }
  out.free = TRACED(xhal_memory_free(device, memory));
  out.synchronize = TRACED(xhal_device_synchronize(device, 0));
}

XHAL_TEST_P(graph, unsafe_calls, callers, .clauses = {"XHAL-GRAPH-7"},
            .observes =
                "allocations of device and pinned memory, a free and a device synchronise, made by the "
                "capturing thread or by another one, in each mode: which are refused; that a capture which "
                "refused nothing stays whole; that all of them work after it",
            .needs = {XHAL_FEATURE_GRAPH}) {
  const std::string& mode = t.text("mode");
  const bool own = t.text("caller") == "this_thread";
  const bool refused = mode == "global" || (mode == "thread" && own);
  Stream stream(t);
  Marker marker(t);
  Buffer memory = device_memory(t, 4096);
  Unsafe during;
  Capture capture(t, stream, capture_mode(mode));
  marker.fill_on(t, stream);
  if (own) {
    try_unsafe(t.device(), memory, during);
  } else {
    std::thread([&] { try_unsafe(t.device(), memory, during); }).join();
  }
  xhal_graph_t handle = nullptr;
  const xhal_result_t ended = capture.end(&handle);
  const Graph graph(handle);
  if (during.free == XHAL_SUCCESS) memory.release();
  const xhal_result_t expected = refused ? XHAL_ERROR_CAPTURE_UNSUPPORTED : XHAL_SUCCESS;
  EXPECT_VALUE("XHAL-GRAPH-7", result_name(during.allocate_device), result_name(expected));
  EXPECT_VALUE("XHAL-GRAPH-7", result_name(during.allocate_pinned), result_name(expected));
  EXPECT_VALUE("XHAL-GRAPH-7", result_name(during.free), result_name(expected));
  // Where nothing is forbidden it may be refused all the same, and then invalidates, as each question about captured work.
  if (refused) {
    EXPECT_VALUE("XHAL-GRAPH-7", result_name(during.synchronize), result_name(expected));
  } else {
    EXPECT_CLAUSE("XHAL-GRAPH-7",
                  during.synchronize == XHAL_SUCCESS || during.synchronize == XHAL_ERROR_CAPTURE_UNSUPPORTED,
                  "the device's synchronise: {}", result_name(during.synchronize));
  }
  if (refused || during.synchronize != XHAL_SUCCESS) {
    EXPECT_CLAUSE("XHAL-GRAPH-7", ended_whole_or_invalid(ended), "the end: {}", result_name(ended));
  } else {
    EXPECT_CLAUSE("XHAL-GRAPH-7", ended == XHAL_SUCCESS, "the end: {}", result_name(ended));
  }
  for (void* pointer : during.made)
    EXPECT_RESULT("XHAL-GRAPH-7", xhal_memory_free(t.device(), pointer), XHAL_SUCCESS, "after the capture");
  if (ended == XHAL_SUCCESS) {
    run(t, GraphExec(t, graph), stream);
    EXPECT_CLAUSE("XHAL-GRAPH-7", marker.filled(), "{}", marker.shown());
  }
  EXPECT_RESULT("XHAL-GRAPH-7", xhal_device_synchronize(t.device(), t.patience()), XHAL_SUCCESS,
                "after the capture");
  EXPECT_VALUE("XHAL-GRAPH-7", attributes_of(t, device_memory(t, 64)).kind, uint32_t{XHAL_MEMORY_DEVICE},
               "an allocation after the capture");
}

// One allocation, undone where it succeeds.
xhal_result_t try_allocation(xhal_device_t device) {
  const xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_DEVICE, 64);
  void* pointer = nullptr;
  const xhal_result_t result = TRACED(xhal_memory_allocate(device, &desc, &pointer));
  if (pointer != nullptr) TRACED(xhal_memory_free(device, pointer));
  return result;
}

XHAL_TEST(
    graph, exchange_relaxes_the_caller, .clauses = {"XHAL-GRAPH-7"},
    .observes =
        "in a capture of mode global, a thread's allocations before, between and behind two exchanges of "
        "its mode, the former modes it gets, and another thread's allocation meanwhile; the capture that "
        "saw only relaxed calls is whole",
    .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Marker marker(t);
  uint32_t first = 77;
  uint32_t second = 77;
  REQUIRE_OK(xhal_driver_exchange_capture_mode(t.driver(), XHAL_CAPTURE_RELAXED, &first));
  EXPECT_VALUE("XHAL-GRAPH-7", first, uint32_t{XHAL_CAPTURE_GLOBAL}, "a thread's mode to begin with");
  // The mode belongs to this thread, which runs other tests behind this one.
  t.at_end([driver = t.driver()] {
    uint32_t former = 0;
    TRACED(xhal_driver_exchange_capture_mode(driver, XHAL_CAPTURE_GLOBAL, &former));
  });
  Capture capture(t, stream, XHAL_CAPTURE_GLOBAL);
  marker.fill_on(t, stream);
  EXPECT_VALUE("XHAL-GRAPH-7", result_name(try_allocation(t.device())), result_name(XHAL_SUCCESS),
               "relaxed before the capture");
  EXPECT_RESULT("XHAL-GRAPH-7", xhal_driver_exchange_capture_mode(t.driver(), XHAL_CAPTURE_GLOBAL, &second),
                XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-GRAPH-7", second, uint32_t{XHAL_CAPTURE_RELAXED});
  EXPECT_RESULT("XHAL-GRAPH-7", xhal_driver_exchange_capture_mode(t.driver(), XHAL_CAPTURE_RELAXED, &second),
                XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-GRAPH-7", second, uint32_t{XHAL_CAPTURE_GLOBAL});
  EXPECT_VALUE("XHAL-GRAPH-7", result_name(try_allocation(t.device())), result_name(XHAL_SUCCESS),
               "relaxed in the capture");
  const Graph graph = capture.end();
  run(t, GraphExec(t, graph), stream);
  EXPECT_CLAUSE("XHAL-GRAPH-7", marker.filled(), "{}", marker.shown());
  // A second capture, in which the others' calls and, behind the exchange back, the own one are refused.
  Capture strict(t, stream, XHAL_CAPTURE_GLOBAL);
  EXPECT_VALUE("XHAL-GRAPH-7", result_name(elsewhere([&] { return try_allocation(t.device()); })),
               result_name(XHAL_ERROR_CAPTURE_UNSUPPORTED), "another thread's mode is its own");
  EXPECT_RESULT("XHAL-GRAPH-7", xhal_driver_exchange_capture_mode(t.driver(), XHAL_CAPTURE_GLOBAL, &second),
                XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-GRAPH-7", result_name(try_allocation(t.device())),
               result_name(XHAL_ERROR_CAPTURE_UNSUPPORTED), "behind the exchange back");
}

XHAL_TEST(
    graph, another_thread_relaxes_itself, .clauses = {"XHAL-GRAPH-7"},
    .observes =
        "in a capture of mode global, an allocation of another thread that exchanged its mode to relaxed, "
        "and how the capture ends",
    .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Marker marker(t);
  Capture capture(t, stream, XHAL_CAPTURE_GLOBAL);
  marker.fill_on(t, stream);
  uint32_t former = 77;
  xhal_result_t exchanged = XHAL_ERROR_UNKNOWN;
  const xhal_result_t answer = elsewhere([&] {
    exchanged = TRACED(xhal_driver_exchange_capture_mode(t.driver(), XHAL_CAPTURE_RELAXED, &former));
    return try_allocation(t.device());
  });
  EXPECT_VALUE("XHAL-GRAPH-7", result_name(exchanged), result_name(XHAL_SUCCESS));
  EXPECT_VALUE("XHAL-GRAPH-7", former, uint32_t{XHAL_CAPTURE_GLOBAL}, "a new thread's mode");
  EXPECT_VALUE("XHAL-GRAPH-7", result_name(answer), result_name(XHAL_SUCCESS));
  xhal_graph_t handle = nullptr;
  const xhal_result_t ended = capture.end(&handle);
  ASSERT_CLAUSE("XHAL-GRAPH-7", ended == XHAL_SUCCESS, "the end: {}", result_name(ended));
  const Graph graph(handle);
  run(t, GraphExec(t, graph), stream);
  EXPECT_CLAUSE("XHAL-GRAPH-7", marker.filled(), "{}", marker.shown());
}

// A copy there and back on a stream, and the questions about it, until it is done.
struct Beside {
  Beside(Context& context, uint64_t which)
      : t(context),
        data(context.random_bytes(kBytes, which)),
        stream(context),
        event(context),
        source(pinned_memory(context, kBytes)),
        memory(device_memory(context, kBytes)),
        destination(pinned_memory(context, kBytes)) {
    std::copy(data.begin(), data.end(), source.host().begin());
  }

  void work() {
    submitted = TRACED(xhal_memory_copy(stream, memory, source, kBytes)) == XHAL_SUCCESS &&
                TRACED(xhal_memory_copy(stream, destination, memory, kBytes)) == XHAL_SUCCESS &&
                TRACED(xhal_event_record(event, stream, 0)) == XHAL_SUCCESS;
    const auto done = [](xhal_result_t& last, xhal_result_t now) {
      last = now;
      return now != XHAL_NOT_READY;
    };
    static_cast<void>(t.eventually([&] { return done(by_event, xhal_event_query(event)); }));
    static_cast<void>(t.eventually([&] { return done(by_stream, xhal_stream_query(stream)); }));
  }
  void expect_done(const char* who) {
    EXPECT_CLAUSE("XHAL-GRAPH-8", submitted, "{}: a submission was refused", who);
    EXPECT_VALUE("XHAL-GRAPH-8", result_name(by_event), result_name(XHAL_SUCCESS), "{}: the event", who);
    EXPECT_VALUE("XHAL-GRAPH-8", result_name(by_stream), result_name(XHAL_SUCCESS), "{}: the stream", who);
    EXPECT_DATA("XHAL-GRAPH-8", data,
                std::vector<uint8_t>(destination.host().begin(), destination.host().end()), "{}", who);
  }

  static constexpr size_t kBytes = 50'000;
  Context& t;
  std::vector<uint8_t> data;
  Stream stream;
  Event event;
  Buffer source;
  Buffer memory;
  Buffer destination;
  bool submitted = false;
  xhal_result_t by_event = XHAL_ERROR_UNKNOWN;
  xhal_result_t by_stream = XHAL_ERROR_UNKNOWN;
};

XHAL_TEST_P(
    graph, others_go_on, modes, .clauses = {"XHAL-GRAPH-8"},
    .observes =
        "copies, records and queries of another thread, and of this thread on another stream, while a "
        "stream captures: their answers and bytes; the capture's graph afterwards",
    .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Marker before(t);
  Marker behind(t);
  Beside theirs(t, 1);
  Beside ours(t, 2);
  Capture capture(t, stream, capture_mode(t.text("mode")));
  before.fill_on(t, stream);
  std::thread([&] { theirs.work(); }).join();
  ours.work();
  behind.fill_on(t, stream);
  xhal_graph_t handle = nullptr;
  const xhal_result_t ended = capture.end(&handle);
  theirs.expect_done("another thread");
  ours.expect_done("another stream");
  ASSERT_CLAUSE("XHAL-GRAPH-8", ended == XHAL_SUCCESS, "the capture: {}", result_name(ended));
  const Graph graph(handle);
  REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
  EXPECT_CLAUSE("XHAL-GRAPH-8", before.untouched() && behind.untouched(),
                "others' work ran the capture: {}; {}", before.shown(), behind.shown());
  run(t, GraphExec(t, graph), stream);
  EXPECT_CLAUSE("XHAL-GRAPH-8", before.filled() && behind.filled(), "{}; {}", before.shown(), behind.shown());
}

}  // namespace
}  // namespace xhal::conformance
