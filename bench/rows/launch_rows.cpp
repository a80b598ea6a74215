// SPDX-License-Identifier: Apache-2.0
// launch.*: empty kernels. What the call costs, what it costs until they have run, and there and back.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/limits/wake_trips.hpp"
#include "bench/peers/dpctl.hpp"
#include "bench/peers/peers.hpp"
#include "bench/rows/row_parts.hpp"
#include "bench/runner/other_threads.hpp"
#include "bench/runner/spin_pause.hpp"

namespace xhal::bench {
namespace {

constexpr uint64_t kLaunches = 1000;

// A worker that has just run the stream empty is told of one launch after the other. Counts when it was seen at work meanwhile.
constexpr auto kSubmit = [](Launches auto& lane, uint64_t units) {
  lane.launch();
  lane.synchronize();
  lane.record();
  const uint64_t early = std::max<uint64_t>(units / kKeptUpPart, 1);
  bool ran = false;
  const double each = nanoseconds_of([&] {
                        for (uint64_t i = 0; i < units; ++i) {
                          lane.launch();
                          if (i == early) lane.record();
                        }
                      }) /
                      static_cast<double>(units);
  ran = lane.query_event();
  lane.synchronize();
  return ran || units < kKeptUpPart ? each : kUncounted;
};

constexpr auto kSubmitAndRun = [](Launches auto& lane, uint64_t units) {
  lane.launch();
  lane.synchronize();
  return nanoseconds_of([&] {
           for (uint64_t i = 0; i < units; ++i) lane.launch();
           lane.synchronize();
         }) /
         static_cast<double>(units);
};

constexpr auto kRoundTrip = [](Launches auto& lane, uint64_t units) {
  lane.launch();
  lane.synchronize();
  return nanoseconds_each(units, [&] {
    lane.launch();
    lane.synchronize();
  });
};

// Every other thread of the process sleeps before each launch.
constexpr auto kParkedRoundTrip = [](Launches auto& lane, uint64_t units) {
  double sum = 0;
  for (uint64_t i = 0; i < units; ++i) {
    wait_until_others_sleep();
    sum += nanoseconds_of([&] {
      lane.launch();
      lane.synchronize();
    });
  }
  return sum / static_cast<double>(units);
};

Row submit(Bench& bench, int arguments) {
  const LaneOptions options{arguments, kLaunches};
  Row row = scenario_row(bench, kSubmit, options);
  row.beside(ring_limit(Reader::kRuns, Until::kHanded)).beside(slot_row_limit(Until::kHanded));
  return row;
}

// All of it waits behind one operation, so that nobody but the submitter touches the queue.
auto submit_behind_a_hold(Bench& bench) {
  return [&bench](CanBeHeld auto& lane, uint64_t units) {
    auto hold = lane.hold(bench);
    const double each = nanoseconds_each(units, [&] { lane.launch(); });
    hold.let_go();
    lane.synchronize();
    return each;
  };
}

Row submit_held(Bench& bench, int arguments) {
  Row row = scenario_row(bench, submit_behind_a_hold(bench), held_launches(arguments, kLaunches));
  row.beside(ring_limit(Reader::kIsHeld, Until::kHanded));
  return row;
}

Row throughput(Bench& bench, int arguments) {
  const LaneOptions options{arguments, kLaunches};
  Row row = scenario_row(bench, kSubmitAndRun, options);
  row.beside(ring_limit(Reader::kRuns, Until::kTaken)).beside(slot_row_limit(Until::kTaken));
  add_iree(row, bench, kLaunches);
  return row;
}

Row round_trip(Bench& bench) {
  Row row = scenario_row(bench, kRoundTrip, {3, 500});
  row.beside(spin_limit()).beside(futex_limit());
  add_iree(row, bench, 1);
  return row;
}

Row parked_round_trip(Bench& bench) {
  Row row = scenario_row(bench, kParkedRoundTrip, {3, 5});
  row.beside(parked_limit(Back::kAsleep)).beside(parked_limit(Back::kSpinning));
  return row;
}

// The caller is asleep in a synchronise, and the operation that it waits for is told to end: from there on until the caller is back. Of that the call
// is so small a part that the driver's own table is not beside it.
Row wake(Bench& bench) {
  bench.need_held_streams();
  const LaneOptions options = no_launches(2);  // units, each with a thread of its own
  const auto lane = make_lane<HalLane>(bench, options);
  const auto scenario = [](HalLane& on, uint64_t units) {
    const xhal_host_fn pass = [](void* gate, xhal_result_t) { static_cast<SpinningGate*>(gate)->pass(); };
    return wake_trips(
        static_cast<int>(units), [&](SpinningGate& gate) { on.host_function(pass, &gate); },
        [&] { on.synchronize(); }, [] {});
  };
  Row row;
  row.sides.push_back(lane_side(lane, scenario, options));
  row.beside(wake_limit()).beside(parked_limit(Back::kSpinning));
  row.verify = [&bench, lane] { bench.expect_work(lane->stream(), false); };
  return row;
}

// As many threads that compute as there are processors, for as long as the row lives.
class Load {
 public:
  Load() {
    const unsigned count = std::max(std::thread::hardware_concurrency(), 1u);
    for (unsigned i = 0; i < count; ++i) {
      threads_.emplace_back([this] {
        while (!stop_.load(std::memory_order_relaxed)) spin_arithmetic(10'000);
      });
    }
  }
  ~Load() {
    stop_.store(true);
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

Row loaded_round_trip(Bench& bench) {
  Row row = scenario_row(bench, kRoundTrip, {3, 5});
  // A trip takes time slices of those who compute.
  Side spin = spin_limit();
  spin.least_units = spin.most_units = 5;
  row.beside(std::move(spin));
  row.keeps.push_back(std::make_shared<Load>());
  return row;
}

// ---- Arguments

constexpr auto kSubmitChanged = [](Changes auto& lane, uint64_t units) {
  const double each = nanoseconds_each(units, [&] { lane.launch_changed(); });
  lane.synchronize();
  return each;
};

constexpr auto kRoundTripChanged = [](Changes auto& lane, uint64_t units) {
  return nanoseconds_each(units, [&] {
    lane.launch_changed();
    lane.synchronize();
  });
};

template <class Scenario>
Row changed(Bench& bench, const Scenario& scenario, uint64_t most_units) {
  return scenario_row(bench, scenario, {NothingLaunch::kChanging, most_units});
}

constexpr int kManyArguments = 64;

// By the argument: 64 of them less none, beside copying their words.
Row each_argument(Bench& bench) {
  Row row;
  const auto held = submit_behind_a_hold(bench);
  for (const int arguments : {kManyArguments, 1}) {
    const LaneOptions options{arguments, kLaunches};
    Side side = lane_side(make_lane<HalLane>(bench, options), held, options);
    side.name = "xhal, arguments=" + std::to_string(arguments);
    row.sides.push_back(std::move(side));
  }
  using Words = std::array<uint64_t, kManyArguments>;
  struct Blocks {
    Words from{};
    Words to{};
  };
  const auto blocks = std::make_shared<Blocks>();
  Side copying = memcpy_limit(blocks->to.data(), blocks->from.data(), sizeof(Words));
  copying.name = "memcpy of 64 words";
  row.sides.push_back(std::move(copying));
  row.keeps.push_back(blocks);
  row.value = [](std::span<const double> ns) { return (ns[0] - ns[1]) / (kManyArguments - 1); };
  row.comparisons.push_back({"memcpy",
                             [](std::span<const double> ns) {
                               return (ns[0] - ns[1]) / (kManyArguments - 1) / (ns[2] / kManyArguments);
                             },
                             Better::kLess});
  return row;
}

// ---- Depth

constexpr uint64_t kDepth = 65536;

// The last launches of many that nobody has run yet, beside the first ones.
Row depth(Bench& bench) {
  const LaneOptions options{3, kLaunches};
  const auto lane = make_lane<HalLane>(bench, options);
  const auto behind = [&bench](uint64_t before) {
    return [&bench, before](HalLane& on, uint64_t units) {
      HeldStream hold(bench, on.stream());
      for (uint64_t i = 0; i < before; ++i) on.launch();
      const double each = nanoseconds_each(units, [&] { on.launch(); });
      hold.let_go();
      on.synchronize();
      return each;
    };
  };
  Row row;
  row.sides.push_back(lane_side(lane, behind(kDepth - kLaunches), options));
  row.sides.back().name = "xhal, launch 65,536";
  row.sides.back().least_units = kLaunches;
  Side first = lane_side(lane, behind(0), options);
  first.name = "first_launches";
  first.least_units = kLaunches;
  row.beside(std::move(first));
  return row;
}

// ---- Threads

constexpr int kThreads = 2;

// Each of the threads on a stream of its own, or all on one; beside one thread that does as much as one of them.
Row many_threads(Bench& bench, bool is_shared) {
  const LaneOptions options{3, kLaunches};
  struct Lanes {
    std::vector<std::shared_ptr<HalLane>> all;
  };
  const auto lanes = std::make_shared<Lanes>();
  for (int i = 0; i < kThreads; ++i) lanes->all.push_back(make_lane<HalLane>(bench, options));
  const auto part = [](HalLane& lane, uint64_t units) {
    for (uint64_t i = 0; i < units; ++i) lane.launch();
  };
  const auto wait_all = [lanes] {
    for (const auto& lane : lanes->all) lane->synchronize();
  };
  Row row;
  row.sides.push_back({"xhal, 2 threads",
                       [=](uint64_t units) {
                         const double ns = raw_parallel(kThreads, [&](int thread) {
                           part(*lanes->all[is_shared ? 0 : static_cast<size_t>(thread)], units);
                         });
                         wait_all();
                         return ns / static_cast<double>(units);
                       },
                       kLaunches, kLaunches});
  row.beside({"one_thread",
              [=](uint64_t units) {
                const double ns = nanoseconds_of([&] { part(*lanes->all[0], units); });
                wait_all();
                return ns / static_cast<double>(units);
              },
              kLaunches, kLaunches});
  each_raw_lane(bench, options, [&]<HasMemory Lane>(const std::shared_ptr<Lane>& first) {
    // Its launch sets arguments, of a kernel that one thread at a time may touch.
    if (is_shared && std::same_as<Lane, UnifiedRuntimeLane>) return;
    const auto second = is_shared ? first : make_lane<Lane>(bench, options);
    add_raw_side(row, bench,
                 {Lane::kName,
                  [=](uint64_t units) {
                    const double ns = raw_parallel(kThreads, [&](int thread) {
                      Lane& lane = thread == 0 ? *first : *second;
                      for (uint64_t i = 0; i < units; ++i) lane.launch();
                    });
                    first->synchronize();
                    second->synchronize();
                    return ns / static_cast<double>(units);
                  },
                  kLaunches, kLaunches});
  });
  return row;
}

// ---- Idle streams

// One stream's launches beside so many idle ones, and beside none: a scan over streams shows. The idle ones are made for each block and have each run
// something.
Row beside_streams(Bench& bench, size_t count) {
  const LaneOptions options{3, kLaunches};
  const auto lane = make_lane<HalLane>(bench, options);
  const auto among = [&bench](size_t others) {
    return [&bench, others](HalLane& on, uint64_t units) {
      std::vector<Stream> idle;
      idle.reserve(others);
      for (size_t i = 0; i < others; ++i) {
        idle.push_back(bench.make_stream());
        check("xhal_event_record", xhal_event_record(on.event(), idle.back(), 0));
      }
      if (others > 0)
        check("xhal_device_synchronize", xhal_device_synchronize(bench.device(), XHAL_WAIT_FOREVER));
      return kSubmitAndRun(on, units);
    };
  };
  Row row;
  row.sides.push_back(lane_side(lane, among(count), options));
  row.sides.back().least_units = kLaunches;
  Side alone = lane_side(lane, among(0), options);
  alone.name = "no_other_stream";
  alone.least_units = kLaunches;
  row.beside(std::move(alone));
  return row;
}

}  // namespace

void add_launch_rows(Rows& rows) {
  for (const int arguments : {3, 8}) {
    const std::string with = parameter("args", static_cast<uint64_t>(arguments));
    rows.push_back({"launch.submit", with + ",regime=warm", "ns",
                    "the call, while a worker runs what was submitted", "xhal / driver_table",
                    [=](Bench& bench) { return submit(bench, arguments); }});
    rows.push_back({"launch.submit", with + ",regime=held", "ns",
                    "the call, behind an operation that waits: the submitter alone", "xhal / driver_table",
                    [=](Bench& bench) { return submit_held(bench, arguments); }});
    rows.push_back({"launch.throughput", with, "ns", "1,000 launches and their end, by the launch",
                    "xhal / driver_table", [=](Bench& bench) { return throughput(bench, arguments); }});
  }
  for (const int arguments : {1, 8, 32, 64}) {
    rows.push_back({"launch.args", parameter("args", static_cast<uint64_t>(arguments)), "ns",
                    "the call with so many arguments, the stream held", "xhal / driver_table",
                    [=](Bench& bench) { return submit_held(bench, arguments); }});
  }
  const std::string four = parameter("args", NothingLaunch::kChanging);
  rows.push_back({"launch.changed", "submit," + four, "ns",
                  "the call, each time with four arguments that are not those of the last time",
                  "xhal / driver_table",
                  [](Bench& bench) { return changed(bench, kSubmitChanged, kLaunches); }});
  rows.push_back({"launch.changed", "roundtrip," + four, "ns", "the same and its end, everybody awake",
                  "xhal / driver_table", [](Bench& bench) {
                    Row row = changed(bench, kRoundTripChanged, 500);
                    add_dpctl(row, bench, "launch");
                    return row;
                  }});
  rows.push_back({"launch.args", "slope", "ns", "each argument more: 64 less one",
                  "(t(64) - t(1)) / 63 / (memcpy(64 words) / 64)", each_argument});
  rows.push_back({"launch.roundtrip", "regime=warm", "ns", "an empty kernel and its end, everybody awake",
                  "xhal / driver_table", round_trip});
  rows.push_back({"launch.roundtrip", "regime=parked", "ns", "the same, every other thread asleep before",
                  "xhal / driver_table", parked_round_trip});
  rows.push_back({"launch.roundtrip", "regime=loaded", "ns",
                  "the same, beside as many computing threads as processors", "xhal / driver_table",
                  loaded_round_trip});
  rows.push_back({"launch.wake", "regime=parked", "ns",
                  "from the end of an operation until the caller, asleep in a synchronise, is back",
                  "xhal / futex_wake", wake});
  rows.push_back({"launch.depth", "", "ns", "launch number 65,536 of those that wait, beside the first 1,000",
                  "t(65,536) / t(1)", depth});
  rows.push_back({"launch.mt", "streams=own", "ns", "two threads launch, each on its stream",
                  "t(2 threads) / t(1)", [](Bench& bench) { return many_threads(bench, false); }});
  rows.push_back({"launch.mt", "streams=shared", "ns", "two threads launch on one stream",
                  "t(2 threads) / t(1)", [](Bench& bench) { return many_threads(bench, true); }});
  for (const uint64_t count : {32u, 1024u}) {
    rows.push_back({"launch.streams", parameter("idle", count), "ns",
                    "launches and their end on one stream beside so many idle ones", "t(idle) / t(0)",
                    [=](Bench& bench) { return beside_streams(bench, count); }});
  }
}

}  // namespace xhal::bench
