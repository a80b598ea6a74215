// SPDX-License-Identifier: Apache-2.0
// Waits between devices, destroy, timing, codes, visibility.
#include <chrono>
#include <cstdlib>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(event, wait_does_not_hold_the_caller, gates, .clauses = {"XHAL-EVENT-7"},
            .observes =
                "the call returns while the event is held; work that the stream got before runs, work behind "
                "it does not") {
  Stream a(t);
  Stream c(t);
  Event event(t);
  Marker before(t);
  Marker behind(t);
  Gate gate(t, a, gate_kind(t.text("hold")));
  REQUIRE_OK(xhal_event_record(event, a, 0));
  before.fill_on(t, c);
  EXPECT_RESULT("XHAL-EVENT-7", xhal_stream_wait_event(c, event, 0), XHAL_SUCCESS);
  behind.fill_on(t, c);
  if (gate.shut()) EXPECT_CLAUSE("XHAL-EVENT-7", gate.held(), "the wait blocked the calling thread");
  if (t.witness(gate)) {
    EXPECT_CLAUSE("XHAL-EVENT-7", t.eventually([&] { return before.filled(); }), "work before the wait: {}",
                  before.shown());
    EXPECT_CLAUSE("XHAL-EVENT-7", gate.held(), "work before the wait was held with it");
    EXPECT_CLAUSE("XHAL-EVENT-7", behind.untouched(), "work behind the wait: {}", behind.shown());
  }
  behind.stamp(gate);
  gate.open();
  EXPECT_RESULT("XHAL-EVENT-7", xhal_stream_synchronize(c, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-EVENT-7", before.filled() && behind.filled(), "{}; {}", before.shown(), behind.shown());
}

XHAL_TEST_P(event, wait_between_devices, gates, .clauses = {"XHAL-EVENT-8"},
            .observes = "a record on one device, a wait on another, both ways: held, then released",
            .devices = 2) {
  t.prepare(1);
  for (const size_t recorder : {size_t{0}, size_t{1}}) {
    const size_t waiter = 1 - recorder;
    Stream a(t, recorder);
    Stream c(t, waiter);
    Event event(t, 0, recorder);
    Marker behind(t, waiter);
    // The kernel gate is for device 0's features; device 1 may have others.
    const bool kernel = t.text("hold") == "kernel" && t.has_kernels(recorder);
    Gate gate(t, a, kernel ? Gate::Kind::kKernel : Gate::Kind::kHostFunction, recorder);
    REQUIRE_OK(xhal_event_record(event, a, 0));
    EXPECT_RESULT("XHAL-EVENT-8", xhal_stream_wait_event(c, event, 0), XHAL_SUCCESS);
    behind.fill_on(t, c);
    if (gate.shut()) {
      if (t.witness(gate))
        EXPECT_CLAUSE("XHAL-EVENT-8", behind.untouched(), "device {} did not wait: {}", waiter,
                      behind.shown());
      EXPECT_RESULT("XHAL-EVENT-8", xhal_stream_query(c), XHAL_NOT_READY);
    }
    behind.stamp(gate);
    gate.open();
    EXPECT_RESULT("XHAL-EVENT-8", xhal_stream_synchronize(c, t.patience()), XHAL_SUCCESS);
    EXPECT_CLAUSE("XHAL-EVENT-8", behind.filled(), "device {}: {}", waiter, behind.shown());
  }
}

XHAL_TEST_P(event, destroy_in_flight, gates, .clauses = {"XHAL-EVENT-9"},
            .observes =
                "a recorded and waited-for event is destroyed: the call returns, the waiter is held and then "
                "released") {
  Stream a(t);
  Stream c(t);
  Event event(t);
  Marker behind(t);
  Gate gate(t, a, gate_kind(t.text("hold")));
  REQUIRE_OK(xhal_event_record(event, a, 0));
  REQUIRE_OK(xhal_stream_wait_event(c, event, 0));
  behind.fill_on(t, c);
  EXPECT_RESULT("XHAL-EVENT-9", xhal_event_destroy(event.release()), XHAL_SUCCESS);
  if (gate.shut()) EXPECT_CLAUSE("XHAL-EVENT-9", gate.held(), "the destroy blocked");
  if (t.witness(gate))
    EXPECT_CLAUSE("XHAL-EVENT-9", behind.untouched(), "the destroy let the waiter go: {}", behind.shown());
  // New events take the place of the old one, and must not be taken for it.
  for (int i = 0; i < 16; ++i) {
    Event other(t);
    REQUIRE_OK(xhal_event_record(other, c, 0));
  }
  behind.stamp(gate);
  gate.open();
  EXPECT_RESULT("XHAL-EVENT-9", xhal_stream_synchronize(c, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-EVENT-9", behind.filled(), "{}", behind.shown());
}

XHAL_TEST(
    event, elapsed_grows_along_a_stream, .clauses = {"XHAL-EVENT-10"},
    .observes = "times between six events with fills of growing size between them: none negative, sums agree",
    .needs = {XHAL_FEATURE_EVENT_TIMING}) {
  constexpr size_t kEvents = 6;
  Stream stream(t);
  const Buffer memory = device_memory(t, 1u << 20);
  std::vector<Event> events;
  for (size_t i = 0; i < kEvents; ++i) events.emplace_back(t, XHAL_EVENT_TIMING);
  for (size_t i = 0; i < kEvents; ++i) {
    REQUIRE_OK(xhal_memory_fill(stream, memory, i, 1, memory.size() >> (kEvents - 1 - i)));
    REQUIRE_OK(xhal_event_record(events[i], stream, 0));
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  const int64_t resolution = t.properties().event_resolution_ns;
  EXPECT_CLAUSE("XHAL-EVENT-10", resolution > 0, "event_timing is claimed, and event_resolution_ns is 0");
  int64_t sum = 0;
  int64_t former = 0;
  for (size_t i = 1; i < kEvents; ++i) {
    int64_t step = -1;
    int64_t from_first = -1;
    EXPECT_RESULT("XHAL-EVENT-10", xhal_event_get_elapsed(events[i - 1], events[i], &step), XHAL_SUCCESS);
    EXPECT_RESULT("XHAL-EVENT-10", xhal_event_get_elapsed(events[0], events[i], &from_first), XHAL_SUCCESS);
    EXPECT_CLAUSE("XHAL-EVENT-10", step >= 0, "{} ns from event {} to {}", step, i - 1, i);
    EXPECT_CLAUSE("XHAL-EVENT-10", from_first >= former, "{} ns from event 0 to {}, {} ns to {}", from_first,
                  i, former, i - 1);
    former = from_first;
    sum += step;
    // Each of the i + 1 times may be off by the resolution and a 2^-22 part of itself.
    EXPECT_CLAUSE("XHAL-EVENT-10",
                  std::abs(from_first - sum) <=
                      static_cast<int64_t>(i + 1) * resolution + (sum + from_first) / (1 << 22) + 1,
                  "{} ns from event 0 to {}, {} ns in steps, resolution {} ns", from_first, i, sum,
                  resolution);
  }
  int64_t itself = -1;
  EXPECT_RESULT("XHAL-EVENT-10", xhal_event_get_elapsed(events[0], events[0], &itself), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-EVENT-10", itself, 0);
}

XHAL_TEST_P(event, elapsed_spans_held_time, gates, .clauses = {"XHAL-EVENT-10"},
            .observes =
                "an event before and one behind a gate that is held for a measured time: the elapsed time is "
                "about that, and what "
                "the host waited bounds it",
            .needs = {XHAL_FEATURE_EVENT_TIMING}) {
  Stream stream(t);
  Event start(t, XHAL_EVENT_TIMING);
  Event end(t, XHAL_EVENT_TIMING);
  const auto host_begin = std::chrono::steady_clock::now();
  REQUIRE_OK(xhal_event_record(start, stream, 0));
  Gate gate(t, stream, gate_kind(t.text("hold")));
  REQUIRE_OK(xhal_event_record(end, stream, 0));
  const auto shut_begin = std::chrono::steady_clock::now();
  const int64_t span = std::max<int64_t>(5'000'000, 20 * int64_t{t.properties().event_resolution_ns});
  if (gate.shut()) {
    // Time passes; nothing is ordered by it.
    static_cast<void>(
        t.eventually([&] { return (std::chrono::steady_clock::now() - shut_begin).count() >= span; }));
  }
  const int64_t held = (std::chrono::steady_clock::now() - shut_begin).count();
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  const int64_t whole = (std::chrono::steady_clock::now() - host_begin).count();
  int64_t elapsed = -1;
  EXPECT_RESULT("XHAL-EVENT-10", xhal_event_get_elapsed(start, end, &elapsed), XHAL_SUCCESS);
  // A tenth for clocks that run apart, and two steps of resolution. Each bound has its own: on a busy machine the whole is long.
  const int64_t steps = 2 * int64_t{t.properties().event_resolution_ns};
  const int64_t slack = whole / 10 + steps;
  if (gate.shut())
    EXPECT_CLAUSE("XHAL-EVENT-10", elapsed >= held - held / 10 - steps, "elapsed {} ns, held for {} ns",
                  elapsed, held);
  EXPECT_CLAUSE("XHAL-EVENT-10", elapsed >= 0 && elapsed <= whole + slack,
                "elapsed {} ns, all of it took {} ns", elapsed, whole);
}

XHAL_TEST_P(event, elapsed_codes, gates, .clauses = {"XHAL-EVENT-11", "XHAL-ABI-14"},
            .observes = "elapsed of untimed, never recorded and pending events, and the out-parameter") {
  const bool timing = t.claims(XHAL_FEATURE_EVENT_TIMING);
  int64_t out = 77;
  Stream stream(t);
  Event plain(t);
  REQUIRE_OK(xhal_event_record(plain, stream, 0));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_RESULT("XHAL-EVENT-11", xhal_event_get_elapsed(plain, plain, &out), XHAL_ERROR_INVALID_ARGUMENT,
                "events without timing");
  if (timing) {
    Event first(t, XHAL_EVENT_TIMING);
    Event second(t, XHAL_EVENT_TIMING);
    EXPECT_RESULT("XHAL-EVENT-11", xhal_event_get_elapsed(first, second, &out), XHAL_ERROR_NOT_RECORDED,
                  "never recorded");
    REQUIRE_OK(xhal_event_record(first, stream, 0));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    EXPECT_RESULT("XHAL-EVENT-11", xhal_event_get_elapsed(first, second, &out), XHAL_ERROR_NOT_RECORDED,
                  "the end never recorded");
    EXPECT_RESULT("XHAL-EVENT-11", xhal_event_get_elapsed(second, first, &out), XHAL_ERROR_NOT_RECORDED,
                  "the start never recorded");
    EXPECT_RESULT("XHAL-EVENT-11", xhal_event_get_elapsed(first, plain, &out), XHAL_ERROR_INVALID_ARGUMENT,
                  "the end without timing");
    EXPECT_RESULT("XHAL-EVENT-11", xhal_event_get_elapsed(plain, first, &out), XHAL_ERROR_INVALID_ARGUMENT,
                  "the start without timing");
    Gate gate(t, stream, gate_kind(t.text("hold")));
    REQUIRE_OK(xhal_event_record(second, stream, 0));
    if (gate.shut()) {
      EXPECT_RESULT("XHAL-EVENT-11", xhal_event_get_elapsed(first, second, &out), XHAL_NOT_READY,
                    "the end pending");
      EXPECT_RESULT("XHAL-EVENT-11", xhal_event_get_elapsed(second, first, &out), XHAL_NOT_READY,
                    "the start pending");
      EXPECT_CLAUSE("XHAL-EVENT-11", gate.held(), "elapsed waited");
    }
    EXPECT_VALUE("XHAL-ABI-14", out, 77);
    gate.open();
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    EXPECT_RESULT("XHAL-EVENT-11", xhal_event_get_elapsed(first, second, &out), XHAL_SUCCESS);
  } else {
    EXPECT_VALUE("XHAL-ABI-14", out, 77);
  }
}

XHAL_TEST(event, elapsed_of_two_devices, .clauses = {"XHAL-EVENT-11"},
          .observes = "elapsed of timed events of different devices", .needs = {XHAL_FEATURE_EVENT_TIMING},
          .devices = 2, .may_be_unobservable = true) {
  if (!t.claims(XHAL_FEATURE_EVENT_TIMING, 1)) Context::not_observable("the second device has no timing");
  Event here(t, XHAL_EVENT_TIMING, 0);
  Event there(t, XHAL_EVENT_TIMING, 1);
  Stream a(t, 0);
  Stream b(t, 1);
  REQUIRE_OK(xhal_event_record(here, a, 0));
  REQUIRE_OK(xhal_event_record(there, b, 0));
  REQUIRE_OK(xhal_stream_synchronize(a, t.patience()));
  REQUIRE_OK(xhal_stream_synchronize(b, t.patience()));
  int64_t out = 77;
  EXPECT_RESULT("XHAL-EVENT-11", xhal_event_get_elapsed(here, there, &out), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_VALUE("XHAL-EVENT-11", out, 77);
}

XHAL_TEST(event, record_on_another_device, .clauses = {"XHAL-EVENT-12"},
          .observes = "the answer, the event afterwards, a record on its own device", .devices = 2) {
  Event event(t, 0, 0);
  Stream own(t, 0);
  Stream other(t, 1);
  EXPECT_RESULT("XHAL-EVENT-12", xhal_event_record(event, other, 0), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_RESULT("XHAL-EVENT-12", xhal_event_query(event), XHAL_SUCCESS, "it was never recorded");
  EXPECT_RESULT("XHAL-EVENT-12", xhal_event_record(event, own, 0), XHAL_SUCCESS);
}

XHAL_TEST(event, timing_without_the_feature, .clauses = {"XHAL-EVENT-13"},
          .observes = "create with the timing flag", .unless = {XHAL_FEATURE_EVENT_TIMING}) {
  const xhal_event_desc_t desc{sizeof(xhal_event_desc_t), XHAL_EVENT_TIMING};
  xhal_event_t event = sentinel<xhal_event_s>();
  EXPECT_RESULT("XHAL-EVENT-13", xhal_event_create(t.device(), &desc, &event), XHAL_ERROR_UNSUPPORTED);
  EXPECT_VALUE("XHAL-EVENT-13", event, sentinel<xhal_event_s>());
}

Cases viewers() { return grid({{"seen_by", {"query", "synchronize", "stream"}}}); }

XHAL_TEST_P(
    event, done_means_visible, viewers, .clauses = {"XHAL-EVENT-14"},
    .observes = "the last and first bytes of a 64 KiB copy as soon as the event is seen done, 40 times") {
  const std::string viewer = t.text("seen_by");
  Stream stream(t);
  Stream reader(t);
  Event event(t);
  const Buffer memory = device_memory(t, 65536);
  const Buffer copy = pinned_memory(t, 65536);
  const Buffer seen = pinned_memory(t, 65536);
  for (uint32_t round = 1; round <= 40; ++round) {
    REQUIRE_OK(xhal_memory_fill(stream, memory, round, 1, memory.size()));
    REQUIRE_OK(xhal_memory_copy(stream, copy, memory, memory.size()));
    REQUIRE_OK(xhal_event_record(event, stream, 0));
    const uint8_t* bytes = copy.as<uint8_t>();
    if (viewer == "query") {
      xhal_result_t answer = XHAL_NOT_READY;
      static_cast<void>(
          t.eventually([&] { return (answer = TRACED(xhal_event_query(event))) != XHAL_NOT_READY; }));
      ASSERT_CLAUSE("XHAL-EVENT-14", answer == XHAL_SUCCESS, "the query says {}", result_name(answer));
    } else if (viewer == "synchronize") {
      ASSERT_RESULT("XHAL-EVENT-14", xhal_event_synchronize(event, t.patience()), XHAL_SUCCESS);
    } else {
      REQUIRE_OK(xhal_stream_wait_event(reader, event, 0));
      REQUIRE_OK(xhal_memory_copy(reader, seen, copy, copy.size()));
      REQUIRE_OK(xhal_stream_synchronize(reader, t.patience()));
      bytes = seen.as<uint8_t>();
    }
    ASSERT_VALUE("XHAL-EVENT-14", uint32_t{bytes[65535]}, round, "last byte");
    ASSERT_VALUE("XHAL-EVENT-14", uint32_t{bytes[0]}, round, "first byte");
  }
}

XHAL_TEST(
    event, fan_in_and_fan_out, .clauses = {"XHAL-EVENT-2", "XHAL-EVENT-14"},
    .observes =
        "eight producers, one consumer that waits for all, eight readers that wait for it; every byte") {
  constexpr size_t kWidth = 8;
  std::vector<Stream> streams;
  std::vector<Event> produced;
  for (size_t i = 0; i < kWidth; ++i) {
    streams.emplace_back(t);
    produced.emplace_back(t);
  }
  Stream middle(t);
  Event joined(t);
  const Buffer parts = device_memory(t, kWidth * 1024);
  const Buffer whole = device_memory(t, kWidth * 1024);
  const Buffer out = device_memory(t, kWidth * kWidth * 1024);
  const auto data = t.random_bytes(kWidth * 1024);
  for (size_t i = 0; i < kWidth; ++i) {
    REQUIRE_OK(xhal_memory_copy(streams[i], parts.at(i * 1024), &data[i * 1024], 1024));
    REQUIRE_OK(xhal_event_record(produced[i], streams[i], 0));
  }
  for (size_t i = 0; i < kWidth; ++i) REQUIRE_OK(xhal_stream_wait_event(middle, produced[i], 0));
  REQUIRE_OK(xhal_memory_copy(middle, whole, parts, parts.size()));
  REQUIRE_OK(xhal_event_record(joined, middle, 0));
  for (size_t i = 0; i < kWidth; ++i) {
    REQUIRE_OK(xhal_stream_wait_event(streams[i], joined, 0));
    REQUIRE_OK(xhal_memory_copy(streams[i], out.at(i * kWidth * 1024), whole, whole.size()));
    REQUIRE_OK(xhal_event_record(produced[i], streams[i], 0));
  }
  for (size_t i = 0; i < kWidth; ++i) {
    EXPECT_RESULT("XHAL-EVENT-2", xhal_event_synchronize(produced[i], t.patience()), XHAL_SUCCESS);
    EXPECT_DATA("XHAL-EVENT-14", data, t.read<uint8_t>(out.at(i * kWidth * 1024), data.size()), "reader {}",
                i);
  }
}

}  // namespace
}  // namespace xhal::conformance
