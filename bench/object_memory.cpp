// SPDX-License-Identifier: Apache-2.0
#include "object_memory.hpp"

#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <string>
#include <vector>

#include "sim_under_test.hpp"

namespace xhal::bench {
namespace {

const Simulator& kept_simulator() {
  static std::deque<Simulator> all;
  return all.emplace_back();
}

struct Footprint {
  uint64_t heap = 0;
  uint64_t resident = 0;
};

uint64_t resident_bytes() {
  std::ifstream file("/proc/self/smaps_rollup");
  for (std::string word; file >> word;) {
    uint64_t kib = 0;
    if (word == "Rss:" && file >> kib) return kib * 1024;
  }
  std::fprintf(stderr, "xhal-bench-sim: /proc/self/smaps_rollup tells no Rss\n");
  std::exit(1);
}

Footprint footprint() {
  const struct mallinfo2 heap = mallinfo2();
  return {heap.uordblks + heap.hblkhd, resident_bytes()};
}

// `make` and `use` are called with the place of each handle.
template <class Handle, class Make, class Use>
ObjectMemory measure(size_t count, Make&& make, Use&& use) {
  std::vector<Handle> handles(count);
  // The first ones pay for what all share, and memory that was given back before must be touched anew.
  constexpr size_t kFirst = 8;
  Handle first[kFirst];
  for (Handle& one : first) {
    make(one);
    use(one);
  }
  malloc_trim(0);
  const Footprint before = footprint();
  for (Handle& one : handles) {
    make(one);
    use(one);
  }
  const Footprint after = footprint();
  const auto each = [&](uint64_t then, uint64_t now) {
    return (static_cast<double>(now) - static_cast<double>(then)) / static_cast<double>(count);
  };
  return {each(before.heap, after.heap), each(before.resident, after.resident)};
}

}  // namespace

ObjectMemory memory_of_streams(size_t count, Use use) {
  const Simulator& simulator = kept_simulator();
  const NothingLaunch nothing(simulator);
  return measure<xhal_stream_t>(
      count, [&](xhal_stream_t& stream) { stream = simulator.make_stream(); },
      [&](xhal_stream_t stream) {
        if (use == Use::kNone) return;
        nothing.with_8.on(stream);
        wait_for(stream);
      });
}

ObjectMemory memory_of_events(size_t count, uint32_t flags, Use use) {
  const Simulator& simulator = kept_simulator();
  // Few records wait at a time, so that the stream's queue stays as small as it is after the first ones.
  constexpr uint32_t kRecordsAtOnce = 8;
  const xhal_stream_t stream = simulator.make_stream();
  uint32_t records = 0;
  const ObjectMemory memory = measure<xhal_event_t>(
      count, [&](xhal_event_t& event) { event = simulator.make_event(flags); },
      [&](xhal_event_t event) {
        if (use == Use::kNone) return;
        check("record", xhal_event_record(event, stream, 0));
        if (++records % kRecordsAtOnce == 0) wait_for(stream);
      });
  wait_for(stream);
  return memory;
}

}  // namespace xhal::bench
