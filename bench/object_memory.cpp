// SPDX-License-Identifier: Apache-2.0
#include "object_memory.hpp"

#include <deque>
#include <vector>

#include "footprint.hpp"
#include "sim_under_test.hpp"

namespace xhal::bench {
namespace {

const Simulator& kept_simulator() {
  static std::deque<Simulator> all;
  return all.emplace_back();
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
  const Footprint before = trimmed_footprint();
  for (Handle& one : handles) {
    make(one);
    use(one);
  }
  const Footprint after = footprint();
  return {bytes_each(before.heap, after.heap, count), bytes_each(before.resident, after.resident, count)};
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
