// SPDX-License-Identifier: Apache-2.0
// Memory of the process a stream and an event; no times. object_memory_test.cpp holds them against what is promised.
#include "compare.hpp"
#include "object_memory.hpp"
#include "xhal/xhal.h"

namespace xhal::bench {
namespace {

void tell(benchmark::State& state, const ObjectMemory& memory) {
  state.counters["heap_bytes"] = memory.heap;
  state.counters["resident_bytes"] = memory.resident;
}

void streams(benchmark::State& state, Use use) {
  ObjectMemory memory;
  for (auto _ : state) memory = memory_of_streams(static_cast<size_t>(state.range(0)), use);
  tell(state, memory);
}

void events(benchmark::State& state, uint32_t flags, Use use) {
  ObjectMemory memory;
  for (auto _ : state) memory = memory_of_events(static_cast<size_t>(state.range(0)), flags, use);
  tell(state, memory);
}

}  // namespace

void add_memory_rows() {
  constexpr int64_t kStreams = 1024;
  constexpr int64_t kEvents = 100'000;
  for (const Use use : {Use::kNone, Use::kOnce}) {
    const std::string suffix = use == Use::kNone ? "_unused" : "_used_once";
    benchmark::RegisterBenchmark(("memory/stream" + suffix).c_str(), streams, use)
        ->Arg(kStreams)
        ->Iterations(1);
    benchmark::RegisterBenchmark(("memory/event" + suffix).c_str(), events, 0, use)
        ->Arg(kEvents)
        ->Iterations(1);
    benchmark::RegisterBenchmark(("memory/timed_event" + suffix).c_str(), events, XHAL_EVENT_TIMING, use)
        ->Arg(kEvents)
        ->Iterations(1);
  }
}

}  // namespace xhal::bench
