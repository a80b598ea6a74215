// SPDX-License-Identifier: Apache-2.0
// A scenario is written once, for any lane; a row measures it on xhal's lane and on every other one that applies and has the words for it.
//
// A lane is how an interface says what scenarios do: submit an empty kernel, synchronise, record, ... A backend that has a raw interface brings one file
// with a lane in its words and adds it to RawLanes.
#pragma once

#include <concepts>
#include <memory>
#include <tuple>
#include <utility>

#include "bench/lanes/opencl_lane.hpp"
#include "bench/lanes/simple_lane.hpp"
#include "bench/lanes/xhal_lane.hpp"
#include "bench/runner/clock.hpp"

namespace xhal::bench {

using RawLanes = std::tuple<TableLane, SimpleLane, OpenClLane>;

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
};

// One that makes a scenario's lane and keeps it; null when the lane does not apply.
template <class Lane>
std::shared_ptr<Lane> make_lane(Bench& bench, const LaneOptions& options) {
  if (!Lane::applies(bench)) return nullptr;
  auto lane = std::make_shared<Lane>(bench);
  if (options.arguments > 0) lane->prepare_launch(bench, options.arguments);
  return lane;
}

template <class Lane, class Scenario>
Side lane_side(const std::shared_ptr<Lane>& lane, const Scenario& scenario, const LaneOptions& options) {
  return {Lane::kName, [lane, scenario](uint64_t units) { return scenario(*lane, units); }, 1,
          options.most_units};
}

// Adds to a row the raw lanes of `Lanes` on which the scenario can be said.
template <class Scenario, class... Lanes>
void add_raw_sides(Row& row, Bench& bench, const Scenario& scenario, const LaneOptions& options,
                   std::tuple<Lanes...>*) {
  const auto add = [&]<class Lane>(Lane*) {
    if constexpr (std::invocable<const Scenario&, Lane&, uint64_t>) {
      if (const auto lane = make_lane<Lane>(bench, options)) row.beside(lane_side(lane, scenario, options));
    }
  };
  (add(static_cast<Lanes*>(nullptr)), ...);
}

// `scenario(lane, units)` gives the nanoseconds of one unit.
template <class Scenario>
Row scenario_row(Bench& bench, const Scenario& scenario, const LaneOptions& options = {}) {
  Row row;
  const auto lane = make_lane<HalLane>(bench, options);
  row.sides.push_back(lane_side(lane, scenario, options));
  row.verify = [&bench, lane, options] { bench.expect_work(lane->stream(), options.arguments > 0); };
  add_raw_sides(row, bench, scenario, options, static_cast<RawLanes*>(nullptr));
  return row;
}

}  // namespace xhal::bench
