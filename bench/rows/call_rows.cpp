// SPDX-License-Identifier: Apache-2.0
// call.*: what a call costs that does next to nothing.
#include <benchmark/benchmark.h>

#include <memory>

#include "bench/rows/row_parts.hpp"

namespace xhal::bench {
namespace {

// The cheapest question there is: its answer is known when the device is.
void ask(auto& lane) {
  uint32_t claimed = 0;
  benchmark::DoNotOptimize(
      lane.calls().device_has_feature(lane.device(), uint32_t{XHAL_FEATURE_CORE}, &claimed));
  benchmark::DoNotOptimize(claimed);
}

Row noop(Bench& bench) {
  Row row = call_row(bench, [](auto& lane) { ask(lane); });
  row.beside(indirect_call_limit());
  return row;
}

// A handle of nothing: refused before any driver is asked, with a code and a text for this thread.
Row error(Bench& bench) {
  LaneOptions options;
  options.arguments = 0;
  options.most_units = 100'000;
  const auto lane = make_lane<HalLane>(bench, options);
  Row row;
  row.sides.push_back(lane_side(
      lane,
      [](HalLane& on, uint64_t units) {
        return nanoseconds_each(
            units, [&] { benchmark::DoNotOptimize(on.calls().stream_query(xhal_stream_t(nullptr))); });
      },
      options));
  Side good = lane_side(
      lane, [](HalLane& on, uint64_t units) { return nanoseconds_each(units, [&] { ask(on); }); }, options);
  good.name = "call.noop";
  row.beside(std::move(good));
  row.verify = [] {
    if (xhal_stream_query(nullptr) != XHAL_ERROR_INVALID_HANDLE)
      throw RowFailed("a null stream is not refused as an invalid handle");
    xhal_error_clear();
  };
  return row;
}

Row query(Bench& bench) {
  return call_row(bench, [](auto& lane) { benchmark::DoNotOptimize(lane.query_stream()); });
}

}  // namespace

void add_call_rows(Rows& rows) {
  rows.push_back(
      {"call.noop", "", "ns", "a question whose answer the driver has at hand", "xhal / driver_table", noop});
  rows.push_back({"call.error", "", "ns", "a call with a null handle: refused, with code and text",
                  "xhal / call.noop", error});
  rows.push_back(
      {"call.stream_query", "", "ns", "whether an idle stream is idle", "xhal / driver_table", query});
}

}  // namespace xhal::bench
