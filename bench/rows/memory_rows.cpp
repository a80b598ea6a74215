// SPDX-License-Identifier: Apache-2.0
// mem.*, pool.*, ptr.attr and launch.allocations: memory taken and given back, and what much of it costs others.
#include <benchmark/benchmark.h>

#include <array>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bench/rows/row_parts.hpp"

namespace xhal::bench {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kMiB = uint64_t{1} << 20;

// ---- Allocation

// Drivers put work of frees off until there is enough of it: so many frees have their share of it within a block, and leave little to the next side.
constexpr uint64_t kLeastFrees = 32;

Row allocate_and_free(Bench& bench, uint32_t kind, uint64_t size) {
  const Memory there_is_room = bench.make_memory(kind, size);
  xhal_memory_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.kind = kind;
  desc.size = size;
  Row row = call_row(bench, [desc](auto& lane) {
    void* pointer = nullptr;
    check("xhal_memory_allocate", lane.calls().memory_allocate(lane.device(), &desc, &pointer));
    check("xhal_memory_free", lane.calls().memory_free(lane.device(), pointer));
  });
  LaneOptions options = no_launches(100'000);
  options.has_memory = true;
  each_raw_lane(bench, options, [&]<HasMemory Lane>(const std::shared_ptr<Lane>& lane) {
    const auto take_and_give = [kind, size](Lane& on, uint64_t units) {
      return nanoseconds_each(units, [&] { on.release(on.allocate(kind, size)); });
    };
    add_raw_side(row, bench, lane_side(lane, take_and_give, options));
  });
  for (Side& side : row.sides) side.least_units = kLeastFrees;
  if (bench.is_cpu()) row.beside(malloc_limit(size));
  row.verify = [&bench, kind, size] {
    const Memory memory = bench.make_memory(kind, size);
    const xhal_pointer_attributes_t told = attributes_of(bench.driver(), memory.bytes() + size - 1);
    if (told.base != memory.get() || told.kind != kind || told.size != size)
      throw RowFailed("the attributes of an allocation tell another one");
  };
  return row;
}

// ---- Pools

constexpr uint64_t kPoolSize = kMiB;
constexpr size_t kPieces = 8;

std::shared_ptr<Pool> make_pool(Bench& bench, bool keeps) {
  bench.need(XHAL_FEATURE_POOL, "pool");
  xhal_pool_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.release_threshold = keeps ? std::numeric_limits<uint64_t>::max() : 0;
  xhal_pool_t pool = nullptr;
  check("xhal_pool_create", xhal_pool_create(bench.device(), &desc, &pool));
  return std::make_shared<Pool>(pool);
}

uint64_t reserved_by(xhal_pool_t pool) {
  xhal_pool_info_t info{};
  info.struct_size = sizeof(info);
  check("xhal_pool_get_info", xhal_pool_get_info(pool, &info));
  return info.reserved_bytes;
}

void* take(auto& lane, xhal_pool_t pool) {
  void* pointer = nullptr;
  check("xhal_pool_allocate", lane.calls().pool_allocate(pool, lane.stream(), kPoolSize, &pointer));
  return pointer;
}
void give(auto& lane, xhal_pool_t pool, void* pointer) {
  check("xhal_pool_free", lane.calls().pool_free(pool, lane.stream(), pointer));
}

// What the stream has just freed serves the next allocation.
Row pool_hit(Bench& bench) {
  const auto pool = make_pool(bench, true);
  Row row = scenario_row(
      bench,
      [pool](CallsXhal auto& lane, uint64_t units) {
        give(lane, *pool, take(lane, *pool));
        const double each = nanoseconds_each(units, [&] { give(lane, *pool, take(lane, *pool)); });
        lane.synchronize();
        return each;
      },
      no_launches(10'000));
  if (bench.is_cpu()) row.beside(malloc_limit(kPoolSize));
  row.verify = [pool] {
    if (reserved_by(*pool) < kPoolSize) throw RowFailed("the pool does not hold what was freed to it");
  };
  return row;
}

// Some allocations, and then their frees: none can have the memory of another one.
double take_and_give_some(HalLane& lane, xhal_pool_t pool) {
  std::array<void*, kPieces> pieces{};
  const double ns = nanoseconds_of([&] {
    for (void*& piece : pieces) piece = take(lane, pool);
    for (void* const piece : pieces) give(lane, pool, piece);
  });
  lane.synchronize();
  return ns / kPieces;
}

void trim(auto& lane, xhal_pool_t pool) {
  check("xhal_pool_trim", lane.calls().pool_trim(pool, uint64_t{0}));
}

// Out of an empty pool, beside one that holds it all.
Row pool_miss(Bench& bench) {
  const auto emptied = make_pool(bench, false);
  const auto kept = make_pool(bench, true);
  const LaneOptions options = no_launches(100);
  const auto lane = make_lane<HalLane>(bench, options);
  const auto each_of = [](xhal_pool_t pool, bool empties) {
    return [pool, empties](HalLane& on, uint64_t units) {
      double sum = 0;
      for (uint64_t i = 0; i < units; ++i) {
        sum += take_and_give_some(on, pool);
        if (empties) trim(on, pool);
      }
      return sum / static_cast<double>(units);
    };
  };
  Row row;
  row.keeps = {emptied, kept};
  row.sides.push_back(lane_side(lane, each_of(*emptied, true), options));
  Side hit = lane_side(lane, each_of(*kept, false), options);
  hit.name = "hit";
  row.beside(std::move(hit));
  if (bench.is_cpu()) row.beside(malloc_limit(kPoolSize));
  row.verify = [emptied, kept] {
    if (reserved_by(*emptied) != 0) throw RowFailed("a pool that was trimmed to 0 holds memory");
    if (reserved_by(*kept) < kPieces * kPoolSize)
      throw RowFailed("a pool does not hold what was freed to it");
  };
  return row;
}

// Of what so many frees have left behind.
Row pool_trim(Bench& bench) {
  const auto pool = make_pool(bench, true);
  return scenario_row(
      bench,
      [pool](CallsXhal auto& lane, uint64_t units) {
        double sum = 0;
        for (uint64_t i = 0; i < units; ++i) {
          std::array<void*, kPieces> pieces{};
          for (void*& piece : pieces) piece = take(lane, *pool);
          for (void* const piece : pieces) give(lane, *pool, piece);
          lane.synchronize();
          sum += nanoseconds_of([&] { trim(lane, *pool); });
          if (reserved_by(*pool) != 0) throw RowFailed("a pool that was trimmed to 0 holds memory");
        }
        return sum / static_cast<double>(units);
      },
      no_launches(100));
}

// ---- Among many allocations

constexpr size_t kFew = 10;
constexpr size_t kQuestions = 1000;

// So many allocations in an instance of their own, and those that are meant, in an order that no cache foresees; and streams that have run something.
struct Crowd {
  Crowd(Bench& like, size_t count, size_t stream_count = 0)
      : instance(like), bench(instance.bench()), lane(bench), raw(bench), lines(count) {
    allocations.reserve(count);
    for (size_t i = 0; i < count; ++i) allocations.push_back(bench.make_memory(XHAL_MEMORY_DEVICE, kPage));
    std::minstd_rand random(1);
    for (size_t i = 0; i < kQuestions; ++i) chosen.push_back(random() % count);
    for (const size_t place : chosen) pointers.push_back(allocations[place].get());
    for (size_t i = 0; i < stream_count; ++i) {
      streams.push_back(bench.make_stream());
      check("xhal_event_record", xhal_event_record(lane.event(), streams.back(), 0));
      wait_for(streams.back());
    }
  }

  struct alignas(64) Line {
    uint64_t word = 1;
  };

  OwnInstance instance;
  Bench& bench;
  HalLane lane;
  TableLane raw;
  std::vector<Memory> allocations;
  std::vector<Stream> streams;
  std::vector<size_t> chosen;
  std::vector<void*> pointers;  // of the chosen ones
  std::vector<Line> lines;      // as many as allocations
};

// Twice: the first time tells what the caches held before, rather than what it costs now.
template <class Ask>
double second_time(const Ask& ask_all) {
  ask_all();
  return nanoseconds_of(ask_all) / kQuestions;
}

template <class Lane>
double ask_any(const Crowd& crowd, const Lane& lane) {
  xhal_pointer_attributes_t attributes{};
  attributes.struct_size = sizeof(attributes);
  return second_time([&] {
    for (void* const pointer : crowd.pointers) {
      check("xhal_driver_get_pointer_attributes",
            lane.calls().driver_get_pointer_attributes(crowd.bench.driver(), pointer, &attributes));
      benchmark::DoNotOptimize(attributes.base);
    }
  });
}

Side crowd_side(const char* name, const std::shared_ptr<Crowd>& crowd,
                const std::function<double(Crowd&)>& all_questions) {
  return {name, [=](uint64_t) { return all_questions(*crowd); }, kQuestions, kQuestions};
}

// A word of each of as many lines of memory: what the caches have to do with it.
Side loads_limit(const std::shared_ptr<Crowd>& crowd) {
  return crowd_side("load_any", crowd, [](Crowd& in) {
    return second_time([&] {
      for (const size_t place : in.chosen) benchmark::DoNotOptimize(in.lines[place].word);
    });
  });
}

Row pointer_attributes(Bench& bench, size_t count, size_t streams = 0) {
  const auto many = std::make_shared<Crowd>(bench, count, streams);
  const auto few = std::make_shared<Crowd>(bench, kFew);
  const auto through_xhal = [](Crowd& in) { return ask_any(in, in.lane); };
  Row row;
  row.sides.push_back(crowd_side("xhal", many, through_xhal));
  row.beside(crowd_side("few", few, through_xhal));
  row.beside(crowd_side("driver_table", many, [](Crowd& in) { return ask_any(in, in.raw); }));
  row.beside(loads_limit(many));
  row.verify = [many] {
    for (void* const pointer : many->pointers) {
      const void* const inside = static_cast<const std::byte*>(pointer) + kPage - 1;
      if (attributes_of(many->bench.driver(), inside).base != pointer)
        throw RowFailed("the attributes of an allocation tell another one");
    }
  };
  return row;
}

// Each launch with one of them, all behind an operation that waits, so that nobody but the submitter is measured.
Row launch_with_any(Bench& bench, size_t count) {
  struct Launching : Crowd {
    Launching(Bench& like, size_t count)
        : Crowd(like, count), launch(instance.bench().bench_kernel("bench_empty_3")) {
      launch.writes(pointers.front()).reads(pointers.front()).value(uint64_t{0});
    }
    PreparedLaunch launch;
  };
  const auto many = std::make_shared<Launching>(bench, count);
  const auto few = std::make_shared<Launching>(bench, kFew);
  const auto side = [](const char* name, const std::shared_ptr<Launching>& crowd) {
    return crowd_side(name, crowd, [crowd = crowd.get()](Crowd& in) {
      HeldStream held(in.bench, in.lane.stream());
      const double each = second_time([&] {
        for (void* const pointer : in.pointers) {
          crowd->launch.point(0, pointer);
          crowd->launch.on(in.lane.stream());
        }
      });
      held.let_go();
      in.lane.synchronize();
      return each;
    });
  };
  Row row;
  row.sides.push_back(side("xhal", many));
  row.beside(side("few", few));
  row.beside(loads_limit(many));
  return row;
}

}  // namespace

void add_memory_rows(Rows& rows) {
  for (const uint64_t size : {uint64_t{4096}, kMiB, 64 * kMiB}) {
    rows.push_back({"mem.alloc_free", parameter("size", size), "ns",
                    "device memory of so many bytes taken and given back", "xhal / driver_table",
                    [=](Bench& bench) { return allocate_and_free(bench, XHAL_MEMORY_DEVICE, size); }});
  }
  rows.push_back({"mem.alloc_free", "kind=pinned", "ns", "1 MiB of pinned memory taken and given back",
                  "xhal / driver_table",
                  [](Bench& bench) { return allocate_and_free(bench, XHAL_MEMORY_PINNED, kMiB); }});
  rows.push_back({"pool.alloc_free", "hit", "ns",
                  "1 MiB of a pool that the stream has just freed, over and over", "xhal / driver_table",
                  pool_hit});
  rows.push_back({"pool.alloc_free", "miss", "ns", "8 times 1 MiB of a pool that holds nothing, by the MiB",
                  "t(empty pool) / t(pool that holds it)", pool_miss});
  rows.push_back({"pool.trim", "", "ns", "the call that gives 8 freed MiB back to the device",
                  "xhal / driver_table", pool_trim});
  for (const size_t count : {size_t{10}, size_t{1000}, size_t{100'000}}) {
    rows.push_back({"ptr.attr", parameter("live", count), "ns",
                    "a question about any of so many allocations, beside any of ten", "t(live) / t(10)",
                    [=](Bench& bench) { return pointer_attributes(bench, count); }});
  }
  rows.push_back({"ptr.attr", parameter("streams", 1024), "ns",
                  "the same of any of ten beside so many streams, and beside none", "t(streams) / t(0)",
                  [](Bench& bench) { return pointer_attributes(bench, kFew, 1024); }});
  rows.push_back({"launch.allocations", parameter("live", 100'000), "ns",
                  "the call with any of so many allocations, the stream held, beside any of ten",
                  "t(live) / t(10)", [](Bench& bench) { return launch_with_any(bench, 100'000); }});
}

}  // namespace xhal::bench
