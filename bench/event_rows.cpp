// SPDX-License-Identifier: Apache-2.0
// Events: record, query, wait; of events that are done, and of such that cannot be done yet.
#include "compare.hpp"
#include "raw_costs.hpp"
#include "sim_under_test.hpp"

namespace xhal::bench {
namespace {

constexpr int kCalls = 1000;
constexpr int kRoundTrips = 200;

enum class Takes { kNoTime, kTime };
enum class Is { kDone, kPending };

xhal_event_t event_that(Takes takes) {
  const SimUnderTest& sim = SimUnderTest::get();
  return takes == Takes::kTime ? sim.timed_event : sim.event;
}

void record_once(xhal_event_t event, xhal_stream_t stream) {
  check("record", xhal_event_record(event, stream, 0));
}

// Pending: behind an operation that has not ended.
void record(benchmark::State& state, Takes takes, Is is) {
  const SimUnderTest& sim = SimUnderTest::get();
  const xhal_event_t event = event_that(takes);
  const auto each = [&] { return nanoseconds_each(kCalls, [&] { record_once(event, sim.stream); }); };
  compare(state,
          [&] {
            double ns = 0;
            if (is == Is::kPending) {
              const HeldStream held(sim.stream);
              ns = each();
            } else {
              ns = each();
            }
            sim.synchronize();
            return ns;
          },
          {{"lock", [] { return raw_lock(kCalls); }}});
}

// An event of a held stream, or of one that has come so far.
template <class Body>
double with_event(xhal_event_t event, Is is, Body&& body) {
  const SimUnderTest& sim = SimUnderTest::get();
  double ns = 0;
  if (is == Is::kPending) {
    const HeldStream held(sim.stream);
    record_once(event, sim.stream);
    ns = body();
  } else {
    record_once(event, sim.stream);
    sim.synchronize();
    ns = body();
  }
  sim.synchronize();
  return ns;
}

void query(benchmark::State& state, Takes takes, Is is) {
  const xhal_event_t event = event_that(takes);
  const xhal_result_t expected = is == Is::kDone ? XHAL_SUCCESS : XHAL_NOT_READY;
  compare(state,
          [&] {
            return with_event(event, is, [&] {
              return nanoseconds_each(kCalls, [&] {
                const xhal_result_t result = xhal_event_query(event);
                if (result != expected) fail("query", result);
              });
            });
          },
          {{"load", [] { return raw_load(kCalls); }}});
}

// Of a pending event the waits pile up in the waiting stream.
void wait(benchmark::State& state, Takes takes, Is is) {
  const SimUnderTest& sim = SimUnderTest::get();
  const xhal_event_t event = event_that(takes);
  compare(state,
          [&] {
            const double ns = with_event(event, is, [&] {
              return nanoseconds_each(
                  kCalls, [&] { check("wait", xhal_stream_wait_event(sim.second_stream, event, 0)); });
            });
            wait_for(sim.second_stream);
            return ns;
          },
          {{"lock", [] { return raw_lock(kCalls); }}});
}

// From one stream to another and back: launch, record, wait, launch, record, wait, synchronise.
void wait_there_and_back(benchmark::State& state) {
  const SimUnderTest& sim = SimUnderTest::get();
  const auto hand_over = [&](xhal_stream_t from, xhal_stream_t to) {
    sim.nothing.with_3.on(from);
    record_once(sim.event, from);
    check("wait", xhal_stream_wait_event(to, sim.event, 0));
  };
  compare(state,
          [&] {
            return nanoseconds_each(kRoundTrips, [&] {
              hand_over(sim.stream, sim.second_stream);
              hand_over(sim.second_stream, sim.stream);
              sim.synchronize();
            });
          },
          {{"spin", [] { return raw_spin_round_trip(kRoundTrips); }},
           {"futex", [] { return raw_futex_round_trip(kRoundTrips); }}});
}

}  // namespace

void add_event_rows() {
  for (const Takes takes : {Takes::kNoTime, Takes::kTime}) {
    for (const Is is : {Is::kDone, Is::kPending}) {
      const std::string suffix =
          std::string(takes == Takes::kTime ? "_timed" : "") + (is == Is::kPending ? "_held" : "");
      add_row("event/record" + suffix, record, takes, is);
      add_row("event/query" + suffix, query, takes, is);
      add_row("event/wait" + suffix, wait, takes, is);
    }
  }
  add_row("event/wait_there_and_back", wait_there_and_back);
}

}  // namespace xhal::bench
