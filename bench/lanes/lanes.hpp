// SPDX-License-Identifier: Apache-2.0
// A scenario is written once, for any lane; a row measures it on xhal's lane and on every other one that applies and has the words for it.
//
// A lane is how an interface says what scenarios do: submit an empty kernel, synchronise, record, ... A backend that has a raw interface brings one file
// with a lane in its words and adds it to RawLanes.
#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "bench/lanes/opencl_lane.hpp"
#include "bench/lanes/simple_lane.hpp"
#include "bench/lanes/xhal_lane.hpp"
#include "bench/peers/unified_runtime.hpp"
#include "bench/runner/clock.hpp"

namespace xhal::bench {

using RawLanes = std::tuple<TableLane, SimpleLane, OpenClLane, UnifiedRuntimeLane>;

template <class Lane>
concept Launches = requires(Lane& lane) {
                     lane.launch();
                     lane.synchronize();
                   };
template <class Lane>
concept HasEvents = requires(Lane& lane) {
                      lane.record();
                      lane.query_event();
                      lane.synchronize_event();
                      lane.wait_event();
                      lane.synchronize_second();
                    };
// Launches whose arguments are others each time.
template <class Lane>
concept Changes = Launches<Lane> && requires(Lane& lane) { lane.launch_changed(); };
template <class Lane>
concept HasTimedEvents =
    HasEvents<Lane> && requires(Lane& lane, Bench& bench) { lane.prepare_timing(bench); };
// Something keeps its stream from going on for as long as what hold() gives lives.
template <class Lane>
concept CanBeHeld = requires(Lane& lane, Bench& bench) { lane.hold(bench).let_go(); };
// Memory of its own, which copies and fills reach. Not xhal's lanes, whose rows share memory.
template <class Lane>
concept HasMemory = requires(Lane& lane, void* pointer, uint64_t size, uint32_t kind) {
                      { lane.allocate(kind, size) } -> std::same_as<void*>;
                      lane.release(pointer);
                      lane.copy(pointer, pointer, size);
                      lane.fill(pointer, size, kind, size);
                      lane.synchronize();
                    };
template <class Lane>
concept HasHostFunctions = requires(Lane& lane) { lane.host_function(nullptr, nullptr); };
template <class Lane>
concept Queries = requires(Lane& lane) { lane.query_stream(); };
// Calls of xhal itself, through libxhal or past it.
template <class Lane>
concept CallsXhal = requires(Lane& lane) { lane.calls(); };

template <class Lane>
using LaneSetup = void (*)(Bench&, Lane&);

// What the lanes of a row are like, and how large its blocks.
struct LaneOptions {
  int arguments = 3;  // of the empty kernel; 0: nothing is launched
  uint64_t most_units = 1000;
  // What the scenario asks for, of lanes that may lack it.
  bool has_times = false;
  bool holds = false;
  bool has_memory = false;
  bool has_host_functions = false;
};

template <class Lane>
bool has_what_is_asked(const Bench& bench, const LaneOptions& options) {
  if (!Lane::applies(bench)) return false;
  if constexpr (!HasTimedEvents<Lane>)
    if (options.has_times) return false;
  if constexpr (!CanBeHeld<Lane>)
    if (options.holds) return false;
  if constexpr (requires { Lane::can_be_held(bench); })
    if (options.holds && !Lane::can_be_held(bench)) return false;
  if constexpr (requires { Lane::has_pointers(bench); })
    if (options.has_memory && !Lane::has_pointers(bench)) return false;
  if constexpr (requires { Lane::runs_host_functions(bench); })
    if (options.has_host_functions && !Lane::runs_host_functions(bench)) return false;
  return true;
}

// One that makes a scenario's lane and keeps it; null when the lane does not apply.
template <class Lane>
std::shared_ptr<Lane> make_lane(Bench& bench, const LaneOptions& options) {
  if (!has_what_is_asked<Lane>(bench, options)) return nullptr;
  auto lane = std::make_shared<Lane>(bench);
  if (options.arguments > 0) lane->prepare_launch(bench, options.arguments);
  if constexpr (HasTimedEvents<Lane>)
    if (options.has_times) lane->prepare_timing(bench);
  return lane;
}

template <class Lane, class Scenario>
Side lane_side(const std::shared_ptr<Lane>& lane, const Scenario& scenario, const LaneOptions& options) {
  return {Lane::kName, [lane, scenario](uint64_t units) { return scenario(*lane, units); }, 1,
          options.most_units};
}

// Calls `visit(lane)` with each raw lane that it takes and that applies.
template <class Visit, class... Lanes>
void each_raw_lane(Bench& bench, const LaneOptions& options, const Visit& visit, std::tuple<Lanes...>*) {
  const auto one = [&]<class Lane>(Lane*) {
    if constexpr (std::invocable<const Visit&, const std::shared_ptr<Lane>&>) {
      if (const auto lane = make_lane<Lane>(bench, options)) visit(lane);
    }
  };
  (one(static_cast<Lanes*>(nullptr)), ...);
}
template <class Visit>
void each_raw_lane(Bench& bench, const LaneOptions& options, const Visit& visit) {
  each_raw_lane(bench, options, visit, static_cast<RawLanes*>(nullptr));
}

// A raw lane beside the subject. Where commands run within the call, as a fast one does next to nothing, what xhal adds is told in nanoseconds.
inline void add_raw_side(Row& row, const Bench& bench, Side side) {
  if (side.name == kOpenClReference && bench.properties().is_synchronous != 0) {
    row.comparisons.push_back(
        {side.name + ", added ns",
         [place = row.sides.size()](std::span<const double> ns) { return ns[0] - ns[place]; },
         Better::kLess});
    row.sides.push_back(std::move(side));
    return;
  }
  row.beside(std::move(side));
}

// Adds to a row the raw lanes on which the scenario can be said.
template <class Scenario>
void add_raw_sides(Row& row, Bench& bench, const Scenario& scenario, const LaneOptions& options) {
  each_raw_lane(
      bench, options,
      [&]<class Lane>(
          const std::shared_ptr<Lane>& lane) requires std::invocable<const Scenario&, Lane&, uint64_t> {
                                               add_raw_side(row, bench, lane_side(lane, scenario, options));
                                             });
}

// `scenario(lane, units)` gives the nanoseconds of one unit.
template <class Scenario>
Row scenario_row(Bench& bench, const Scenario& scenario, const LaneOptions& options = {}) {
  Row row;
  const auto lane = make_lane<HalLane>(bench, options);
  row.sides.push_back(lane_side(lane, scenario, options));
  row.verify = [&bench, lane, options] { bench.expect_work(lane->stream(), options.arguments > 0); };
  add_raw_sides(row, bench, scenario, options);
  return row;
}

}  // namespace xhal::bench
