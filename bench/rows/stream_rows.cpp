// SPDX-License-Identifier: Apache-2.0
// stream.* and hostfn: streams made and given back, and functions of the host in them.
#include <atomic>
#include <memory>

#include "bench/rows/row_parts.hpp"
#include "bench/runner/spin_pause.hpp"

namespace xhal::bench {
namespace {

// Both through libxhal alone: what the table's create gives out has no table yet.
Row create_and_destroy(Bench& bench) {
  const xhal_device_t device = bench.device();
  Row row;
  row.sides.push_back({"xhal",
                       [device](uint64_t units) {
                         return nanoseconds_each(units, [device] {
                           xhal_stream_t stream = nullptr;
                           check("xhal_stream_create", xhal_stream_create(device, nullptr, &stream));
                           check("xhal_stream_destroy", xhal_stream_destroy(stream));
                         });
                       },
                       1, 1000});
  row.beside(malloc_limit(1024));
  each_raw_lane(bench, no_launches(1000), [&](const std::shared_ptr<OpenClLane>& lane) {
    add_raw_side(row, bench,
                 {OpenClLane::kName,
                  [lane](uint64_t units) {
                    return nanoseconds_each(units, [&] { lane->create_and_destroy_stream(); });
                  },
                  1, 1000});
  });
  return row;
}

// From the call until the function has run and the stream's end is known.
Row host_function(Bench& bench) {
  const auto calls = std::make_shared<std::atomic<uint64_t>>(0);
  const auto done = std::make_shared<uint64_t>(0);
  LaneOptions options = no_launches(200);
  options.has_host_functions = true;
  Row row = scenario_row(
      bench,
      [calls, done](HasHostFunctions auto& lane, uint64_t units) {
        const xhal_host_fn count = [](void* counter, xhal_result_t) {
          static_cast<std::atomic<uint64_t>*>(counter)->fetch_add(1, std::memory_order_relaxed);
        };
        *done += units;
        return nanoseconds_each(units, [&] {
          lane.host_function(count, calls.get());
          lane.synchronize();
        });
      },
      options);
  row.beside(spin_limit());
  row.verify = [calls, done, works = row.verify] {
    works();
    if (calls->load() != *done) throw RowFailed("not every host function ran once");
  };
  return row;
}

}  // namespace

void add_stream_rows(Rows& rows) {
  rows.push_back({"stream.create_destroy", "", "ns", "a stream made and given back", "xhal / malloc(1024)",
                  create_and_destroy});
  rows.push_back({"hostfn", "", "ns", "a host function, and its end seen by the host", "xhal / driver_table",
                  host_function});
}

}  // namespace xhal::bench
