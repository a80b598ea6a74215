// SPDX-License-Identifier: Apache-2.0
// Query, synchronise, destroy, info.
#include <set>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST(stream, new_stream_is_empty, .clauses = {"XHAL-STREAM-10"},
          .observes = "query and synchronise right after create") {
  for (int i = 0; i < 8; ++i) {
    Stream stream(t);
    EXPECT_RESULT("XHAL-STREAM-10", xhal_stream_query(stream), XHAL_SUCCESS);
    EXPECT_RESULT("XHAL-STREAM-10", xhal_stream_synchronize(stream, 0), XHAL_SUCCESS);
  }
}

XHAL_TEST_P(
    stream, query_is_honest, gates, .clauses = {"XHAL-STREAM-4"},
    .observes = "1,000 queries of a held stream, the work behind the gate, the query after the synchronise") {
  Stream stream(t);
  Marker behind(t);
  Gate gate(t, stream, gate_kind(t.text("hold")));
  behind.fill_on(t, stream);
  if (gate.shut()) {
    xhal_result_t answer = XHAL_NOT_READY;
    for (int i = 0; i < 1000 && answer == XHAL_NOT_READY; ++i) answer = TRACED(xhal_stream_query(stream));
    EXPECT_VALUE("XHAL-STREAM-4", answer, XHAL_NOT_READY, "the query of a held stream says {}",
                 result_name(answer));
    EXPECT_CLAUSE("XHAL-STREAM-4", gate.held(), "the queries blocked");
    if (t.witness(gate))
      EXPECT_CLAUSE("XHAL-STREAM-4", behind.untouched(), "the queries completed work: {}", behind.shown());
  }
  behind.stamp(gate);
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_CLAUSE("XHAL-STREAM-4", behind.filled(), "{}", behind.shown());
  EXPECT_RESULT("XHAL-STREAM-4", xhal_stream_query(stream), XHAL_SUCCESS);
}

XHAL_TEST_P(
    stream, query_while_the_last_operation_runs, gates, .clauses = {"XHAL-STREAM-4", "XHAL-STREAM-5"},
    .observes = "query and synchronise(0) of a stream whose only operation has begun and does not end") {
  Stream stream(t);
  Gate gate(t, stream, gate_kind(t.text("hold")));
  if (gate.shut()) {
    EXPECT_RESULT("XHAL-STREAM-4", xhal_stream_query(stream), XHAL_NOT_READY);
    EXPECT_RESULT("XHAL-STREAM-5", xhal_stream_synchronize(stream, 0), XHAL_TIMEOUT);
  }
  gate.open();
  EXPECT_RESULT("XHAL-STREAM-5", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-STREAM-4", xhal_stream_query(stream), XHAL_SUCCESS);
}

XHAL_TEST(stream, query_success_means_visible, .clauses = {"XHAL-STREAM-4"},
          .observes = "pinned data as soon as the query turns to success, 50 times") {
  Stream stream(t);
  const Buffer memory = device_memory(t, 65536);
  const Buffer copy = pinned_memory(t, 65536);
  for (uint64_t round = 0; round < 50; ++round) {
    const auto value = static_cast<uint8_t>(round + 1);
    REQUIRE_OK(xhal_memory_fill(stream, memory, value, 1, memory.size()));
    REQUIRE_OK(xhal_memory_copy(stream, copy, memory, memory.size()));
    xhal_result_t answer = XHAL_NOT_READY;
    const bool ended = t.eventually([&] {
      answer = TRACED(xhal_stream_query(stream));
      return answer != XHAL_NOT_READY;
    });
    ASSERT_CLAUSE("XHAL-STREAM-4", ended && answer == XHAL_SUCCESS, "the query says {}", result_name(answer));
    const auto host = copy.host();
    ASSERT_VALUE("XHAL-STREAM-4", uint32_t{host.front()}, uint32_t{value}, "first byte, round {}", round);
    ASSERT_VALUE("XHAL-STREAM-4", uint32_t{host.back()}, uint32_t{value}, "last byte, round {}", round);
  }
}

XHAL_TEST_P(stream, synchronize_times_out, gates, .clauses = {"XHAL-STREAM-5", "XHAL-DEVICE-7"},
            .observes = "synchronise with 0 and 1 ms on a held stream, then the work all the same") {
  Stream stream(t);
  Marker behind(t);
  Gate gate(t, stream, gate_kind(t.text("hold")));
  behind.fill_on(t, stream);
  if (gate.shut()) {
    for (const uint64_t time : {uint64_t{0}, uint64_t{1'000'000}, uint64_t{0}}) {
      EXPECT_RESULT("XHAL-DEVICE-7", xhal_stream_synchronize(stream, time), XHAL_TIMEOUT, "time {} ns", time);
    }
    EXPECT_CLAUSE("XHAL-STREAM-5", gate.held(), "a synchronise outlasted its time");
    if (t.witness(gate)) EXPECT_CLAUSE("XHAL-STREAM-5", behind.untouched(), "{}", behind.shown());
  }
  behind.stamp(gate);
  gate.open();
  EXPECT_RESULT("XHAL-STREAM-5", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-STREAM-5", behind.filled(), "{}", behind.shown());
}

XHAL_TEST(stream, synchronize_with_huge_times, .clauses = {"XHAL-STREAM-5"},
          .observes = "synchronise with times near and at the largest value, with work and without") {
  Stream stream(t);
  for (const uint64_t time :
       {uint64_t{XHAL_WAIT_FOREVER}, uint64_t{XHAL_WAIT_FOREVER} - 1, uint64_t{1} << 63}) {
    Marker marker(t);
    marker.fill_on(t, stream);
    EXPECT_RESULT("XHAL-STREAM-5", xhal_stream_synchronize(stream, time), XHAL_SUCCESS, "time {}", time);
    EXPECT_CLAUSE("XHAL-STREAM-5", marker.filled(), "{}", marker.shown());
    EXPECT_RESULT("XHAL-STREAM-5", xhal_stream_synchronize(stream, time), XHAL_SUCCESS, "idle, time {}",
                  time);
  }
}

XHAL_TEST_P(stream, destroy_in_flight, gates, .clauses = {"XHAL-STREAM-6"},
            .observes = "a held stream is destroyed; the call returns; its work happens after the release") {
  Stream stream(t);
  Event done(t);
  Marker behind(t);
  Gate gate(t, stream, gate_kind(t.text("hold")));
  behind.fill_on(t, stream);
  REQUIRE_OK(xhal_event_record(done, stream, 0));
  EXPECT_RESULT("XHAL-STREAM-6", xhal_stream_destroy(stream.release()), XHAL_SUCCESS);
  if (gate.shut()) {
    EXPECT_CLAUSE("XHAL-STREAM-6", gate.held(), "the destroy blocked");
    EXPECT_RESULT("XHAL-STREAM-6", xhal_event_query(done), XHAL_NOT_READY);
    if (t.witness(gate)) EXPECT_CLAUSE("XHAL-STREAM-6", behind.untouched(), "{}", behind.shown());
  }
  behind.stamp(gate);
  gate.open();
  EXPECT_RESULT("XHAL-STREAM-6", xhal_event_synchronize(done, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-STREAM-6", behind.filled(), "{}", behind.shown());
}

XHAL_TEST(stream, destroy_many_in_flight, .clauses = {"XHAL-STREAM-6"},
          .observes =
              "40 streams destroyed right after a fill each; every fill arrives before the device is done") {
  std::vector<std::unique_ptr<Marker>> markers;
  for (int i = 0; i < 40; ++i) {
    markers.push_back(std::make_unique<Marker>(t));
    Stream stream(t);
    markers.back()->fill_on(t, stream);
    EXPECT_RESULT("XHAL-STREAM-6", xhal_stream_destroy(stream.release()), XHAL_SUCCESS);
  }
  REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
  for (size_t i = 0; i < markers.size(); ++i) {
    EXPECT_CLAUSE("XHAL-STREAM-6", markers[i]->filled(), "stream {}: {}", i, markers[i]->shown());
  }
}

XHAL_TEST(stream, priority_out_of_range, .clauses = {"XHAL-STREAM-7"},
          .observes = "create with least + 1 and greatest - 1, and with both ends of the range") {
  const auto& properties = t.properties();
  xhal_stream_desc_t desc{sizeof(xhal_stream_desc_t), 0, properties.priority_least + 1, 0};
  xhal_stream_t refused = sentinel<xhal_stream_s>();
  EXPECT_RESULT("XHAL-STREAM-7", xhal_stream_create(t.device(), &desc, &refused),
                XHAL_ERROR_INVALID_ARGUMENT);
  desc.priority = properties.priority_greatest - 1;
  EXPECT_RESULT("XHAL-STREAM-7", xhal_stream_create(t.device(), &desc, &refused),
                XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_VALUE("XHAL-STREAM-7", refused, sentinel<xhal_stream_s>());
  for (const int32_t priority : {properties.priority_least, properties.priority_greatest}) {
    desc.priority = priority;
    xhal_stream_t stream = nullptr;
    if (!EXPECT_RESULT("XHAL-STREAM-7", xhal_stream_create(t.device(), &desc, &stream), XHAL_SUCCESS,
                       "priority {}", priority))
      continue;
    REQUIRE_OK(xhal_stream_destroy(stream));
  }
}

XHAL_TEST(stream, info, .clauses = {"XHAL-STREAM-9"},
          .observes =
              "device, priority, flags of a stream; ids of 100 streams, alive and destroyed, all different "
              "and not 0") {
  std::set<uint64_t> ids;
  std::vector<Stream> alive;
  for (int i = 0; i < 100; ++i) {
    Stream stream(t);
    xhal_stream_info_t info{};
    info.struct_size = sizeof(info);
    ASSERT_RESULT("XHAL-STREAM-9", xhal_stream_get_info(stream, &info), XHAL_SUCCESS);
    EXPECT_CLAUSE("XHAL-STREAM-9", info.id != 0 && ids.insert(info.id).second,
                  "id {} of stream {} is 0 or was used before", info.id, i);
    EXPECT_VALUE("XHAL-STREAM-9", info.flags, 0u);
    EXPECT_VALUE("XHAL-STREAM-9", info.priority, 0);
    EXPECT_VALUE("XHAL-STREAM-9", info.is_default, 0u);
    EXPECT_VALUE("XHAL-STREAM-9", info.is_foreign, 0u);
    EXPECT_VALUE("XHAL-STREAM-9", info.device_index, t.properties().index);
    xhal_device_t device = nullptr;
    EXPECT_RESULT("XHAL-STREAM-9", xhal_stream_get_device(stream, &device), XHAL_SUCCESS);
    EXPECT_VALUE("XHAL-STREAM-9", device, t.device());
    if (i % 3 == 0) alive.push_back(std::move(stream));
  }
  xhal_stream_t default_stream = nullptr;
  REQUIRE_OK(xhal_device_get_default_stream(t.device(), &default_stream));
  xhal_stream_info_t info{};
  info.struct_size = sizeof(info);
  EXPECT_RESULT("XHAL-STREAM-9", xhal_stream_get_info(default_stream, &info), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-STREAM-9", info.is_default, 1u);
  EXPECT_CLAUSE("XHAL-STREAM-9", info.id != 0 && !ids.contains(info.id),
                "the default stream's id {} is 0 or another stream's", info.id);
}

XHAL_TEST(stream, info_tells_the_device, .clauses = {"XHAL-STREAM-9"},
          .observes = "index and handle of the device of a stream of each of two devices; their ids",
          .devices = 2) {
  uint64_t ids[2] = {};
  for (size_t i = 0; i < 2; ++i) {
    xhal_stream_t stream = nullptr;
    REQUIRE_OK(xhal_stream_create(t.device(i), nullptr, &stream));
    xhal_stream_info_t info{};
    info.struct_size = sizeof(info);
    EXPECT_RESULT("XHAL-STREAM-9", xhal_stream_get_info(stream, &info), XHAL_SUCCESS);
    EXPECT_VALUE("XHAL-STREAM-9", info.device_index, t.properties(i).index);
    xhal_device_t device = nullptr;
    EXPECT_RESULT("XHAL-STREAM-9", xhal_stream_get_device(stream, &device), XHAL_SUCCESS);
    EXPECT_VALUE("XHAL-STREAM-9", device, t.device(i));
    ids[i] = info.id;
    REQUIRE_OK(xhal_stream_destroy(stream));
  }
  EXPECT_CLAUSE("XHAL-STREAM-9", ids[0] != ids[1], "two streams have the id {}", ids[0]);
}

XHAL_TEST(stream, info_tells_the_priority, .clauses = {"XHAL-STREAM-9"},
          .observes = "the priority of streams made with each end of the range") {
  for (const int32_t priority : {t.properties().priority_least, t.properties().priority_greatest}) {
    xhal_stream_desc_t desc{sizeof(xhal_stream_desc_t), 0, priority, 0};
    xhal_stream_t stream = nullptr;
    REQUIRE_OK(xhal_stream_create(t.device(), &desc, &stream));
    xhal_stream_info_t info{};
    info.struct_size = sizeof(info);
    EXPECT_RESULT("XHAL-STREAM-9", xhal_stream_get_info(stream, &info), XHAL_SUCCESS);
    EXPECT_VALUE("XHAL-STREAM-9", info.priority, priority);
    REQUIRE_OK(xhal_stream_destroy(stream));
  }
}

}  // namespace
}  // namespace xhal::conformance
