// SPDX-License-Identifier: Apache-2.0
// What the simulator costs when nobody is awake: waking it, being woken by it, and leaving it alone.
#include <sys/resource.h>

#include <chrono>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "compare.hpp"
#include "other_threads.hpp"
#include "raw_costs.hpp"
#include "sim_under_test.hpp"
#include "wake_trips.hpp"

namespace xhal::bench {
namespace {

constexpr int kRoundTrips = 20;

// The worker sleeps before each launch. The caller waits as the simulator likes, which may be to spin: so beside two threads that sleep, and
// beside one that spins for the answer of one that slept.
void round_trip(benchmark::State& state) {
  SimUnderTest& sim = SimUnderTest::get();
  compare(
      state,
      [&] {
        double sum = 0;
        for (int i = 0; i < kRoundTrips; ++i) {
          wait_until_others_sleep();
          sum += nanoseconds_once([&] {
            sim.nothing.with_3.on(sim.stream);
            sim.synchronize();
          });
        }
        return sum / kRoundTrips;
      },
      {{"futex", [] { return raw_parked_round_trip(kRoundTrips, Back::kAsleep, wait_until_others_sleep); }},
       {"futex_and_spin",
        [] { return raw_parked_round_trip(kRoundTrips, Back::kSpinning, wait_until_others_sleep); }}});
}

// The caller sleeps in a synchronise, and the operation that it waits for is told to end.
void wake_of_waiter(benchmark::State& state) {
  SimUnderTest& sim = SimUnderTest::get();
  const xhal_host_fn pass = [](void* gate, xhal_result_t) { static_cast<SpinningGate*>(gate)->pass(); };
  compare(state,
          [&] {
            return wake_trips(
                kRoundTrips,
                [&](SpinningGate& gate) {
                  check("host function", xhal_stream_host_function(sim.stream, pass, &gate));
                },
                [&] { sim.synchronize(); }, [] {});
          },
          {{"futex", [] { return raw_wake(kRoundTrips); }}});
}

double processor_seconds() {
  timespec time = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Processor time of the whole process while an instance whose streams were all used has nothing to do. `sleeps`: how often its threads went
// to sleep meanwhile, the one that measures included, which does so once.
void idle_burn(benchmark::State& state) {
  constexpr int kStreams = 8;
  constexpr std::chrono::seconds kRest{1};
  const Simulator simulator;
  const NothingLaunch nothing(simulator);
  for (int i = 0; i < kStreams; ++i) {
    const xhal_stream_t stream = simulator.make_stream();
    nothing.with_3.on(stream);
    wait_for(stream);
  }
  std::vector<double> percents;
  std::vector<double> sleeps;
  for (auto _ : state) {
    wait_until_others_sleep();
    rusage before = {};
    rusage after = {};
    getrusage(RUSAGE_SELF, &before);
    const double burnt_before = processor_seconds();
    const double ns = nanoseconds_once([&] { std::this_thread::sleep_for(kRest); });
    percents.push_back((processor_seconds() - burnt_before) / ns * 1e11);
    getrusage(RUSAGE_SELF, &after);
    sleeps.push_back(static_cast<double>(after.ru_nvcsw - before.ru_nvcsw));
  }
  state.counters["percent_of_a_core"] = median(percents);
  state.counters["sleeps"] = median(sleeps);
}

}  // namespace

void add_parked_rows() {
  add_row("parked/round_trip", round_trip);
  add_row("parked/wake_of_waiter", wake_of_waiter);
  add_row("idle/burn_with_8_streams", idle_burn)->Iterations(3);
}

}  // namespace xhal::bench
