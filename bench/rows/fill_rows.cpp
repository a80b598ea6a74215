// SPDX-License-Identifier: Apache-2.0
// fill: device memory filled with a pattern.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bench/rows/areas.hpp"
#include "bench/rows/raw_area.hpp"
#include "bench/rows/row_parts.hpp"

namespace xhal::bench {
namespace {

constexpr uint64_t kSize = uint64_t{16} << 20;
constexpr uint64_t kPattern = 0xF1E2D3C4B5A69788u;
constexpr uint64_t kMostUnits = 100;
// What is filled ends this far from the area's end, and begins at most as far from its beginning.
constexpr uint64_t kMargin = 64;

// The pattern as often as a line has room for it: memory is then written by lines, whatever the pattern's width.
using PatternLine = std::array<std::byte, 64>;
PatternLine line_of(uint32_t width) {
  PatternLine out;
  for (size_t i = 0; i < out.size(); i += width) std::memcpy(out.data() + i, &kPattern, width);
  return out;
}

Side host_fill(const std::shared_ptr<Area>& area, uint32_t width, uint64_t offset) {
  auto* const to = static_cast<std::byte*>(area->get()) + offset;
  const auto block = [area, to, line = line_of(width), width](uint64_t units) {
    return nanoseconds_each(units, [&] {
      if (width == 1) {
        std::memset(to, static_cast<int>(kPattern & 0xFF), kSize);
      } else {
        for (uint64_t at = 0; at < kSize; at += line.size()) std::memcpy(to + at, line.data(), line.size());
      }
      benchmark::ClobberMemory();
    });
  };
  return {width == 1 ? "memset" : "store", block, 1, kMostUnits};
}

void expect_filled(Area& area, uint32_t width, uint64_t offset) {
  std::vector<std::byte> found(area.size());
  area.read(0, found.data(), found.size());
  std::vector<std::byte> wanted(area.size());
  const PatternLine line = line_of(width);
  for (uint64_t at = offset; at < offset + kSize; at += line.size())
    std::memcpy(wanted.data() + at, line.data(), line.size());
  if (std::memcmp(found.data(), wanted.data(), found.size()) != 0) {
    const auto differs = std::ranges::mismatch(found, wanted).in1;
    throw RowFailed("byte " + std::to_string(differs - found.begin()) + " is not as filled");
  }
  area.clear();
}

Row fill(Bench& bench, uint32_t width, uint64_t offset) {
  const auto area = std::make_shared<Area>(bench, Place::kDevice, kSize + 2 * kMargin);
  LaneOptions options;
  options.arguments = 0;
  options.most_units = kMostUnits;
  auto* const to = static_cast<std::byte*>(area->get()) + offset;
  const auto scenario = [to, width](CallsXhal auto& lane, uint64_t units) {
    return nanoseconds_each(units, [&] {
      lane.fill(to, kPattern, width, kSize);
      lane.synchronize();
    });
  };
  Row row;
  row.sides.push_back(lane_side(make_lane<HalLane>(bench, options), scenario, options));
  if (is_cpu(bench)) {
    row.beside(host_fill(std::make_shared<Area>(bench, Place::kPinned, kSize + 2 * kMargin), width, offset));
  } else {
    row.beside(lane_side(make_lane<TableLane>(bench, options), scenario, options));
  }
  options.has_memory = true;
  each_raw_lane(bench, options, [&]<HasMemory Lane>(const std::shared_ptr<Lane>& lane) {
    const auto raw = std::make_shared<RawArea<Lane>>(lane, Place::kDevice, kSize + 2 * kMargin);
    const auto fill_it = [raw, width, offset](Lane& on, uint64_t units) {
      return nanoseconds_each(units, [&] {
        on.fill(raw->get() + offset, kPattern, width, kSize);
        on.synchronize();
      });
    };
    row.beside(lane_side(lane, fill_it, options));
  });
  row.value = gigabytes_per_second(kSize);
  row.verify = [area, width, offset] { expect_filled(*area, width, offset); };
  return row;
}

}  // namespace

void add_fill_rows(Rows& rows) {
  for (const uint32_t width : {1u, 2u, 4u, 8u}) {
    rows.push_back({"fill", parameter("width", width), "GB/s",
                    "16 MiB filled with a pattern of so many bytes, and the end",
                    width == 1 ? "t(xhal) / t(memset)" : "t(xhal) / t(store)",
                    [=](Bench& bench) { return fill(bench, width, 0); }});
  }
  rows.push_back({"fill", "width=1,offset=1", "GB/s", "16 MiB from an odd address on", "t(xhal) / t(memset)",
                  [](Bench& bench) { return fill(bench, 1, 1); }});
}

}  // namespace xhal::bench
