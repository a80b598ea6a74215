// SPDX-License-Identifier: Apache-2.0
// What the simulator's calls cost beside the least that threads and memory of this machine can do for the same purpose.
//   xhal-bench-sim --benchmark_min_time=0.2 [--benchmark_filter=REGEX]   (the usual options of Google Benchmark)
// Every row measures both sides in turns: `ns` is the simulator's, `raw_*` the reference's, `x_*` their ratio, all medians; `least` and `least_*`
// are the least of each. Times on shared machines are noise: read the ratios, or the least of many.
// The part of a row's name before the first slash is its subject: --benchmark_filter=^graph/
#include <benchmark/benchmark.h>

#include "compare.hpp"

int main(int argc, char** argv) {
  using namespace xhal::bench;
  add_launch_rows();
  add_parked_rows();
  add_event_rows();
  add_graph_rows();
  add_copy_rows();
  add_stream_rows();
  add_scale_rows();
  add_memory_rows();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
