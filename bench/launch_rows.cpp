// SPDX-License-Identifier: Apache-2.0
// Launches of empty kernels: the call, the run, and there and back while everybody is awake.
#include "compare.hpp"
#include "raw_costs.hpp"
#include "sim_under_test.hpp"

namespace xhal::bench {
namespace {

constexpr int kLaunches = 1000;
constexpr int kRoundTrips = 200;

const PreparedLaunch& nothing_with(int arguments) {
  SimUnderTest& sim = SimUnderTest::get();
  return arguments == 3 ? sim.nothing.with_3 : sim.nothing.with_8;
}

// A worker that has just run the stream empty is told of one launch after the other.
std::pair<double, bool> submit_once(const PreparedLaunch& launch) {
  const SimUnderTest& sim = SimUnderTest::get();
  launch.on(sim.stream);
  sim.synchronize();
  const double ns = nanoseconds_once([&] {
    for (int i = 0; i < kLaunches; ++i) {
      launch.on(sim.stream);
      if (i == kLaunches / kKeptUp) check("record", xhal_event_record(sim.event, sim.stream, 0));
    }
  });
  const bool worker_ran = xhal_event_query(sim.event) == XHAL_SUCCESS;
  sim.synchronize();
  return {ns / kLaunches, worker_ran};
}

// Beside a ring whose places are used again, so that its writer minds the reader as a stream minds its worker, and whose lines come back from the
// reader's cache; and beside a row of places that are used once.
void submit(benchmark::State& state, int arguments) {
  const PreparedLaunch& launch = nothing_with(arguments);
  compare(state, [&] { return while_the_other_runs([&] { return submit_once(launch); }); },
          {{"ring", [] { return raw_ring(kLaunches, Reader::kRuns, Until::kHanded); }},
           {"slot_row", [] { return raw_slot_row(kLaunches, Until::kHanded); }}});
}

// All of it waits behind one operation, so that nobody but the submitter touches the queue.
void submit_held(benchmark::State& state, int arguments) {
  SimUnderTest& sim = SimUnderTest::get();
  const PreparedLaunch& launch = nothing_with(arguments);
  compare(state,
          [&] {
            HeldStream held(sim.stream);
            const double ns = nanoseconds_each(kLaunches, [&] { launch.on(sim.stream); });
            held.let_go();
            sim.synchronize();
            return ns;
          },
          {{"ring", [] { return raw_ring(kLaunches, Reader::kIsHeld, Until::kHanded); }}});
}

void submit_and_run(benchmark::State& state, int arguments) {
  SimUnderTest& sim = SimUnderTest::get();
  const PreparedLaunch& launch = nothing_with(arguments);
  compare(state,
          [&] {
            return nanoseconds_once([&] {
                     for (int i = 0; i < kLaunches; ++i) launch.on(sim.stream);
                     sim.synchronize();
                   }) /
                   kLaunches;
          },
          {{"ring", [] { return raw_ring(kLaunches, Reader::kRuns, Until::kTaken); }},
           {"slot_row", [] { return raw_slot_row(kLaunches, Until::kTaken); }}});
}

void round_trip(benchmark::State& state) {
  SimUnderTest& sim = SimUnderTest::get();
  compare(state,
          [&] {
            return nanoseconds_each(kRoundTrips, [&] {
              sim.nothing.with_3.on(sim.stream);
              sim.synchronize();
            });
          },
          {{"spin", [] { return raw_spin_round_trip(kRoundTrips); }},
           {"futex", [] { return raw_futex_round_trip(kRoundTrips); }}});
}

}  // namespace

void add_launch_rows() {
  for (const int arguments : {8, 3}) {
    const std::string with = "_" + std::to_string(arguments) + "_arguments";
    add_row("launch/submit" + with, submit, arguments);
    add_row("launch/submit" + with + "_held", submit_held, arguments);
    add_row("launch/submit_and_run" + with, submit_and_run, arguments);
  }
  add_row("launch/round_trip", round_trip);
}

}  // namespace xhal::bench
