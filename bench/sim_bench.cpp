// SPDX-License-Identifier: Apache-2.0
// What the simulator's calls cost beside the least that threads and memory of this machine can do for the same purpose.
//   xhal-bench-sim --benchmark_min_time=0.05 [--benchmark_filter=REGEX]   (the usual options of Google Benchmark)
// Every row measures both sides in turns: `ns` is the simulator's, `raw_*` the reference's, `x_*` their ratio; all are medians. Times on
// shared machines are noise: read the ratios.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "raw_costs.hpp"
#include "sim_under_test.hpp"

namespace xhal::bench {
namespace {

constexpr int kLaunches = 1000;
constexpr int kRoundTrips = 200;
constexpr int kSpinRoundTrips = 20;  // each takes two time slices when the threads share a processor
constexpr int kCalls = 1000;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Measures once and gives nanoseconds for one operation; what it sets up before and takes down after is not counted.
using Measure = std::function<double()>;
struct Reference {
  const char* name;
  Measure measure;
};

// `operations`: how many a measurement of ours holds.
void compare(benchmark::State& state, int operations, const Measure& ours,
             const std::vector<Reference>& references) {
  std::vector<double> times;
  std::vector<std::vector<double>> raw(references.size());
  std::vector<std::vector<double>> ratios(references.size());
  for (auto _ : state) {
    times.push_back(ours());
    state.SetIterationTime(times.back() * operations * 1e-9);
    for (size_t i = 0; i < references.size(); ++i) {
      raw[i].push_back(references[i].measure());
      ratios[i].push_back(times.back() / raw[i].back());
    }
  }
  state.counters["ns"] = median(times);
  for (size_t i = 0; i < references.size(); ++i) {
    state.counters[std::string("raw_") + references[i].name] = median(raw[i]);
    state.counters[std::string("x_") + references[i].name] = median(ratios[i]);
  }
}

// ---- Launch and round trip -----------------------------------------------------------------------------------------------------

// The worker runs from the first launch on and is still at it, or spins for the next, when the last one is submitted.
void submit(benchmark::State& state) {
  SimUnderTest& sim = SimUnderTest::get();
  compare(state, kLaunches,
          [&] {
            sim.launch_nothing();
            const double ns = nanoseconds_each(kLaunches, [&] { sim.launch_nothing(); });
            sim.synchronize();
            return ns;
          },
          {{"ring_slot", [] { return raw_ring_submit(kLaunches); }}});
}

void submit_and_run(benchmark::State& state) {
  SimUnderTest& sim = SimUnderTest::get();
  compare(state, kLaunches,
          [&] {
            return nanoseconds_once([&] {
                     for (int i = 0; i < kLaunches; ++i) sim.launch_nothing();
                     sim.synchronize();
                   }) /
                   kLaunches;
          },
          {{"ring_slot", [] { return raw_ring_through(kLaunches); }}});
}

void round_trip(benchmark::State& state) {
  SimUnderTest& sim = SimUnderTest::get();
  compare(state, kRoundTrips,
          [&] {
            return nanoseconds_each(kRoundTrips, [&] {
              sim.launch_nothing();
              sim.synchronize();
            });
          },
          {{"spin", [] { return raw_spin_round_trip(kSpinRoundTrips); }},
           {"futex", [] { return raw_futex_round_trip(kRoundTrips); }}});
}

// ---- Events --------------------------------------------------------------------------------------------------------------------

void event_record(benchmark::State& state, bool timed) {
  SimUnderTest& sim = SimUnderTest::get();
  xhal_event_t event = timed ? sim.timed_event : sim.event;
  compare(state, kCalls,
          [&] {
            const double ns =
                nanoseconds_each(kCalls, [&] { check("record", xhal_event_record(event, sim.stream, 0)); });
            sim.synchronize();
            return ns;
          },
          {{"lock", [] { return raw_lock(kCalls); }}});
}

void event_query(benchmark::State& state) {
  SimUnderTest& sim = SimUnderTest::get();
  check("record", xhal_event_record(sim.event, sim.stream, 0));
  sim.synchronize();
  compare(state, kCalls,
          [&] { return nanoseconds_each(kCalls, [&] { check("query", xhal_event_query(sim.event)); }); },
          {{"load", [] { return raw_load(kCalls); }}});
}

void event_wait_done(benchmark::State& state) {
  SimUnderTest& sim = SimUnderTest::get();
  check("record", xhal_event_record(sim.event, sim.stream, 0));
  sim.synchronize();
  compare(state, kCalls,
          [&] {
            return nanoseconds_each(
                kCalls, [&] { check("wait", xhal_stream_wait_event(sim.second_stream, sim.event, 0)); });
          },
          {{"lock", [] { return raw_lock(kCalls); }}});
}

// From one stream to another and back: launch, record, wait, launch, record, wait, synchronise.
void event_wait_across(benchmark::State& state) {
  SimUnderTest& sim = SimUnderTest::get();
  const auto hand_over = [&](xhal_stream_t from, xhal_stream_t to) {
    sim.launch_nothing(from);
    check("record", xhal_event_record(sim.event, from, 0));
    check("wait", xhal_stream_wait_event(to, sim.event, 0));
  };
  compare(state, kRoundTrips,
          [&] {
            return nanoseconds_each(kRoundTrips, [&] {
              hand_over(sim.stream, sim.second_stream);
              hand_over(sim.second_stream, sim.stream);
              sim.synchronize();
            });
          },
          {{"spin", [] { return raw_spin_round_trip(kSpinRoundTrips); }},
           {"futex", [] { return raw_futex_round_trip(kRoundTrips); }}});
}

// ---- Copies --------------------------------------------------------------------------------------------------------------------

enum class From { kPinned, kPageable };

void copy(benchmark::State& state, From from) {
  SimUnderTest& sim = SimUnderTest::get();
  const auto size = static_cast<uint64_t>(state.range(0));
  const int times = static_cast<int>(std::clamp<uint64_t>((uint64_t{4} << 20) / size, 1, 64));
  const SimMemory device(sim.device, XHAL_MEMORY_DEVICE, size);
  const SimMemory pinned(sim.device, XHAL_MEMORY_PINNED, size);
  std::vector<char> source(size, 1);
  std::vector<char> destination(size, 2);
  std::memset(pinned.get(), 3, size);
  const void* const bytes = from == From::kPinned ? pinned.get() : source.data();
  // Pages are there before anything is measured.
  check("copy", xhal_memory_copy(sim.stream, device.get(), bytes, size));
  sim.synchronize();
  compare(state, times,
          [&] {
            return nanoseconds_each(times, [&] {
              check("copy", xhal_memory_copy(sim.stream, device.get(), bytes, size));
              sim.synchronize();
            });
          },
          {{"memcpy", [&] {
              return nanoseconds_each(times, [&] {
                std::memcpy(destination.data(), source.data(), size);
                benchmark::ClobberMemory();
              });
            }}});
  state.counters["GB/s"] = static_cast<double>(size) / state.counters["ns"];
}

// ---- Two streams ---------------------------------------------------------------------------------------------------------------

// The same kernels on two streams and on one; the reference is the same kernels' work as two threads and as one of this program.
// x_one_stream is below 1 where two streams are faster, raw_speedup tells how much two threads gain here and now.
void two_streams(benchmark::State& state) {
  SimUnderTest& sim = SimUnderTest::get();
  constexpr int kKernels = 8;
  const auto on = [&](xhal_stream_t first, xhal_stream_t second) {
    return nanoseconds_once([&] {
      for (int i = 0; i < kKernels; ++i) sim.launch_work(i % 2 == 0 ? first : second, i % 2);
      wait_for(first);
      wait_for(second);
    });
  };
  std::vector<double> gains;
  const auto threads_gain = [&] {
    const double one = raw_work(1);
    const double two = raw_work(2);
    gains.push_back(one / two);
    return two;
  };
  compare(state, 1, [&] { return on(sim.stream, sim.second_stream); },
          {{"one_stream", [&] { return on(sim.stream, sim.stream); }}, {"threads", threads_gain}});
  state.counters.erase("x_threads");
  state.counters["stream_gain"] = 1 / state.counters["x_one_stream"];
  state.counters["thread_gain"] = median(gains);
}

void add(const char* name, void (*body)(benchmark::State&)) {
  benchmark::RegisterBenchmark(name, body)->UseManualTime();
}

void register_all() {
  add("launch/submit", submit);
  add("launch/submit_and_run", submit_and_run);
  add("launch/round_trip", round_trip);
  benchmark::RegisterBenchmark("event/record", event_record, false)->UseManualTime();
  benchmark::RegisterBenchmark("event/record_timed", event_record, true)->UseManualTime();
  add("event/query_done", event_query);
  add("event/wait_done", event_wait_done);
  add("event/wait_there_and_back", event_wait_across);
  for (const auto& [name, from] : {std::pair{"copy/pinned_to_device", From::kPinned},
                                   std::pair{"copy/pageable_to_device", From::kPageable}}) {
    benchmark::RegisterBenchmark(name, copy, from)
        ->UseManualTime()
        ->RangeMultiplier(16)
        ->Range(int64_t{1} << 10, int64_t{64} << 20);
  }
  add("streams/two_and_one", two_streams);
}

}  // namespace
}  // namespace xhal::bench

int main(int argc, char** argv) {
  xhal::bench::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
