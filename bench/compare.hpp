// SPDX-License-Identifier: Apache-2.0
// A row: something of the simulator and its references, measured in turns in one run.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bench/limits/other_side.hpp"

namespace xhal::bench {

[[nodiscard]] double median(std::vector<double> values);

// Measures once and gives nanoseconds for one operation; what it sets up before and takes down after is not counted.
using Measure = std::function<double()>;
struct Reference {
  const char* name;
  Measure measure;
};

// Sets the counters `ns`, `raw_<reference>` and `x_<reference>`, the medians of ours, of the reference's, and of the ratios; and `least` and
// `least_<reference>`, the least of each, which is nearest to what is measured where others use the machine.
void compare(benchmark::State& state, const Measure& ours, const std::vector<Reference>& references);

// For work that can be done on one stream and on two, and as well by one thread and by two: sets `ns` and `one_ns`, `stream_gain` and
// `<raw>_gain`, and the gains by the least times of all. `by_threads` is given how many. All give nanoseconds for the whole of the work.
void compare_gains(benchmark::State& state, const std::string& raw, const Measure& one_stream,
                   const Measure& two_streams, const std::function<double(int)>& by_threads);

// The time that is shown, and that --benchmark_min_time counts, is that of all that the row does, its references included.
template <class... Arguments>
benchmark::internal::Benchmark* add_row(const std::string& name, Arguments&&... body) {
  return benchmark::RegisterBenchmark(name.c_str(), std::forward<Arguments>(body)...)->UseRealTime();
}

// The rows of each subject.
void add_launch_rows();
void add_parked_rows();
void add_event_rows();
void add_graph_rows();
void add_copy_rows();
void add_stream_rows();
void add_scale_rows();
void add_memory_rows();

}  // namespace xhal::bench
