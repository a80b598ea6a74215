// SPDX-License-Identifier: Apache-2.0
// Time-outs at both ends of their range: the shortest of an event, and none at all.
#include <sched.h>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(event, synchronize_times_out, gates, .clauses = {"XHAL-DEVICE-7", "XHAL-EVENT-6"},
            .observes = "synchronise with 0 and 1 ms of an event that is held, then the work all the same") {
  Stream stream(t);
  Event event(t);
  Marker before(t);
  Gate gate(t, stream, gate_kind(t.text("hold")));
  before.fill_on(t, stream);
  REQUIRE_OK(xhal_event_record(event, stream, 0));
  if (gate.shut()) {
    for (const uint64_t time : {uint64_t{0}, uint64_t{1'000'000}, uint64_t{0}})
      EXPECT_RESULT("XHAL-DEVICE-7", xhal_event_synchronize(event, time), XHAL_TIMEOUT, "time {} ns", time);
    EXPECT_CLAUSE("XHAL-DEVICE-7", gate.held(), "a synchronise outlasted its time");
    if (t.witness(gate)) EXPECT_CLAUSE("XHAL-EVENT-6", before.untouched(), "{}", before.shown());
  }
  before.stamp(gate);
  gate.open();
  EXPECT_RESULT("XHAL-EVENT-6", xhal_event_synchronize(event, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-EVENT-6", before.filled(), "{}", before.shown());
}

Cases waits() { return grid({Axis{"wait", {"stream", "event", "device"}}}); }

XHAL_TEST_P(device, waiting_for_ever, waits, .clauses = {"XHAL-DEVICE-7"},
            .observes =
                "a thread that waits without a limit for held work: it is still there when another stream's "
                "later work is done, and has success behind the release") {
  Stream stream(t);
  Event event(t);
  Marker behind(t);
  const std::string& wait = t.text("wait");
  Gate gate(t, stream);
  behind.fill_on(t, stream);
  REQUIRE_OK(xhal_event_record(event, stream, 0));
  std::atomic<bool> calls{false};
  std::atomic<bool> returned{false};
  std::atomic<xhal_result_t> result{XHAL_NOT_READY};
  run_threads(2, [&](size_t i) {
    if (i == 0) {
      calls = true;
      result = wait == "stream"  ? xhal_stream_synchronize(stream, XHAL_WAIT_FOREVER)
               : wait == "event" ? xhal_event_synchronize(event, XHAL_WAIT_FOREVER)
                                 : xhal_device_synchronize(t.device(), XHAL_WAIT_FOREVER);
      returned = true;
      return;
    }
    // What returns at once has returned by then.
    constexpr int kLooks = 1000;
    for (int look = 0; !returned && (!calls || look < kLooks); ++look) sched_yield();
    if (gate.shut())
      EXPECT_CLAUSE("XHAL-DEVICE-7", !returned || !gate.held(), "the wait ended before the work");
    behind.stamp(gate);
    gate.open();
  });
  EXPECT_VALUE("XHAL-DEVICE-7", result_name(result.load()), result_name(XHAL_SUCCESS));
  EXPECT_CLAUSE("XHAL-DEVICE-7", behind.filled(), "{}", behind.shown());
}

}  // namespace
}  // namespace xhal::conformance
