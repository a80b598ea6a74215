// SPDX-License-Identifier: Apache-2.0
// Memory info, synchronise, default stream, independence.
#include <cstdlib>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

Cases gates() { return grid({gate_axis()}); }

bool about(uint64_t a, uint64_t b, uint64_t slack) { return (a > b ? a - b : b - a) <= slack; }

XHAL_TEST(device, memory_info_moves, .clauses = {"XHAL-DEVICE-5"},
          .observes =
              "free and total of all devices before, during and after an allocation of an eighth, which is "
              "written") {
  // On a device shared with other processes a figure may move under the test's feet: three tries, one must be undisturbed.
  constexpr int kTries = 3;
  for (int attempt = 1; attempt <= kTries; ++attempt) {
    const bool last = attempt == kTries;
    std::vector<xhal_memory_info_t> before;
    for (size_t i = 0; i < t.device_count(); ++i) {
      before.push_back(memory_info(t, i));
      EXPECT_CLAUSE("XHAL-DEVICE-5",
                    before[i].free_bytes <= before[i].total_bytes && before[i].total_bytes > 0,
                    "device {}: {} of {}", i, before[i].free_bytes, before[i].total_bytes);
    }
    const uint64_t granularity = t.properties().memory_granularity;
    const uint64_t size = std::min(before[0].free_bytes / 8, t.properties().max_allocation_bytes);
    std::vector<xhal_memory_info_t> during;
    {
      const Buffer memory = device_memory(t, size);
      Stream stream(t);
      REQUIRE_OK(xhal_memory_fill(stream, memory, 0, 1, std::min<uint64_t>(size, 1u << 20)));
      REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
      for (size_t i = 0; i < t.device_count(); ++i) during.push_back(memory_info(t, i));
    }
    REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
    std::vector<xhal_memory_info_t> after;
    for (size_t i = 0; i < t.device_count(); ++i) after.push_back(memory_info(t, i));
    bool calm = about(before[0].free_bytes - during[0].free_bytes, size, granularity) &&
                about(after[0].free_bytes, before[0].free_bytes, granularity);
    for (size_t i = 1; i < t.device_count(); ++i) calm = calm && during[i].free_bytes == before[i].free_bytes;
    if (!calm && !last) continue;
    EXPECT_CLAUSE("XHAL-DEVICE-5", about(before[0].free_bytes - during[0].free_bytes, size, granularity),
                  "free went from {} to {} by an allocation of {}, granularity {}", before[0].free_bytes,
                  during[0].free_bytes, size, granularity);
    EXPECT_CLAUSE("XHAL-DEVICE-5", about(after[0].free_bytes, before[0].free_bytes, granularity),
                  "free was {} before and is {} after the free", before[0].free_bytes, after[0].free_bytes);
    EXPECT_VALUE("XHAL-DEVICE-5", during[0].total_bytes, before[0].total_bytes);
    for (size_t i = 1; i < t.device_count(); ++i) {
      EXPECT_VALUE("XHAL-DEVICE-5", during[i].free_bytes, before[i].free_bytes,
                   "device {} moved with an allocation on another one", i);
    }
    return;
  }
}

XHAL_TEST_P(device, synchronize_waits_for_all_streams, gates, .clauses = {"XHAL-DEVICE-6", "XHAL-DEVICE-7"},
            .observes =
                "one of five streams held: the synchronise times out; after the release it succeeds and all "
                "five fills are there") {
  std::vector<Stream> streams;
  std::vector<std::unique_ptr<Marker>> markers;
  for (int i = 0; i < 5; ++i) {
    streams.emplace_back(t);
    markers.push_back(std::make_unique<Marker>(t));
  }
  Gate gate(t, streams[2], gate_kind(t.text("hold")));
  for (size_t i = 0; i < streams.size(); ++i) markers[i]->fill_on(t, streams[i]);
  if (gate.shut()) {
    EXPECT_RESULT("XHAL-DEVICE-7", xhal_device_synchronize(t.device(), 0), XHAL_TIMEOUT);
    EXPECT_RESULT("XHAL-DEVICE-6", xhal_device_synchronize(t.device(), 1'000'000), XHAL_TIMEOUT);
    EXPECT_CLAUSE("XHAL-DEVICE-7", gate.held(), "a synchronise outlasted its time");
    if (t.witness(gate)) EXPECT_CLAUSE("XHAL-DEVICE-7", markers[2]->untouched(), "{}", markers[2]->shown());
  }
  markers[2]->stamp(gate);
  gate.open();
  EXPECT_RESULT("XHAL-DEVICE-6", xhal_device_synchronize(t.device(), t.patience()), XHAL_SUCCESS);
  for (size_t i = 0; i < streams.size(); ++i)
    EXPECT_CLAUSE("XHAL-DEVICE-6", markers[i]->filled(), "stream {}: {}", i, markers[i]->shown());
  EXPECT_RESULT("XHAL-DEVICE-6", xhal_device_synchronize(t.device(), 0), XHAL_SUCCESS, "nothing is pending");
}

XHAL_TEST(device, synchronize_covers_other_threads, .clauses = {"XHAL-DEVICE-6"},
          .observes = "work that four threads submitted to streams of their own, and to the default stream") {
  constexpr size_t kThreads = 4;
  std::vector<Stream> streams;
  std::vector<std::unique_ptr<Marker>> markers;
  for (size_t i = 0; i < kThreads; ++i) {
    streams.emplace_back(t);
    markers.push_back(std::make_unique<Marker>(t));
  }
  Marker on_default(t);
  xhal_stream_t default_stream = nullptr;
  REQUIRE_OK(xhal_device_get_default_stream(t.device(), &default_stream));
  const Buffer memory = device_memory(t, kThreads << 20);
  run_threads(kThreads, [&](size_t i) {
    for (int round = 0; round < 8; ++round)
      TRACED(xhal_memory_fill(streams[i], memory.at(i << 20), 1, 1, 1u << 20));
    try {
      markers[i]->fill_on(t, streams[i]);
    } catch (const StopTest&) {
      // Recorded; the marker will tell.
    }
  });
  on_default.fill_on(t, default_stream);
  EXPECT_RESULT("XHAL-DEVICE-6", xhal_device_synchronize(t.device(), t.patience()), XHAL_SUCCESS);
  for (size_t i = 0; i < kThreads; ++i)
    EXPECT_CLAUSE("XHAL-DEVICE-6", markers[i]->filled(), "thread {}: {}", i, markers[i]->shown());
  EXPECT_CLAUSE("XHAL-DEVICE-6", on_default.filled(), "default stream: {}", on_default.shown());
}

XHAL_TEST(device, default_stream, .clauses = {"XHAL-DEVICE-8"},
          .observes = "the handle asked twice, work on it, its destroy, work after that") {
  xhal_stream_t first = nullptr;
  xhal_stream_t second = nullptr;
  EXPECT_RESULT("XHAL-DEVICE-8", xhal_device_get_default_stream(t.device(), &first), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-DEVICE-8", xhal_device_get_default_stream(t.device(), &second), XHAL_SUCCESS);
  ASSERT_CLAUSE("XHAL-DEVICE-8", first != nullptr);
  EXPECT_VALUE("XHAL-DEVICE-8", first, second);
  for (int round = 0; round < 2; ++round) {
    Marker marker(t);
    marker.fill_on(t, first);
    EXPECT_RESULT("XHAL-DEVICE-8", xhal_stream_synchronize(first, t.patience()), XHAL_SUCCESS);
    EXPECT_CLAUSE("XHAL-DEVICE-8", marker.filled(), "{}", marker.shown());
    EXPECT_RESULT("XHAL-DEVICE-8", xhal_stream_destroy(first), XHAL_ERROR_INVALID_ARGUMENT);
  }
}

XHAL_TEST(device, synchronous_as_declared, .clauses = {"XHAL-DEVICE-10"},
          .observes =
              "the query after each kind of submission on a device that declares itself synchronous; on "
              "another one that it may be held") {
  Stream stream(t);
  const Buffer memory = device_memory(t, 4u << 20);
  const Buffer copy = device_memory(t, 4u << 20);
  if (!t.synchronous()) {
    Gate gate(t, stream);
    EXPECT_CLAUSE("XHAL-DEVICE-10", gate.shut() && gate.held(),
                  "an asynchronous device gave the submission back");
    return;
  }
  REQUIRE_OK(xhal_memory_fill(stream, memory, 9, 1, memory.size()));
  EXPECT_RESULT("XHAL-DEVICE-10", xhal_stream_query(stream), XHAL_SUCCESS, "after a fill");
  REQUIRE_OK(xhal_memory_copy(stream, copy, memory, memory.size()));
  EXPECT_RESULT("XHAL-DEVICE-10", xhal_stream_query(stream), XHAL_SUCCESS, "after a copy");
  auto& call = t.kept<HostCall>();
  REQUIRE_OK(xhal_stream_host_function(stream, count_call, &call));
  EXPECT_RESULT("XHAL-DEVICE-10", xhal_stream_query(stream), XHAL_SUCCESS, "after a host function");
  EXPECT_VALUE("XHAL-DEVICE-10", call.count.load(), 1);
  Event event(t);
  REQUIRE_OK(xhal_event_record(event, stream, 0));
  EXPECT_RESULT("XHAL-DEVICE-10", xhal_event_query(event), XHAL_SUCCESS, "after a record");
}

XHAL_TEST_P(device, devices_are_independent, gates, .clauses = {"XHAL-DEVICE-13"},
            .observes = "each device held in turn while the other one fills, copies and synchronises",
            .devices = 2) {
  t.prepare(0);
  t.prepare(1);
  for (const size_t holder : {size_t{0}, size_t{1}}) {
    const size_t other = 1 - holder;
    Stream held(t, holder);
    Stream free_stream(t, other);
    Marker marker(t, other);
    const bool kernel = t.text("hold") == "kernel" && t.has_kernels(holder);
    Gate gate(t, held, kernel ? Gate::Kind::kKernel : Gate::Kind::kHostFunction, holder);
    bool judged = gate.shut() && t.claims(XHAL_FEATURE_CROSS_STREAM_PROGRESS, holder);
    if (!gate.is_kernel() && t.properties(holder).host_function_blocks == XHAL_BLOCKS_DRIVER) judged = false;
    if (!judged) {
      t.note(
          "nothing can be held, or a held stream may stop other work, as declared: the gate is opened first");
      gate.open();
    }
    marker.fill_on(t, free_stream);
    EXPECT_RESULT("XHAL-DEVICE-13", xhal_stream_synchronize(free_stream, t.patience()), XHAL_SUCCESS);
    EXPECT_RESULT("XHAL-DEVICE-13", xhal_device_synchronize(t.device(other), t.patience()), XHAL_SUCCESS);
    EXPECT_CLAUSE("XHAL-DEVICE-13", marker.filled(), "device {}: {}", other, marker.shown());
    if (judged)
      EXPECT_CLAUSE("XHAL-DEVICE-13", gate.held(), "device {} finished only after device {} had been let go",
                    other, holder);
  }
}

}  // namespace
}  // namespace xhal::conformance
