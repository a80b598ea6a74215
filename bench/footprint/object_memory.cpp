// SPDX-License-Identifier: Apache-2.0
#include "bench/footprint/object_memory.hpp"

#include <vector>

#include "bench/footprint/footprint.hpp"

namespace xhal::bench {
namespace {

// More than any row makes at a time.
constexpr size_t kMostOfRows = 1200;

// Places of handles that have ended serve the next ones, which would cost nothing there: so many come first as were ever made in the process, here or
// by rows before, and all stay until the end.
template <class Handle, class Make, class UseIt>
ObjectMemory measure(size_t count, size_t& ever_made, const Make& make, const UseIt& use) {
  std::vector<Handle> handles;
  handles.reserve(ever_made + count);
  const auto make_some = [&](size_t more) {
    for (size_t i = 0; i < more; ++i) {
      handles.push_back(make());
      use(handles.back());
    }
  };
  make_some(ever_made);
  const Footprint before = trimmed_footprint();
  make_some(count);
  const Footprint after = footprint();
  ever_made += count;
  return {bytes_each(before.heap, after.heap, count), bytes_each(before.resident, after.resident, count)};
}

}  // namespace

ObjectMemory memory_of_streams(Bench& bench, size_t count, Use use) {
  static size_t ever_made = kMostOfRows;
  const NothingLaunch launch(bench, 8);
  return measure<Stream>(
      count, ever_made, [&] { return bench.make_stream(); },
      [&](xhal_stream_t stream) {
        if (use == Use::kNone) return;
        launch.on(stream);
        wait_for(stream);
      });
}

ObjectMemory memory_of_events(Bench& bench, size_t count, uint32_t flags, Use use) {
  static size_t ever_made = kMostOfRows;
  // Few records wait at a time, so that the stream's queue stays as small as it is after the first ones.
  constexpr uint64_t kRecordsAtOnce = 8;
  const Stream stream = bench.make_stream();
  uint64_t records = 0;
  const ObjectMemory memory = measure<Event>(
      count, ever_made, [&] { return bench.make_event(flags); },
      [&](xhal_event_t event) {
        if (use == Use::kNone) return;
        check("xhal_event_record", xhal_event_record(event, stream, 0));
        if (++records % kRecordsAtOnce == 0) wait_for(stream);
      });
  wait_for(stream);
  return memory;
}

}  // namespace xhal::bench
