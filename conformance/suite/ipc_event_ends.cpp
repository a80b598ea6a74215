// SPDX-License-Identifier: Apache-2.0
// Events that two processes share: what may be exported, spoilt bytes, destroys and deaths.
#include <algorithm>

#include "suite/ipc_support.h"

namespace xhal::conformance {
namespace {

Cases gates() { return grid({gate_axis()}); }

// ---- What may be exported -------------------------------------------------------------------------------

XHAL_TEST(ipc, event_exports, .clauses = {"XHAL-IPC-10", "XHAL-ABI-14"},
          .observes =
              "exports of events with and without the flag, and every capacity below a handle's: codes and "
              "bytes written",
          .needs = {XHAL_FEATURE_IPC_EVENT}) {
  const size_t size = t.properties().ipc_handle_bytes;
  ASSERT_CLAUSE("XHAL-IPC-10", size > 0, "handles of no bytes");
  const Message before(size + 64, 0xA5);
  Message bytes = before;
  const Event plain(t);
  const Event blocking(t, XHAL_EVENT_BLOCKING);
  const xhal_event_desc_t desc{sizeof(desc), XHAL_EVENT_IPC};
  xhal_event_t shared = nullptr;
  ASSERT_RESULT("XHAL-IPC-10", xhal_event_create(t.device(), &desc, &shared), XHAL_SUCCESS,
                "with the flag, where the feature is claimed");
  t.at_end([shared] { TRACED(xhal_event_destroy(shared)); });
  for (xhal_event_t event : {static_cast<xhal_event_t>(plain), static_cast<xhal_event_t>(blocking)}) {
    EXPECT_RESULT("XHAL-IPC-10", xhal_ipc_export_event(event, bytes.size(), bytes.data()),
                  XHAL_ERROR_INVALID_ARGUMENT, "made without the flag");
    EXPECT_DATA("XHAL-ABI-14", before, bytes);
  }
  for (size_t capacity = 0; capacity < size; ++capacity) {
    EXPECT_RESULT("XHAL-IPC-10", xhal_ipc_export_event(shared, capacity, bytes.data()),
                  XHAL_ERROR_LIMIT_EXCEEDED, "capacity {}", capacity);
    EXPECT_DATA("XHAL-ABI-14", before, bytes, "capacity {}", capacity);
  }
  EXPECT_RESULT("XHAL-IPC-10", xhal_ipc_export_event(shared, bytes.size(), bytes.data()), XHAL_SUCCESS);
  EXPECT_DATA("XHAL-IPC-10", std::vector<uint8_t>(64, 0xA5),
              std::vector<uint8_t>(bytes.begin() + static_cast<std::ptrdiff_t>(size), bytes.end()),
              "bytes behind the handle");
}

XHAL_TEST(ipc, flag_without_the_feature, .clauses = {"XHAL-ABI-12", "XHAL-ABI-14"},
          .observes = "an event with the flag: the code and the handle", .unless = {XHAL_FEATURE_IPC_EVENT}) {
  const xhal_event_desc_t desc{sizeof(desc), XHAL_EVENT_IPC};
  xhal_event_t event = sentinel<xhal_event_s>();
  EXPECT_RESULT("XHAL-ABI-12", xhal_event_create(t.device(), &desc, &event), XHAL_ERROR_UNSUPPORTED);
  EXPECT_VALUE("XHAL-ABI-14", event, sentinel<xhal_event_s>());
}

XHAL_TEST(ipc, spoilt_event_bytes, .clauses = {"XHAL-IPC-4", "XHAL-ABI-14"},
          .observes =
              "an event's bytes with every bit flipped, at every size below their own, and after its "
              "recorder was killed: the "
              "code; the true bytes before",
          .needs = {XHAL_FEATURE_IPC_MEMORY, XHAL_FEATURE_IPC_EVENT}, .isolated = true) {
  RemoteRecorder other(t);
  const Message& bytes = other.bytes();
  xhal_event_t event = sentinel<xhal_event_s>();
  const auto refused = [&](const uint8_t* spoilt, size_t size, const std::string& what) {
    const xhal_result_t result = TRACED(xhal_ipc_import_event(t.device(), spoilt, size, &event));
    EXPECT_VALUE("XHAL-IPC-4", result_name(result), result_name(XHAL_ERROR_INVALID_ARGUMENT), "{}", what);
    if (result == XHAL_SUCCESS) TRACED(xhal_event_destroy(std::exchange(event, sentinel<xhal_event_s>())));
    EXPECT_VALUE("XHAL-ABI-14", event, sentinel<xhal_event_s>(), "{}", what);
  };
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    Message spoilt = bytes;
    spoilt[bit / 8] = static_cast<uint8_t>(spoilt[bit / 8] ^ (1u << (bit % 8)));
    refused(spoilt.data(), spoilt.size(), fmt::format("bit {} of byte {}", bit % 8, bit / 8));
  }
  for (size_t size = 0; size < bytes.size(); ++size)
    refused(AtTheEdge(t, std::span(bytes).first(size)).get(), size, fmt::format("the first {} bytes", size));
  { const ImportedEvent honest(t, bytes); }
  other.kill();
  refused(bytes.data(), bytes.size(), "its process is gone");
}

// ---- Deaths ---------------------------------------------------------------------------------------------

XHAL_TEST_P(ipc, recorder_killed, gates, .clauses = {"XHAL-IPC-11"},
            .observes =
                "the recorder is killed with its record held, with a stream and a host thread of the "
                "importer waiting: both "
                "waits end with CANCELLED or success; a new stream works",
            .needs = {XHAL_FEATURE_IPC_EVENT}, .isolated = true, .may_be_unobservable = true) {
  RemoteRecorder other(t);
  ImportedEvent event(t, other.bytes());
  xhal_stream_t stream = Stream(t).release();
  Marker behind(t);
  other.record();
  if (!other.shut())
    Context::not_observable("the device is synchronous: nothing is held when the recorder dies");
  REQUIRE_OK(xhal_stream_wait_event(stream, event, 0));
  behind.fill_on(t, stream);
  other.kill();
  const auto ended = [](xhal_result_t result) {
    return result == XHAL_SUCCESS || result == XHAL_ERROR_CANCELLED;
  };
  const xhal_result_t of_stream = TRACED(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_CLAUSE("XHAL-IPC-11", ended(of_stream), "the waiting stream's synchronise says {}",
                result_name(of_stream));
  const xhal_result_t of_event = TRACED(xhal_event_synchronize(event, t.patience()));
  EXPECT_CLAUSE("XHAL-IPC-11", ended(of_event), "the event's synchronise says {}", result_name(of_event));
  EXPECT_VALUE("XHAL-IPC-11", behind.filled(), of_stream == XHAL_SUCCESS,
               "work behind the wait; the stream says {}", result_name(of_stream));
  EXPECT_RESULT("XHAL-IPC-11", xhal_event_destroy(event.release()), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-IPC-11", xhal_stream_destroy(stream), XHAL_SUCCESS);
  Stream fresh(t);
  Marker again(t);
  again.fill_on(t, fresh);
  EXPECT_RESULT("XHAL-IPC-11", xhal_stream_synchronize(fresh, t.patience()), XHAL_SUCCESS, "a new stream");
  EXPECT_CLAUSE("XHAL-IPC-11", again.filled(), "{}", again.shown());
}

XHAL_TEST_P(ipc, recorder_killed_after_its_work, gates, .clauses = {"XHAL-IPC-11", "XHAL-IPC-9"},
            .observes =
                "a record that was done before its recorder was killed: a wait made before and one made "
                "after the death hold "
                "nothing",
            .needs = {XHAL_FEATURE_IPC_EVENT}, .isolated = true) {
  RemoteRecorder other(t);
  const ImportedEvent event(t, other.bytes());
  Stream stream(t);
  Stream late(t);
  Marker behind(t);
  Marker behind_late(t);
  other.record();
  Gate gate(t, stream, gate_kind(t.text("hold")));
  REQUIRE_OK(xhal_stream_wait_event(stream, event, 0));
  behind.fill_on(t, stream);
  other.kill();
  gate.open();
  EXPECT_RESULT("XHAL-IPC-9", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS,
                "its generation was done before the death");
  EXPECT_CLAUSE("XHAL-IPC-9", behind.filled(), "{}", behind.shown());
  // After the death the event may be told as cancelled; it must not hold anybody.
  if (TRACED(xhal_stream_wait_event(late, event, 0)) == XHAL_SUCCESS) {
    behind_late.fill_on(t, late);
    const xhal_result_t result = TRACED(xhal_stream_synchronize(late, t.patience()));
    EXPECT_CLAUSE("XHAL-IPC-11", result == XHAL_SUCCESS || result == XHAL_ERROR_CANCELLED, "{}",
                  result_name(result));
  } else {
    EXPECT_CLAUSE("XHAL-IPC-11", TRACED(xhal_stream_synchronize(late, t.patience())) == XHAL_SUCCESS,
                  "a refused wait holds the stream");
  }
}

XHAL_TEST_P(ipc, waiter_destroys_its_event, gates, .clauses = {"XHAL-EVENT-9", "XHAL-IPC-9"},
            .observes =
                "the importer destroys its event between the wait and the release: the destroy returns while "
                "the record is "
                "held, the wait holds and ends as ever, the exporter's event works on",
            .needs = {XHAL_FEATURE_IPC_EVENT}, .isolated = true) {
  RemoteRecorder other(t);
  ImportedEvent event(t, other.bytes());
  Stream stream(t);
  Marker behind(t);
  const bool shut = other.shut();
  REQUIRE_OK(xhal_stream_wait_event(stream, event, 0));
  behind.fill_on(t, stream);
  EXPECT_RESULT("XHAL-EVENT-9", xhal_event_destroy(event.release()), XHAL_SUCCESS);
  if (shut) {
    EXPECT_CLAUSE("XHAL-EVENT-9", other.held(), "the destroy waited for the record");
    if (other.witness()) EXPECT_CLAUSE("XHAL-IPC-9", behind.untouched(), "{}", behind.shown());
  }
  other.open();
  EXPECT_RESULT("XHAL-IPC-9", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-IPC-9", behind.filled(), "{}", behind.shown());
  other.record();
  const ImportedEvent again(t, other.bytes());
  EXPECT_RESULT("XHAL-EVENT-9", xhal_event_query(again), XHAL_SUCCESS, "imported again");
  other.finish();
}

}  // namespace
}  // namespace xhal::conformance
