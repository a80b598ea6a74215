// SPDX-License-Identifier: Apache-2.0
// event.*: marks in streams, and what the device's clock is worth.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "bench/rows/row_parts.hpp"

namespace xhal::bench {
namespace {

constexpr uint64_t kBatch = 1000;

uint32_t timing_flag(Bench& bench, bool timing) {
  if (!timing) return 0;
  bench.need(XHAL_FEATURE_EVENT_TIMING, "event_timing");
  return XHAL_EVENT_TIMING;
}

Row create_and_destroy(Bench& bench, bool timing) {
  xhal_event_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.flags = timing_flag(bench, timing);
  // Through libxhal alone: what the table's create gives out has no table yet.
  const auto lane = make_lane<HalLane>(bench, no_launches(kBatch));
  Row row;
  row.sides.push_back(lane_side(
      lane,
      [desc](HalLane& on, uint64_t units) {
        return nanoseconds_each(units, [&] {
          xhal_event_t event = nullptr;
          check("xhal_event_create", on.calls().event_create(on.device(), &desc, &event));
          check("xhal_event_destroy", on.calls().event_destroy(event));
        });
      },
      no_launches(kBatch)));
  row.beside(malloc_limit(64));
  return row;
}

// Of an event with timing or without, the stream held or not.
LaneOptions event_options(bool timing, bool is_held, uint64_t most_units) {
  LaneOptions options = no_launches(most_units);
  options.has_times = timing;
  options.holds = is_held;
  return options;
}

// `body()` while the lane is held, or not.
template <class Lane, class Body>
double maybe_held(Bench& bench, Lane& lane, bool is_held, const Body& body) {
  if constexpr (CanBeHeld<Lane>) {
    if (is_held) {
      auto hold = lane.hold(bench);
      const double out = body();
      hold.let_go();
      return out;
    }
  }
  return body();
}

Row record(Bench& bench, bool timing, bool is_held) {
  const auto scenario = [&bench, is_held](HasTimedEvents auto& lane, uint64_t units) {
    const double each =
        maybe_held(bench, lane, is_held, [&] { return nanoseconds_each(units, [&] { lane.record(); }); });
    lane.synchronize();
    return each;
  };
  Row row = scenario_row(bench, scenario, event_options(timing, is_held, kBatch));
  row.beside(lock_limit());
  return row;
}

// Without timing also on lanes that are not xhal's.
Row record_alike(Bench& bench) {
  return scenario_row(
      bench,
      [](HasEvents auto& lane, uint64_t units) {
        const double each = nanoseconds_each(units, [&] { lane.record(); });
        lane.synchronize();
        return each;
      },
      no_launches(kBatch));
}

Row query(Bench& bench) {
  Row row = scenario_row(
      bench,
      [](HasEvents auto& lane, uint64_t units) {
        lane.record();
        lane.synchronize();
        return nanoseconds_each(units, [&] { benchmark::DoNotOptimize(lane.query_event()); });
      },
      no_launches(100'000));
  row.beside(load_limit());
  return row;
}

// `body()` with an event that is recorded, and done, or behind an operation that waits.
template <class Lane, class Body>
double with_recorded(Bench& bench, Lane& lane, bool is_held, const Body& body) {
  const double each = maybe_held(bench, lane, is_held, [&] {
    lane.record();
    if (!is_held) lane.synchronize();
    return body();
  });
  lane.synchronize();
  return each;
}

// Of an event with timing or without, done or not.
Row query_of(Bench& bench, bool timing, bool is_held) {
  const auto scenario = [&bench, is_held](HasTimedEvents auto& lane, uint64_t units) {
    return with_recorded(bench, lane, is_held, [&] {
      bool is_odd = false;
      const double each = nanoseconds_each(units, [&] { is_odd |= lane.query_event() == is_held; });
      if (is_odd) throw RowFailed("an event tells what it is not");
      return each;
    });
  };
  Row row = scenario_row(bench, scenario, event_options(timing, is_held, 100'000));
  row.beside(load_limit());
  return row;
}

Row synchronize(Bench& bench) {
  return scenario_row(
      bench,
      [](HasEvents auto& lane, uint64_t units) {
        lane.record();
        lane.synchronize();
        return nanoseconds_each(units, [&] { lane.synchronize_event(); });
      },
      no_launches(100'000));
}

// ---- The device's clock

// A piece of time that passes between two events on an empty stream, by the device and by the host.
Row elapsed(Bench& bench) {
  struct Ends {
    Event begin;
    Event end;
    Stream stream;
    double device_ns = kUncounted;
    double host_ns = kUncounted;
  };
  const auto ends =
      std::make_shared<Ends>(Ends{bench.make_event(timing_flag(bench, true)),
                                  bench.make_event(timing_flag(bench, true)), bench.make_stream()});
  Row row;
  // The host's turn measures both: they are two readings of one piece of time.
  row.before_round = [ends] {
    const auto mark = [&](xhal_event_t event) {
      check("xhal_event_record", xhal_event_record(event, ends->stream, 0));
      check("xhal_event_synchronize", xhal_event_synchronize(event, XHAL_WAIT_FOREVER));
    };
    mark(ends->begin);
    const Clock::time_point start = Clock::now();
    spin_arithmetic(4'000'000);
    ends->host_ns = since(start);
    mark(ends->end);
    int64_t ns = 0;
    check("xhal_event_get_elapsed", xhal_event_get_elapsed(ends->begin, ends->end, &ns));
    ends->device_ns = static_cast<double>(ns);
  };
  row.sides.push_back({"device_clock", [ends](uint64_t) { return ends->device_ns; }, 1, 1});
  row.beside({"host_clock", [ends](uint64_t) { return ends->host_ns; }, 1, 1});
  return row;
}

// The shortest time that the device tells between two events, one right behind the other.
Row resolution(Bench& bench) {
  struct Ends {
    Event begin;
    Event end;
    Stream stream;
  };
  const auto ends =
      std::make_shared<Ends>(Ends{bench.make_event(timing_flag(bench, true)),
                                  bench.make_event(timing_flag(bench, true)), bench.make_stream()});
  const auto declared = static_cast<double>(bench.properties().event_resolution_ns);
  Row row;
  row.sides.push_back({"step",
                       [ends](uint64_t units) {
                         double least = kUncounted;
                         for (uint64_t i = 0; i < units; ++i) {
                           check("xhal_event_record", xhal_event_record(ends->begin, ends->stream, 0));
                           check("xhal_event_record", xhal_event_record(ends->end, ends->stream, 0));
                           wait_for(ends->stream);
                           int64_t ns = 0;
                           check("xhal_event_get_elapsed",
                                 xhal_event_get_elapsed(ends->begin, ends->end, &ns));
                           if (ns > 0 && !(static_cast<double>(ns) >= least)) least = static_cast<double>(ns);
                         }
                         return least;
                       },
                       50, 50});
  row.beside({"declared", [declared](uint64_t) { return declared; }, 1, 1});
  return row;
}

// ---- Waits

// Of an event with timing or without, done or not; of one that is not done the waits pile up in the waiting stream.
Row wait_call_of(Bench& bench, bool timing, bool is_held) {
  const auto scenario = [&bench, is_held](HasTimedEvents auto& lane, uint64_t units) {
    const double each = with_recorded(bench, lane, is_held,
                                      [&] { return nanoseconds_each(units, [&] { lane.wait_event(); }); });
    lane.synchronize_second();
    return each;
  };
  Row row = scenario_row(bench, scenario, event_options(timing, is_held, kBatch));
  row.beside(lock_limit());
  return row;
}

Row wait_call(Bench& bench) {
  Row row = scenario_row(
      bench,
      [](HasEvents auto& lane, uint64_t units) {
        lane.record();
        const double each = nanoseconds_each(units, [&] { lane.wait_event(); });
        lane.synchronize_second();
        return each;
      },
      no_launches(kBatch));
  row.beside(lock_limit());
  return row;
}

// From stream to stream by events, twenty times there and back, by the hop.
constexpr int kHops = 40;

// The same with two raw lanes.
template <class Lane>
double raw_chain(Lane& first, Lane& second) {
  return nanoseconds_of([&] {
           for (int i = 0; i < kHops; ++i) {
             Lane& on = i % 2 == 0 ? first : second;
             on.launch();
             on.record();
             (i % 2 == 0 ? second : first).wait_for_event_of(on);
           }
           first.synchronize();
           second.synchronize();
         }) /
         kHops;
}

Row dependency(Bench& bench) {
  struct Streams {
    std::vector<Stream> two;
    std::vector<Event> events;
  };
  const auto streams = std::make_shared<Streams>();
  for (int i = 0; i < 2; ++i) streams->two.push_back(bench.make_stream());
  for (int i = 0; i < kHops; ++i) streams->events.push_back(bench.make_event());
  const auto launch = std::make_shared<NothingLaunch>(bench, 3);
  const auto chain = [streams, launch](bool hops) {
    for (size_t i = 0; i < kHops; ++i) {
      const xhal_stream_t on = streams->two[hops ? i % 2 : 0];
      launch->on(on);
      if (!hops) continue;
      check("xhal_event_record", xhal_event_record(streams->events[i], on, 0));
      check("xhal_stream_wait_event",
            xhal_stream_wait_event(streams->two[(i + 1) % 2], streams->events[i], 0));
    }
    for (const Stream& stream : streams->two) wait_for(stream);
  };
  Row row;
  row.sides.push_back({"xhal, two streams",
                       [chain](uint64_t) { return nanoseconds_of([&] { chain(true); }) / kHops; }, 1, 1});
  row.sides.push_back({"xhal, one stream",
                       [chain](uint64_t) { return nanoseconds_of([&] { chain(false); }) / kHops; }, 1, 1});
  row.sides.push_back(spin_limit());
  row.value = [](std::span<const double> ns) { return ns[0] - ns[1]; };
  row.comparisons.push_back(
      {"spin", [](std::span<const double> ns) { return (ns[0] - ns[1]) / ns[2]; }, Better::kLess});
  // The whole chain beside the whole chain: of two differences the quotient tells nothing.
  each_raw_lane(bench, {}, [&]<HasMemory Lane>(const std::shared_ptr<Lane>& first) {
    const auto second = make_lane<Lane>(bench, {});
    add_raw_side(row, bench, {Lane::kName, [=](uint64_t) { return raw_chain(*first, *second); }, 1, 1});
  });
  return row;
}

// Many streams' events into one stream, or one event into many streams; by the event, beside a single one.
constexpr size_t kFan = 32;

template <class Lane>
double raw_fan(Lane& one, const std::vector<std::shared_ptr<Lane>>& lanes, bool is_in) {
  const double ns = nanoseconds_of([&] {
    if (!is_in) one.record();
    for (const auto& lane : lanes) {
      if (is_in) lane->record();
      (is_in ? one : *lane).wait_for_event_of(is_in ? *lane : one);
    }
    if (is_in) {
      one.synchronize();
    } else {
      for (const auto& lane : lanes) lane->synchronize();
    }
  });
  return ns / static_cast<double>(lanes.size());
}

Row fan(Bench& bench, bool is_in) {
  struct World {
    std::vector<Stream> streams;
    std::vector<Event> events;
    Stream one;
    Event mark;
  };
  const auto world = std::make_shared<World>();
  world->one = bench.make_stream();
  world->mark = bench.make_event();
  for (size_t i = 0; i < kFan; ++i) {
    world->streams.push_back(bench.make_stream());
    world->events.push_back(bench.make_event());
  }
  const auto run = [world, is_in](size_t count) {
    const double ns = nanoseconds_of([&] {
      if (!is_in) check("xhal_event_record", xhal_event_record(world->mark, world->one, 0));
      for (size_t i = 0; i < count; ++i) {
        if (is_in) check("xhal_event_record", xhal_event_record(world->events[i], world->streams[i], 0));
        check("xhal_stream_wait_event", xhal_stream_wait_event(is_in ? world->one : world->streams[i],
                                                               is_in ? world->events[i] : world->mark, 0));
      }
      if (is_in) {
        wait_for(world->one);
      } else {
        for (size_t i = 0; i < count; ++i) wait_for(world->streams[i]);
      }
    });
    return ns / static_cast<double>(count);
  };
  Row row;
  row.sides.push_back({"xhal, 32", [run](uint64_t) { return run(kFan); }, 1, 1});
  row.beside({"xhal, 1", [run](uint64_t) { return run(1); }, 1, 1});
  each_raw_lane(bench, no_launches(1), [&]<HasMemory Lane>(const std::shared_ptr<Lane>& one) {
    const auto lanes = std::make_shared<std::vector<std::shared_ptr<Lane>>>();
    for (size_t i = 0; i < kFan; ++i) lanes->push_back(make_lane<Lane>(bench, no_launches(1)));
    add_raw_side(row, bench, {Lane::kName, [=](uint64_t) { return raw_fan(*one, *lanes, is_in); }, 1, 1});
  });
  return row;
}

}  // namespace

void add_event_rows(Rows& rows) {
  for (const bool timing : {false, true}) {
    const std::string with = timing ? "timing=on" : "timing=off";
    rows.push_back({"event.create_destroy", with, "ns", "an event made and given back", "xhal / malloc(64)",
                    [=](Bench& bench) { return create_and_destroy(bench, timing); }});
    rows.push_back({"event.record", with + ",regime=warm", "ns", "the call, while a worker runs the stream",
                    "xhal / driver_table", [=](Bench& bench) { return record(bench, timing, false); }});
    rows.push_back({"event.record", with + ",regime=held", "ns", "the call, the stream held",
                    "xhal / driver_table", [=](Bench& bench) { return record(bench, timing, true); }});
  }
  rows.push_back({"event.record", "reused", "ns", "one event recorded over and over", "xhal / driver_table",
                  record_alike});
  rows.push_back(
      {"event.query", "", "ns", "a question about an event that is done", "xhal / driver_table", query});
  // What is neither held nor with timing is the row above.
  struct Variant {
    bool timing;
    bool is_held;
    const char* name;
  };
  constexpr Variant kVariants[] = {
      {true, false, "timing=on"}, {false, true, "regime=held"}, {true, true, "timing=on,regime=held"}};
  for (const Variant& one : kVariants) {
    rows.push_back({"event.query", one.name, "ns",
                    one.is_held ? "a question about an event of a held stream"
                                : "a question about an event that is done and has a time",
                    "xhal / driver_table",
                    [one](Bench& bench) { return query_of(bench, one.timing, one.is_held); }});
  }
  rows.push_back(
      {"event.sync", "", "ns", "a wait for an event that is done", "xhal / driver_table", synchronize});
  rows.push_back({"event.elapsed", "", "ns", "some milliseconds by the device's clock and by the host's",
                  "device / host", elapsed});
  rows.push_back({"event.resolution", "", "ns", "the least time that the device tells apart",
                  "seen / declared", resolution});
  rows.push_back({"stream.wait_event", "call", "ns", "the call, on another stream than the event's",
                  "xhal / driver_table", wait_call});
  for (const Variant& one : kVariants) {
    rows.push_back(
        {"stream.wait_event", std::string("call,") + one.name, "ns",
         one.is_held ? "the call, for an event of a held stream" : "the call, for an event that has a time",
         "xhal / driver_table",
         [one](Bench& bench) { return wait_call_of(bench, one.timing, one.is_held); }});
  }
  rows.push_back({"stream.wait_event", "latency", "ns",
                  "a kernel that waits for another stream's, less one that waits for its own stream's",
                  "(t(two streams) - t(one stream)) / spin", dependency});
  rows.push_back({"event.fanin", "", "ns", "32 streams' events into one stream, by the event",
                  "t(32) / 32 / t(1)", [](Bench& bench) { return fan(bench, true); }});
  rows.push_back({"event.fanout", "", "ns", "one event into 32 streams, by the stream", "t(32) / 32 / t(1)",
                  [](Bench& bench) { return fan(bench, false); }});
}

}  // namespace xhal::bench
