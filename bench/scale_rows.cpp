// SPDX-License-Identifier: Apache-2.0
// What becomes of a launch and of a question about a pointer when there is much else alive.
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "compare.hpp"
#include "raw_costs.hpp"
#include "sim_under_test.hpp"

namespace xhal::bench {
namespace {

constexpr int kCalls = 1000;
constexpr uint64_t kPage = 4096;

// An instance with so many allocations, or streams, so that few and many are measured in turns.
struct World {
  World(size_t allocation_count, size_t stream_count) {
    allocations.resize(allocation_count);
    for (void*& one : allocations) one = simulator.allocate(XHAL_MEMORY_DEVICE, kPage);
    streams.resize(stream_count);
    for (xhal_stream_t& one : streams) {
      one = simulator.make_stream();
      nothing.with_3.on(one);
      wait_for(one);
    }
    std::minstd_rand random(1);
    for (int i = 0; i < kCalls; ++i) order.push_back(random() % allocation_count);
  }

  Simulator simulator;
  NothingLaunch nothing{simulator};
  std::vector<void*> allocations;
  std::vector<xhal_stream_t> streams;
  std::vector<size_t> order;  // of questions about allocations
};

World& world(size_t allocations, size_t streams) {
  static std::map<std::pair<size_t, size_t>, std::unique_ptr<World>> worlds;
  std::unique_ptr<World>& one = worlds[{allocations, streams}];
  if (one == nullptr) one = std::make_unique<World>(allocations, streams);
  return *one;
}

constexpr size_t kFewAllocations = 10;
constexpr size_t kFewStreams = 1;
World& with_allocations(size_t count) { return world(count, kFewStreams); }
World& with_streams(size_t count) { return world(kFewAllocations, count); }

void ask(const World& in, const void* pointer) {
  xhal_pointer_attributes_t attributes;
  attributes.struct_size = sizeof(attributes);
  check("attributes", xhal_driver_get_pointer_attributes(in.simulator.driver(), pointer, &attributes));
  benchmark::DoNotOptimize(attributes.base);
}

double query_one(World& in) {
  const void* const inside = static_cast<const std::byte*>(in.allocations[in.allocations.size() / 2]) + 100;
  return nanoseconds_each(kCalls, [&] { ask(in, inside); });
}

// In an order that no cache foresees, and twice, since once tells the caches' state before rather than the cost now.
double query_any(World& in) {
  const auto all = [&] {
    for (const size_t place : in.order) ask(in, in.allocations[place]);
  };
  all();
  return nanoseconds_once(all) / kCalls;
}

// Each launch with one of the allocations, in the same order and twice, too. All of it waits, so that nobody but the submitter is measured.
double launch_on_one(World& in) {
  HeldStream held(in.streams[0]);
  const auto all = [&] {
    for (const size_t place : in.order) {
      in.nothing.with_3.point_to(in.allocations[place]);
      in.nothing.with_3.on(in.streams[0]);
    }
  };
  all();
  const double ns = nanoseconds_once(all);
  held.let_go();
  wait_for(in.streams[0]);
  return ns / kCalls;
}

// As query_any does, a word of each of so many lines of 64 bytes.
double load_any(const World& in) {
  struct alignas(64) Line {
    uint64_t word = 1;
  };
  static std::map<size_t, std::vector<Line>> all;
  std::vector<Line>& lines = all[in.allocations.size()];
  lines.resize(in.allocations.size());
  const auto load = [&] {
    for (const size_t place : in.order) benchmark::DoNotOptimize(lines[place].word);
  };
  load();
  return nanoseconds_once(load) / kCalls;
}

using Measurement = double (*)(World&);

void beside_few(benchmark::State& state, World& (*world_with)(size_t), size_t few, Measurement measure,
                bool is_any) {
  World& many = world_with(static_cast<size_t>(state.range(0)));
  World& few_of_them = world_with(few);
  std::vector<Reference> references = {{"few", [&] { return measure(few_of_them); }}};
  if (is_any) references.push_back({"load", [&] { return load_any(many); }});
  compare(
      state, [&] { return measure(many); }, references);
}

}  // namespace

void add_scale_rows() {
  const auto add = [](const std::string& name, auto world_with, size_t few, Measurement measure, bool is_any,
                      std::initializer_list<int64_t> counts) {
    for (const int64_t count : counts)
      add_row("scale/" + name, beside_few, world_with, few, measure, is_any)->Arg(count);
  };
  add("query_one_of_allocations", &with_allocations, kFewAllocations, &query_one, false, {1000, 100'000});
  add("query_any_of_allocations", &with_allocations, kFewAllocations, &query_any, true, {1000, 100'000});
  add("launch_with_any_of_allocations", &with_allocations, kFewAllocations, &launch_on_one, true,
      {1000, 100'000});
  add("query_beside_streams", &with_streams, kFewStreams, &query_one, false, {32, 1024});
  add("launch_beside_streams", &with_streams, kFewStreams, &launch_on_one, false, {32, 1024});
}

}  // namespace xhal::bench
