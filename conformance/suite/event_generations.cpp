// SPDX-License-Identifier: Apache-2.0
// Generations: what a record snapshots and what a wait binds.
#include "suite/support.h"

namespace xhal::conformance {
namespace {

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST(event, never_recorded_is_done, .clauses = {"XHAL-EVENT-1"},
          .observes = "query, synchronise and a wait on an event that was never recorded") {
  Event event(t);
  EXPECT_RESULT("XHAL-EVENT-1", xhal_event_query(event), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-EVENT-1", xhal_event_synchronize(event, 0), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-EVENT-1", xhal_event_synchronize(event, XHAL_WAIT_FOREVER), XHAL_SUCCESS);
  Stream stream(t);
  Marker behind(t);
  EXPECT_RESULT("XHAL-EVENT-1", xhal_stream_wait_event(stream, event, 0), XHAL_SUCCESS);
  behind.fill_on(t, stream);
  EXPECT_RESULT("XHAL-EVENT-1", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-EVENT-1", behind.filled(), "{}", behind.shown());
}

XHAL_TEST_P(event, record_waits_for_what_lies_before, gates, .clauses = {"XHAL-EVENT-2", "XHAL-EVENT-6"},
            .observes = "a record behind a gate: query and synchronise before and after the release") {
  Stream stream(t);
  Event event(t);
  Marker before(t);
  Gate gate(t, stream, gate_kind(t.text("hold")));
  before.fill_on(t, stream);
  REQUIRE_OK(xhal_event_record(event, stream, 0));
  if (gate.shut()) {
    t.witness(gate);
    EXPECT_RESULT("XHAL-EVENT-2", xhal_event_query(event), XHAL_NOT_READY);
    EXPECT_RESULT("XHAL-EVENT-6", xhal_event_synchronize(event, 0), XHAL_TIMEOUT);
    EXPECT_RESULT("XHAL-EVENT-6", xhal_event_synchronize(event, 1'000'000), XHAL_TIMEOUT);
    EXPECT_CLAUSE("XHAL-EVENT-6", gate.held(), "a call outlasted its time");
  }
  before.stamp(gate);
  gate.open();
  EXPECT_RESULT("XHAL-EVENT-6", xhal_event_synchronize(event, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-EVENT-2", before.filled(), "the event is done, and {}", before.shown());
  EXPECT_RESULT("XHAL-EVENT-2", xhal_event_query(event), XHAL_SUCCESS);
}

XHAL_TEST_P(event, record_waits_for_nothing_behind_it, gates, .clauses = {"XHAL-EVENT-2"},
            .observes = "a record before a gate is done while the stream stays held") {
  Stream stream(t);
  Event event(t);
  Marker before(t);
  before.fill_on(t, stream);
  REQUIRE_OK(xhal_event_record(event, stream, 0));
  Gate gate(t, stream, gate_kind(t.text("hold")));
  EXPECT_RESULT("XHAL-EVENT-2", xhal_event_synchronize(event, t.patience()), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-EVENT-2", xhal_event_query(event), XHAL_SUCCESS);
  if (gate.shut())
    EXPECT_CLAUSE("XHAL-EVENT-2", gate.held(),
                  "the event waited for work that was submitted after its record");
  EXPECT_CLAUSE("XHAL-EVENT-2", before.filled(), "{}", before.shown());
}

XHAL_TEST_P(event, wait_binds_its_generation, gates, .clauses = {"XHAL-EVENT-3"},
            .observes = "record on A, wait on C, record again on B, which stays held: C completes",
            .needs = {XHAL_FEATURE_CROSS_STREAM_PROGRESS}, .may_be_unobservable = true) {
  Stream a(t);
  Stream b(t);
  Stream c(t);
  Event event(t);
  Marker behind(t);
  Gate first(t, a, independent_gate_kind(t));
  REQUIRE_OK(xhal_event_record(event, a, 0));
  REQUIRE_OK(xhal_stream_wait_event(c, event, 0));
  behind.fill_on(t, c);
  Gate second(t, b, independent_gate_kind(t));
  REQUIRE_OK(xhal_event_record(event, b, 0));
  if (first.shut() && t.witness(first))
    EXPECT_CLAUSE("XHAL-EVENT-3", behind.untouched(), "{}", behind.shown());
  behind.stamp(first);
  first.open();
  EXPECT_RESULT("XHAL-EVENT-3", xhal_stream_synchronize(c, t.patience()), XHAL_SUCCESS);
  if (second.shut())
    EXPECT_CLAUSE("XHAL-EVENT-3", second.held(), "the wait took the later record for its own");
  EXPECT_CLAUSE("XHAL-EVENT-3", behind.filled(), "{}", behind.shown());
}

XHAL_TEST(event, wait_binds_its_generation_without_gates, .clauses = {"XHAL-EVENT-3"},
          .observes =
              "C waits for A's record, B waits for C, the event is recorded again on B: a wait that took the "
              "later record would "
              "wait for itself") {
  Stream a(t);
  Stream b(t);
  Stream c(t);
  Event event(t);
  Event chain(t);
  Marker on_a(t);
  Marker on_c(t);
  Marker on_b(t);
  on_a.fill_on(t, a);
  REQUIRE_OK(xhal_event_record(event, a, 0));
  REQUIRE_OK(xhal_stream_wait_event(c, event, 0));
  on_c.fill_on(t, c);
  REQUIRE_OK(xhal_event_record(chain, c, 0));
  REQUIRE_OK(xhal_stream_wait_event(b, chain, 0));
  on_b.fill_on(t, b);
  REQUIRE_OK(xhal_event_record(event, b, 0));
  EXPECT_RESULT("XHAL-EVENT-3", xhal_event_synchronize(event, t.patience()), XHAL_SUCCESS,
                "C waits for itself through B");
  EXPECT_CLAUSE("XHAL-EVENT-3", on_a.filled() && on_c.filled() && on_b.filled(), "A: {}; C: {}; B: {}",
                on_a.shown(), on_c.shown(), on_b.shown());
}

XHAL_TEST_P(event, wait_for_a_new_generation_holds, gates, .clauses = {"XHAL-EVENT-4"},
            .observes =
                "an event that was done is recorded again on a held stream: who waits then is held, also "
                "where it waits twice") {
  Stream a(t);
  Stream c(t);
  Event event(t);
  Marker behind(t);
  REQUIRE_OK(xhal_event_record(event, a, 0));
  REQUIRE_OK(xhal_event_synchronize(event, t.patience()));
  Gate gate(t, a, gate_kind(t.text("hold")));
  REQUIRE_OK(xhal_event_record(event, a, 0));
  REQUIRE_OK(xhal_stream_wait_event(c, event, 0));
  REQUIRE_OK(xhal_stream_wait_event(c, event, 0));
  behind.fill_on(t, c);
  if (gate.shut()) {
    if (t.witness(gate)) EXPECT_CLAUSE("XHAL-EVENT-4", behind.untouched(), "{}", behind.shown());
    EXPECT_RESULT("XHAL-EVENT-4", xhal_stream_query(c), XHAL_NOT_READY);
  }
  behind.stamp(gate);
  gate.open();
  EXPECT_RESULT("XHAL-EVENT-4", xhal_stream_synchronize(c, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-EVENT-4", behind.filled(), "{}", behind.shown());
}

XHAL_TEST_P(event, older_completion_frees_no_newer_wait, gates, .clauses = {"XHAL-EVENT-4", "XHAL-EVENT-5"},
            .observes =
                "two generations pending on two held streams; the older one ends, a wait for the newer one "
                "stays held",
            .needs = {XHAL_FEATURE_CROSS_STREAM_PROGRESS}, .may_be_unobservable = true) {
  Stream a(t);
  Stream b(t);
  Stream c(t);
  Event event(t);
  Event older(t);
  Marker behind(t);
  Gate first(t, a, independent_gate_kind(t));
  Gate second(t, b, independent_gate_kind(t));
  REQUIRE_OK(xhal_event_record(event, a, 0));
  REQUIRE_OK(xhal_event_record(older, a, 0));
  REQUIRE_OK(xhal_event_record(event, b, 0));
  REQUIRE_OK(xhal_stream_wait_event(c, event, 0));
  behind.fill_on(t, c);
  first.open();
  REQUIRE_OK(xhal_event_synchronize(older, t.patience()));
  if (second.shut()) {
    EXPECT_RESULT("XHAL-EVENT-5", xhal_event_query(event), XHAL_NOT_READY,
                  "the older generation's end counts as the newer one's");
    if (t.witness(second)) EXPECT_CLAUSE("XHAL-EVENT-4", behind.untouched(), "{}", behind.shown());
  }
  behind.stamp(second);
  second.open();
  EXPECT_RESULT("XHAL-EVENT-4", xhal_stream_synchronize(c, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-EVENT-4", behind.filled(), "{}", behind.shown());
}

XHAL_TEST_P(
    event, wait_holds_no_longer_than_its_generation, gates, .clauses = {"XHAL-EVENT-4"},
    .observes = "work submitted to the recorded stream after the record stays held; the waiter completes",
    .needs = {XHAL_FEATURE_CROSS_STREAM_PROGRESS}, .may_be_unobservable = true) {
  Stream a(t);
  Stream c(t);
  Event event(t);
  Marker before(t);
  Marker behind(t);
  before.fill_on(t, a);
  REQUIRE_OK(xhal_event_record(event, a, 0));
  Gate gate(t, a, independent_gate_kind(t));
  REQUIRE_OK(xhal_stream_wait_event(c, event, 0));
  behind.fill_on(t, c);
  EXPECT_RESULT("XHAL-EVENT-4", xhal_stream_synchronize(c, t.patience()), XHAL_SUCCESS);
  if (gate.shut())
    EXPECT_CLAUSE("XHAL-EVENT-4", gate.held(), "the wait took in work that lies behind the record");
  EXPECT_CLAUSE("XHAL-EVENT-4", before.filled() && behind.filled(), "{}; {}", before.shown(), behind.shown());
}

XHAL_TEST_P(
    event, query_speaks_of_the_latest, gates, .clauses = {"XHAL-EVENT-5"},
    .observes = "an event that was done turns to not ready when it is recorded on a held stream, and back") {
  Stream stream(t);
  Event event(t);
  REQUIRE_OK(xhal_event_record(event, stream, 0));
  REQUIRE_OK(xhal_event_synchronize(event, t.patience()));
  EXPECT_RESULT("XHAL-EVENT-5", xhal_event_query(event), XHAL_SUCCESS);
  Gate gate(t, stream, gate_kind(t.text("hold")));
  REQUIRE_OK(xhal_event_record(event, stream, 0));
  if (gate.shut()) {
    EXPECT_RESULT("XHAL-EVENT-5", xhal_event_query(event), XHAL_NOT_READY);
    EXPECT_RESULT("XHAL-EVENT-5", xhal_event_synchronize(event, 0), XHAL_TIMEOUT);
  }
  gate.open();
  EXPECT_RESULT("XHAL-EVENT-5", xhal_event_synchronize(event, t.patience()), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-EVENT-5", xhal_event_query(event), XHAL_SUCCESS);
}

XHAL_TEST(
    event, recorded_again_and_again, .clauses = {"XHAL-EVENT-3", "XHAL-EVENT-5"},
    .observes = "one event carries a chain of 100 hand-overs between two streams; the order of the copies") {
  constexpr size_t kRounds = 100;
  Stream streams[2] = {Stream(t), Stream(t)};
  Event event(t);
  const Buffer places = device_memory(t, (kRounds + 1) * sizeof(uint64_t));
  const auto value = t.random_u64(1);
  t.write(places, value);
  for (size_t i = 0; i < kRounds; ++i) {
    Stream& stream = streams[i % 2];
    REQUIRE_OK(xhal_stream_wait_event(stream, event, 0));
    REQUIRE_OK(xhal_memory_copy(stream, places.at((i + 1) * 8), places.at(i * 8), 8));
    REQUIRE_OK(xhal_event_record(event, stream, 0));
  }
  EXPECT_RESULT("XHAL-EVENT-5", xhal_event_synchronize(event, t.patience()), XHAL_SUCCESS);
  EXPECT_DATA("XHAL-EVENT-3", std::vector<uint64_t>(kRounds + 1, value.front()),
              t.read<uint64_t>(places, kRounds + 1));
}

}  // namespace
}  // namespace xhal::conformance
