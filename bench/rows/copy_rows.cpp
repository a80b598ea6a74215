// SPDX-License-Identifier: Apache-2.0
// copy.*: one copy and its end, between memories of each kind, and what a copy costs by itself and by the byte.
//
// memcpy is the reference of devices that are processors. It reads the same source and has a destination of its own of the same kind; the host may not
// touch a device's memory, so pinned memory stands in its place, which lies in pages of the same kind. 1 GiB is none of the sizes: a single copy takes
// longer than a whole row may.
#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "bench/peers/dpctl.hpp"
#include "bench/rows/areas.hpp"
#include "bench/rows/raw_area.hpp"
#include "bench/rows/row_parts.hpp"

namespace xhal::bench {
namespace {

struct Direction {
  const char* name;
  Place from;
  Place to;
  const char* measures;
};
constexpr Direction kToPinned[] = {
    {"copy.h2h.pinned", Place::kPinned, Place::kPinned, "pinned memory to pinned memory"},
    {"copy.h2h.pageable", Place::kPageable, Place::kPinned, "pageable memory to pinned memory"}};
constexpr Direction kDirections[] = {
    {"copy.h2d.pinned", Place::kPinned, Place::kDevice, "pinned memory to the device"},
    {"copy.h2d.pageable", Place::kPageable, Place::kDevice, "pageable memory to the device"},
    {"copy.d2h.pinned", Place::kDevice, Place::kPinned, "the device to pinned memory"},
    {"copy.d2h.pageable", Place::kDevice, Place::kPageable, "the device to pageable memory"},
    {"copy.d2d", Place::kDevice, Place::kDevice, "device memory to device memory"},
    {"copy.p2p", Place::kDevice, Place::kPeer, "the device to the second one"}};

// From here on the bytes count, below the calls.
constexpr uint64_t kLeastBytes = 65536;
constexpr uint64_t kMostUnits = 1000;
// Here the caller sleeps for a part of the copy: what is moved by another thread is beside it.
constexpr uint64_t kMiB = uint64_t{1} << 20;

// The next copy when the last one is done, or all of them and then the end.
enum class Waits { kForEach, kForAll };

LaneOptions copies() {
  LaneOptions options;
  options.arguments = 0;
  options.most_units = kMostUnits;
  return options;
}

// So many copies by a lane between areas of whoever keeps them.
template <class From, class To>
auto copies_between(From from, To to, uint64_t size, Waits waits) {
  return [=](auto& lane, uint64_t units) {
    return nanoseconds_of([&] {
             for (uint64_t i = 0; i < units; ++i) {
               lane.copy(to->get(), from->get(), size);
               if (waits == Waits::kForEach) lane.synchronize();
             }
             if (waits == Waits::kForAll) lane.synchronize();
           }) /
           static_cast<double>(units);
  };
}

// Source and destination of the copies, and the same for memcpy.
class CopyAreas {
 public:
  CopyAreas(Bench& bench, const Direction& direction, uint64_t size)
      : from_(bench, direction.from, size), to_(bench, direction.to, size) {
    from_.write_pattern(1);
    if (!is_cpu(bench)) return;
    const auto in_reach = [](Place place) { return place == Place::kPageable ? place : Place::kPinned; };
    host_to_.emplace(bench, in_reach(direction.to), size);
    if (in_reach(direction.from) == direction.from) return;
    host_from_.emplace(bench, Place::kPinned, size);
    host_from_->write_pattern(1);
  }

  [[nodiscard]] auto scenario(uint64_t size, Waits waits = Waits::kForEach) {
    return copies_between(&from_, &to_, size, waits);
  }
  [[nodiscard]] bool has_host_side() const { return host_to_.has_value(); }
  [[nodiscard]] Side host_side(uint64_t size) { return memcpy_limit(host_to_->get(), host_source(), size); }
  [[nodiscard]] Side thread_side(uint64_t size) {
    return memcpy_by_thread_limit(host_to_->get(), host_source(), size);
  }
  void verify() { to_.expect_pattern(1); }

 private:
  [[nodiscard]] const void* host_source() { return host_from_ ? host_from_->get() : from_.get(); }

  Area from_;
  Area to_;
  std::optional<Area> host_from_;
  std::optional<Area> host_to_;
};

std::shared_ptr<CopyAreas> areas_of(Bench& bench, const Direction& direction, uint64_t size) {
  if (direction.to == Place::kPeer) bench.need_devices(2);
  return std::make_shared<CopyAreas>(bench, direction, size);
}

// The same by calls below xhal, in memory that they have given.
void add_raw_copies(Row& row, Bench& bench, const Direction& direction, uint64_t size, Waits waits) {
  LaneOptions options = copies();
  options.has_memory = true;
  each_raw_lane(bench, options, [&]<HasMemory Lane>(const std::shared_ptr<Lane>& lane) {
    const auto from = std::make_shared<RawArea<Lane>>(lane, direction.from, size);
    const auto to = std::make_shared<RawArea<Lane>>(lane, direction.to, size);
    Side side = lane_side(lane, copies_between(from, to, size, waits), options);
    side.least_units = row.sides.front().least_units;
    if (size < kLeastBytes)
      add_raw_side(row, bench, std::move(side));
    else
      row.beside(std::move(side));
  });
  if (waits == Waits::kForEach && direction.from == Place::kDevice && direction.to == Place::kDevice)
    add_dpctl(row, bench, "copy " + std::to_string(size));
}

Row copy(Bench& bench, const Direction& direction, uint64_t size, Waits waits = Waits::kForEach) {
  const auto areas = areas_of(bench, direction, size);
  const auto scenario = areas->scenario(size, waits);
  Row row;
  row.sides.push_back(lane_side(make_lane<HalLane>(bench, copies()), scenario, copies()));
  // What a call adds is lost in large copies.
  if (size < kLeastBytes || !areas->has_host_side())
    row.beside(lane_side(make_lane<TableLane>(bench, copies()), scenario, copies()));
  // So many that who is awake for the first one has little part in them.
  constexpr uint64_t kLeastInARow = 4;
  constexpr uint64_t kMostInARow = 16;
  if (waits == Waits::kForAll)
    row.sides.front().least_units = std::clamp((64U << 20) / size, kLeastInARow, kMostInARow);
  if (areas->has_host_side()) row.beside(areas->host_side(size));
  // Pageable memory is the caller's own to copy; and bytes that another processor has written last take longer for either.
  const bool is_pageable = direction.from == Place::kPageable || direction.to == Place::kPageable;
  if (areas->has_host_side() && size == kMiB && !is_pageable) row.beside(areas->thread_side(size));
  if (direction.to != Place::kPeer) add_raw_copies(row, bench, direction, size, waits);
  if (size >= kLeastBytes) row.value = gigabytes_per_second(size);
  row.verify = [areas] { areas->verify(); };
  return row;
}

// ---- Latency and bandwidth

// The latency comes from a line through small copies and the bandwidth from one through large ones. One line does not fit both: a processor's caches bend
// it, and a caller who goes to sleep while a copy runs.
constexpr std::array<uint64_t, 6> kFitted = {4096, 16384, 65536, 1u << 20, 4u << 20, 16u << 20};
constexpr size_t kSmall = 3;

struct Line {
  double at_zero;
  double slope;
};

// By the least squares of what it is off in parts of the time: in nanoseconds the largest copy's noise alone would be more than the latency.
Line line_through(std::span<const uint64_t> sizes, std::span<const double> ns) {
  double w = 0;
  double wx = 0;
  double wy = 0;
  double wxx = 0;
  double wxy = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const auto x = static_cast<double>(sizes[i]);
    const double weight = 1 / (ns[i] * ns[i]);
    w += weight;
    wx += weight * x;
    wy += weight * ns[i];
    wxx += weight * x * x;
    wxy += weight * x * ns[i];
  }
  const double slope = (w * wxy - wx * wy) / (w * wxx - wx * wx);
  return {(wy - slope * wx) / w, slope};
}

// Of the row's first lane or its second one.
double latency_ns(std::span<const double> ns, size_t lane) {
  return line_through(std::span(kFitted).first(kSmall), ns.subspan(lane * kFitted.size(), kSmall)).at_zero;
}
double ns_a_byte(std::span<const double> ns, size_t lane) {
  return line_through(std::span(kFitted).subspan(kSmall),
                      ns.subspan(lane * kFitted.size() + kSmall, kFitted.size() - kSmall))
      .slope;
}

void add_side(Row& row, Side side, uint64_t size) {
  side.name += ", " + parameter("size", size);
  row.sides.push_back(std::move(side));
}

Row fitted(Bench& bench, const Direction& direction) {
  const auto areas = areas_of(bench, direction, kFitted.back());
  const auto add_lane = [&]<class Lane>(Row& row, const std::shared_ptr<Lane>& lane) {
    for (const uint64_t size : kFitted) add_side(row, lane_side(lane, areas->scenario(size), copies()), size);
  };
  Row row;
  add_lane(row, make_lane<HalLane>(bench, copies()));
  const bool is_beside_memcpy = areas->has_host_side();
  if (is_beside_memcpy) {
    for (const uint64_t size : kFitted) add_side(row, areas->host_side(size), size);
  } else {
    add_lane(row, make_lane<TableLane>(bench, copies()));
  }
  const std::string reference = is_beside_memcpy ? "memcpy" : "driver_table";
  row.value = [](std::span<const double> ns) { return latency_ns(ns, 0); };
  row.comparisons.push_back({reference + ", bandwidth",
                             [](std::span<const double> ns) { return ns_a_byte(ns, 0) / ns_a_byte(ns, 1); }});
  // memcpy has next to no latency, and the ratio to a number about zero tells nothing: its smallest copy stands for it.
  row.comparisons.push_back({reference + ", latency", [is_beside_memcpy](std::span<const double> ns) {
                               return latency_ns(ns, 0) /
                                      (is_beside_memcpy ? ns[kFitted.size()] : latency_ns(ns, 1));
                             }});
  row.verify = [areas] { areas->verify(); };
  return row;
}

}  // namespace

void add_copy_rows(Rows& rows) {
  for (const Direction& direction : kDirections) {
    for (const uint64_t size : {4u, 4096u, 65536u, 1u << 20, 16u << 20, 64u << 20}) {
      rows.push_back({direction.name, parameter("size", size), size < kLeastBytes ? "ns" : "GB/s",
                      std::string(direction.measures) + ", one copy and its end", "t(xhal) / t(memcpy)",
                      [=](Bench& bench) { return copy(bench, direction, size); }});
    }
  }
  for (const Direction& direction : kToPinned) {
    rows.push_back({direction.name, parameter("size", kMiB), "GB/s",
                    std::string(direction.measures) + ", one copy and its end", "t(xhal) / t(memcpy)",
                    [=](Bench& bench) { return copy(bench, direction, kMiB); }});
  }
  for (const uint64_t size : {kMiB, 16 * kMiB}) {
    rows.push_back({"copy.h2d.pinned", "in_a_row," + parameter("size", size), "GB/s",
                    "pinned memory to the device, copies one behind the other and their end",
                    "t(xhal) / t(memcpy)",
                    [=](Bench& bench) { return copy(bench, kDirections[0], size, Waits::kForAll); }});
  }
  for (const size_t i : {0u, 2u}) {
    const Direction direction = kDirections[i];
    rows.push_back({std::string(direction.name) + ".fit", "", "ns",
                    std::string("a of t = a + S/b: a by copies of 4 to 64 KiB, b by those of 1 to 16 MiB; ") +
                        direction.measures,
                    "b(memcpy) / b(xhal); a(xhal) / t(memcpy of 4 KiB)",
                    [=](Bench& bench) { return fitted(bench, direction); }});
  }
}

}  // namespace xhal::bench
