// SPDX-License-Identifier: Apache-2.0
// Events that two processes share: whose generation a wait binds, and what is visible behind it.
#include "suite/ipc_support.h"

namespace xhal::conformance {
namespace {

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(ipc, wait_for_another_processes_record, gates,
            .clauses = {"XHAL-IPC-9", "XHAL-EVENT-1", "XHAL-EVENT-5", "XHAL-EVENT-6"},
            .observes =
                "never recorded: nothing waits; recorded behind a held stream of the exporter: work behind a "
                "wait of the "
                "importer has not happened, query and synchronise say so; released: it has",
            .needs = {XHAL_FEATURE_IPC_EVENT}, .isolated = true) {
  RemoteRecorder other(t);
  const ImportedEvent event(t, other.bytes());
  Stream stream(t);
  Marker before(t);
  Marker behind(t);
  EXPECT_RESULT("XHAL-EVENT-1", xhal_event_query(event), XHAL_SUCCESS, "imported and never recorded");
  REQUIRE_OK(xhal_stream_wait_event(stream, event, 0));
  before.fill_on(t, stream);
  EXPECT_RESULT("XHAL-EVENT-1", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  const bool shut = other.shut();
  EXPECT_RESULT("XHAL-IPC-9", xhal_stream_wait_event(stream, event, 0), XHAL_SUCCESS);
  behind.fill_on(t, stream);
  if (shut) {
    if (other.witness()) EXPECT_CLAUSE("XHAL-IPC-9", behind.untouched(), "{}", behind.shown());
    EXPECT_RESULT("XHAL-IPC-9", xhal_stream_query(stream), XHAL_NOT_READY, "the waiting stream");
    EXPECT_RESULT("XHAL-EVENT-5", xhal_event_query(event), XHAL_NOT_READY,
                  "the other process's record is pending");
    EXPECT_RESULT("XHAL-EVENT-6", xhal_event_synchronize(event, 1'000'000), XHAL_TIMEOUT);
  }
  other.open();
  EXPECT_RESULT("XHAL-IPC-9", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-IPC-9", behind.filled(), "{}", behind.shown());
  EXPECT_RESULT("XHAL-EVENT-6", xhal_event_synchronize(event, t.patience()), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-EVENT-5", xhal_event_query(event), XHAL_SUCCESS);
  other.finish();
}

XHAL_TEST_P(ipc, wait_binds_another_processes_generation, gates, .clauses = {"XHAL-IPC-9"},
            .observes =
                "recorded and done; waited for; recorded again behind a held stream: the earlier wait holds "
                "nothing, one "
                "that is made now does",
            .needs = {XHAL_FEATURE_IPC_EVENT}, .isolated = true) {
  RemoteRecorder other(t);
  const ImportedEvent event(t, other.bytes());
  Stream early(t);
  Stream late(t);
  Marker behind_early(t);
  Marker behind_late(t);
  other.record();
  Gate own(t, early, gate_kind(t.text("hold")));
  REQUIRE_OK(xhal_stream_wait_event(early, event, 0));
  behind_early.fill_on(t, early);
  const bool shut = other.shut();
  REQUIRE_OK(xhal_stream_wait_event(late, event, 0));
  behind_late.fill_on(t, late);
  own.open();
  EXPECT_RESULT("XHAL-IPC-9", xhal_stream_synchronize(early, t.patience()), XHAL_SUCCESS,
                "a wait took a record that came after it for its own");
  EXPECT_CLAUSE("XHAL-IPC-9", behind_early.filled(), "{}", behind_early.shown());
  if (shut) {
    EXPECT_CLAUSE("XHAL-IPC-9", other.held(), "the earlier wait ended with the later record only");
    if (other.witness()) EXPECT_CLAUSE("XHAL-IPC-9", behind_late.untouched(), "{}", behind_late.shown());
  }
  other.open();
  EXPECT_RESULT("XHAL-IPC-9", xhal_stream_synchronize(late, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-IPC-9", behind_late.filled(), "{}", behind_late.shown());
  other.finish();
}

XHAL_TEST_P(ipc, two_generations_of_another_process, gates, .clauses = {"XHAL-IPC-9"},
            .observes =
                "two records behind two held streams of the exporter, a wait after each: the first wait ends "
                "with the first "
                "record, while the second is held; the second with the second",
            .needs = {XHAL_FEATURE_IPC_EVENT, XHAL_FEATURE_CROSS_STREAM_PROGRESS}, .isolated = true,
            .may_be_unobservable = true) {
  static_cast<void>(independent_gate_kind(t));
  RemoteRecorder other(t);
  const ImportedEvent event(t, other.bytes());
  Stream early(t);
  Stream late(t);
  Marker behind_early(t);
  Marker behind_late(t);
  const bool shut = other.shut(0);
  REQUIRE_OK(xhal_stream_wait_event(early, event, 0));
  behind_early.fill_on(t, early);
  other.shut(1);
  REQUIRE_OK(xhal_stream_wait_event(late, event, 0));
  behind_late.fill_on(t, late);
  if (shut && other.witness(0)) {
    EXPECT_CLAUSE("XHAL-IPC-9", behind_early.untouched() && behind_late.untouched(), "{}; {}",
                  behind_early.shown(), behind_late.shown());
  }
  other.open(0);
  EXPECT_RESULT("XHAL-IPC-9", xhal_stream_synchronize(early, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-IPC-9", behind_early.filled(), "{}", behind_early.shown());
  if (shut) {
    EXPECT_CLAUSE("XHAL-IPC-9", other.held(1), "the first wait took the second record for its own");
    if (other.witness(1)) EXPECT_CLAUSE("XHAL-IPC-9", behind_late.untouched(), "{}", behind_late.shown());
  }
  other.open(1);
  EXPECT_RESULT("XHAL-IPC-9", xhal_stream_synchronize(late, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-IPC-9", behind_late.filled(), "{}", behind_late.shown());
  other.finish();
}

// Waits on a stream for what the importer records, and tells when it got there.
void waiter(Context& t, Peer& peer) {
  t.prepare(0);
  Event event(t, XHAL_EVENT_IPC);
  Stream stream(t);
  Marker behind(t);
  peer.send(exported_event(t, event));
  peer.expect("recorded");
  const bool shut = peer.receive_value<bool>();
  EXPECT_RESULT("XHAL-IPC-9", xhal_stream_wait_event(stream, event, 0), XHAL_SUCCESS);
  behind.fill_on(t, stream);
  if (shut) {
    if (free_work_passes(t)) {
      peer.send("is it held");
      if (peer.receive_value<bool>())
        EXPECT_CLAUSE("XHAL-IPC-9", behind.untouched(), "the exporter's wait for the importer's record: {}",
                      behind.shown());
    }
    EXPECT_RESULT("XHAL-IPC-9", xhal_event_query(event), XHAL_NOT_READY, "the exporter's query");
  }
  peer.send("open");
  EXPECT_RESULT("XHAL-IPC-9", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-IPC-9", behind.filled(), "{}", behind.shown());
  peer.send("through");
}

XHAL_TEST_P(ipc, importer_records, gates, .clauses = {"XHAL-IPC-9"},
            .observes =
                "the importer records behind a held stream: work behind a wait of the exporter has not "
                "happened; released: "
                "it has",
            .needs = {XHAL_FEATURE_IPC_EVENT}, .isolated = true) {
  OtherProcess other(t, waiter);
  const ImportedEvent event(t, other.receive());
  Stream stream(t);
  Gate gate(t, stream, gate_kind(t.text("hold")));
  EXPECT_RESULT("XHAL-IPC-9", xhal_event_record(event, stream, 0), XHAL_SUCCESS);
  other.send("recorded");
  other.send_value(gate.shut());
  for (;;) {
    const Message word = other.receive();
    if (std::string(word.begin(), word.end()) == "open") break;
    other.send_value(gate.held());
  }
  if (gate.shut())
    EXPECT_CLAUSE("XHAL-IPC-9", gate.held(), "a call of the other process waited for the record");
  gate.open();
  other.expect("through");
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  other.finish();
}

// ---- Data behind events ---------------------------------------------------------------------------------

constexpr size_t kCells = 4096;
constexpr uint64_t kRounds = 8;

// A step of the history on a stream, without a wait of the host; where there are no kernels a fill.
void step(Context& t, xhal_stream_t stream, void* cells, uint64_t op) {
  if (t.has_kernels()) {
    REQUIRE_OK(fold(t, stream, cells, op, kCells));
  } else {
    REQUIRE_OK(xhal_memory_fill(stream, cells, op, 8, kCells * 8));
  }
}

// Work may start no sooner than somebody asks about it, and the other process asks about its own.
void record_step(xhal_event_t event, xhal_stream_t stream, Context& t) {
  REQUIRE_OK(xhal_event_record(event, stream, 0));
  TRACED(xhal_stream_query(stream));
}

void partner(Context& t, Peer& peer) {
  const Buffer cells = device_memory(t, kCells * 8);
  t.write(cells, t.random_u64(kCells));
  Event done(t, XHAL_EVENT_IPC);
  peer.send(exported_memory(t, cells));
  peer.send(exported_event(t, done));
  const ImportedEvent theirs(t, peer.receive());
  Stream stream(t);
  for (uint64_t round = 0; round < kRounds; ++round) {
    if (round > 0) {
      peer.expect("recorded");
      REQUIRE_OK(xhal_stream_wait_event(stream, theirs, 0));
    }
    step(t, stream, cells, 2 * round);
    record_step(done, stream, t);
    peer.send("recorded");
  }
  peer.expect("finished");
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
}

XHAL_TEST(ipc, chain_through_two_processes, .clauses = {"XHAL-IPC-9", "XHAL-IPC-1"},
          .observes =
              "sixteen steps of one history of shared cells, two processes in turn, each behind a wait for "
              "the other's "
              "record and none behind a synchronise: the final value",
          .needs = {XHAL_FEATURE_IPC_MEMORY, XHAL_FEATURE_IPC_EVENT}, .isolated = true) {
  OtherProcess other(t, partner);
  const Imported cells(t, other.receive());
  const ImportedEvent theirs(t, other.receive());
  Event done(t, XHAL_EVENT_IPC);
  other.send(exported_event(t, done));
  Stream stream(t);
  auto expected = t.random_u64(kCells);
  for (uint64_t round = 0; round < kRounds; ++round) {
    other.expect("recorded");
    REQUIRE_OK(xhal_stream_wait_event(stream, theirs, 0));
    step(t, stream, cells, 2 * round + 1);
    record_step(done, stream, t);
    if (round + 1 < kRounds) other.send("recorded");
    for (const uint64_t op : {2 * round, 2 * round + 1}) {
      expected = t.has_kernels() ? oracle::fold_u64(expected, op, kCells) : std::vector<uint64_t>(kCells, op);
    }
  }
  EXPECT_RESULT("XHAL-IPC-9", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_DATA("XHAL-IPC-1", expected, t.read<uint64_t>(cells, kCells), "after all steps");
  other.send("finished");
  other.finish();
}

}  // namespace
}  // namespace xhal::conformance
