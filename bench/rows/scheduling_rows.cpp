// SPDX-License-Identifier: Apache-2.0
// gap.*, concurrency, priority.preempt, streams.many: what the device makes of work that is there already.
#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/rows/spin_cell.hpp"
#include "oracles.h"

namespace xhal::bench {
namespace {

// ---- Between two kernels

constexpr uint64_t kBriefTurns = 100;

// So many brief kernels, one behind the other; one kernel that is as long as all of them; and the same chain as a graph. All wait behind an operation
// when they are submitted, so that submitting takes no part in what is timed; host functions of the stream before and behind them look at the clock,
// so that neither does waking the caller.
class Chain {
 public:
  Chain(Bench& bench, uint64_t count)
      : bench_(bench),
        count_(count),
        brief_(bench, kBriefTurns),
        whole_(bench, kBriefTurns * count),
        replayed_(bench, kBriefTurns),
        stream_(bench.make_stream()),
        other_(bench.make_stream()) {
    for (uint64_t i = 0; i < count; ++i) events_.push_back(bench.make_event());
  }

  double one_kernel() {
    return timed(whole_, [&] { whole_.on(stream_); });
  }
  double one_stream() {
    return timed(brief_, [&] {
      for (uint64_t i = 0; i < count_; ++i) brief_.on(stream_);
    });
  }
  // Each kernel waits for an event behind the one before it, which is on the other stream; the first and the last one are on the first.
  double two_streams() {
    return timed(brief_, [&] {
      for (uint64_t i = 0; i < count_; ++i) {
        xhal_stream_t on = i % 2 == 0 ? stream_ : other_;
        xhal_stream_t next = i % 2 == 0 ? other_ : stream_;
        brief_.on(on);
        if (i + 1 == count_) break;
        check("xhal_event_record", xhal_event_record(events_[i], on, 0));
        check("xhal_stream_wait_event", xhal_stream_wait_event(next, events_[i], 0));
      }
    });
  }
  double graph() {
    return timed(replayed_, [&] { check("xhal_graph_exec_launch", xhal_graph_exec_launch(exec_, stream_)); });
  }

  void capture() {
    check("xhal_stream_begin_capture", xhal_stream_begin_capture(stream_, XHAL_CAPTURE_THREAD));
    for (uint64_t i = 0; i < count_; ++i) replayed_.on(stream_);
    xhal_graph_t graph = nullptr;
    check("xhal_stream_end_capture", xhal_stream_end_capture(stream_, &graph));
    const Graph owned(graph);
    xhal_graph_exec_t exec = nullptr;
    check("xhal_graph_instantiate", xhal_graph_instantiate(graph, 0, &exec));
    exec_ = GraphExec(exec);
  }
  void verify() const {
    brief_.expect(count_, stream_);
    whole_.expect(1, stream_);
    if (exec_ != nullptr) replayed_.expect(count_, stream_);
  }
  [[nodiscard]] uint64_t count() const { return count_; }

 private:
  template <class Submit>
  double timed(const SpinCell& cell, const Submit& submit) {
    cell.renew(stream_);
    wait_for(stream_);
    HeldStream hold(bench_, stream_);
    stamp(begin_);
    submit();
    stamp(end_);
    hold.let_go();
    wait_for(stream_);
    return std::chrono::duration<double, std::nano>(end_ - begin_).count();
  }
  void stamp(Clock::time_point& when) {
    const xhal_host_fn now = [](void* to, xhal_result_t) {
      *static_cast<Clock::time_point*>(to) = Clock::now();
    };
    check("xhal_stream_host_function", xhal_stream_host_function(stream_, now, &when));
  }

  Bench& bench_;
  uint64_t count_;
  SpinCell brief_;
  SpinCell whole_;
  SpinCell replayed_;
  Stream stream_;
  Stream other_;
  std::vector<Event> events_;
  GraphExec exec_;
  Clock::time_point begin_;
  Clock::time_point end_;
};

Side once(const char* name, const std::shared_ptr<Chain>& chain, double (Chain::*run)()) {
  return {name, [chain, run](uint64_t) { return ((*chain).*run)(); }, 1, 1};
}

// By the gap: a chain's time less that of one kernel that is as long.
Formula gap(size_t chain, size_t one_kernel, uint64_t count) {
  return [=](std::span<const double> ns) {
    return (ns[chain] - ns[one_kernel]) / static_cast<double>(count - 1);
  };
}

// Of no use where the machine was taken away and the reference's gap came out as none.
Formula quotient_of(Formula above, Formula below) {
  return [above = std::move(above), below = std::move(below)](std::span<const double> ns) {
    const double by = below(ns);
    return by > 0 ? above(ns) / by : kUncounted;
  };
}

Row gap_in_stream(Bench& bench) {
  constexpr uint64_t kKernels = 500;
  const auto chain = std::make_shared<Chain>(bench, kKernels);
  Row row;
  row.sides.push_back(once("xhal", chain, &Chain::one_stream));
  row.sides.push_back(once("one_kernel", chain, &Chain::one_kernel));
  row.value = gap(0, 1, kKernels);
  if (bench.claims(XHAL_FEATURE_GRAPH)) {
    chain->capture();
    row.sides.push_back(once("graph", chain, &Chain::graph));
    row.comparisons.push_back({"graph", quotient_of(row.value, gap(2, 1, kKernels)), Better::kLess});
  } else {
    row.sides.push_back(ring_limit(Reader::kRuns, Until::kTaken));
    row.comparisons.push_back({"ring", quotient_of(row.value, time_of(2)), Better::kLess});
  }
  row.verify = [chain] { chain->verify(); };
  return row;
}

Row gap_by_events(Bench& bench) {
  constexpr uint64_t kKernels = 201;
  const auto chain = std::make_shared<Chain>(bench, kKernels);
  Row row;
  row.sides.push_back(once("xhal", chain, &Chain::two_streams));
  row.sides.push_back(once("one_kernel", chain, &Chain::one_kernel));
  row.sides.push_back(once("same_stream", chain, &Chain::one_stream));
  row.value = gap(0, 1, kKernels);
  row.comparisons.push_back({"same_stream", quotient_of(row.value, gap(2, 1, kKernels)), Better::kLess});
  row.verify = [chain] { chain->verify(); };
  return row;
}

// ---- Side by side

// A stream and the work on it.
struct BusyStream {
  BusyStream(Bench& bench, uint64_t turns, int32_t priority = 0)
      : stream(bench.make_stream(0, priority)), cell(bench, turns) {}
  Stream stream;
  SpinCell cell;
};
using BusyStreams = std::vector<std::unique_ptr<BusyStream>>;

// Launches on each of them in turn, and their ends. All are awake before.
double launch_on(const BusyStreams& all, size_t count, uint64_t times) {
  for (size_t i = 0; i < count; ++i) all[i]->cell.renew(all[i]->stream);
  for (size_t i = 0; i < count; ++i) wait_for(all[i]->stream);
  return nanoseconds_of([&] {
    for (uint64_t k = 0; k < times; ++k) {
      for (size_t i = 0; i < count; ++i) all[i]->cell.on(all[i]->stream);
    }
    for (size_t i = 0; i < count; ++i) wait_for(all[i]->stream);
  });
}

// Four kernels on each stream: a single one's time would be that of waking a second worker as well.
constexpr uint64_t kInARow = 4;

Side in_a_row(std::string name, const std::function<double()>& block) {
  return {std::move(name), [block](uint64_t units) { return block() / static_cast<double>(units); }, kInARow,
          kInARow};
}

// With short kernels it tells how soon another worker comes, rather than how well they work side by side.
Row concurrency(Bench& bench, size_t count, double kernel_ns) {
  constexpr double kStepNs = 1.25;  // of a thread, about
  const auto steps = static_cast<uint64_t>(kernel_ns / kStepNs);
  const uint64_t turns = turns_for(bench, kernel_ns);
  const auto all = std::make_shared<BusyStreams>();
  for (size_t i = 0; i < count; ++i) all->push_back(std::make_unique<BusyStream>(bench, turns));
  const size_t threads = std::min<size_t>(count, std::max(std::thread::hardware_concurrency(), 1u));
  Row row;
  row.sides.push_back(in_a_row("xhal", [=] { return launch_on(*all, count, kInARow); }));
  row.sides.push_back(in_a_row("one_stream", [=] { return launch_on(*all, 1, kInARow); }));
  row.sides.push_back(in_a_row("threads", [=] {
    return raw_parallel(static_cast<int>(threads),
                        [=](int) { spin_arithmetic(kInARow * steps * count / threads); });
  }));
  row.sides.push_back(in_a_row(
      "one_thread", [=] { return raw_parallel(1, [=](int) { spin_arithmetic(kInARow * steps); }); }));
  const auto gain = [count](size_t one, size_t together) {
    return [=](std::span<const double> ns) { return static_cast<double>(count) * ns[one] / ns[together]; };
  };
  row.value = gain(1, 0);
  row.comparisons.push_back({"threads", quotient_of(gain(1, 0), gain(3, 2)), Better::kMore});
  row.verify = [all] {
    for (const auto& one : *all) one->cell.expect(kInARow, one->stream);
  };
  return row;
}

// ---- Priorities

// A launch on the most urgent stream and its end, while two of the least urgent have many short kernels before them, and while they have none.
Row preempt(Bench& bench) {
  bench.need(XHAL_FEATURE_STREAM_PRIORITY, "stream_priority");
  constexpr uint64_t kKernels = 64;
  constexpr double kKernelNs = 5'000;
  const uint64_t turns = turns_for(bench, kKernelNs);
  struct World {
    Stream urgent;
    BusyStreams ordinary;
  };
  const auto world = std::make_shared<World>();
  world->urgent = bench.make_stream(0, bench.properties().priority_greatest);
  for (int i = 0; i < 2; ++i)
    world->ordinary.push_back(std::make_unique<BusyStream>(bench, turns, bench.properties().priority_least));
  const auto launch = std::make_shared<NothingLaunch>(bench, 3);
  const auto latency = [world, launch](uint64_t kernels) {
    launch->on(world->urgent);
    wait_for(world->urgent);
    for (const auto& one : world->ordinary) {
      one->cell.renew(one->stream);
      wait_for(one->stream);
    }
    for (uint64_t k = 0; k < kernels; ++k) {
      for (const auto& one : world->ordinary) one->cell.on(one->stream);
    }
    const double ns = nanoseconds_of([&] {
      launch->on(world->urgent);
      wait_for(world->urgent);
    });
    bool is_loaded = true;
    for (const auto& one : world->ordinary)
      is_loaded = is_loaded && xhal_stream_query(one->stream) == XHAL_NOT_READY;
    for (const auto& one : world->ordinary) wait_for(one->stream);
    return is_loaded || kernels == 0 ? ns : kUncounted;
  };
  const auto loads = std::make_shared<bool>(false);
  Row row;
  row.sides.push_back({"loaded",
                       [latency, loads](uint64_t) {
                         *loads = true;
                         return latency(kKernels);
                       },
                       1, 1});
  row.beside({"idle",
              [latency, loads](uint64_t) {
                *loads = false;
                return latency(0);
              },
              1, 1});
  row.verify = [world, loads] {
    for (const auto& one : world->ordinary) one->cell.expect(*loads ? kKernels : 0, one->stream);
  };
  return row;
}

// ---- Many streams

// Eight kernels of 256 items on each stream, stream after stream, and as many on one.
Row many_streams(Bench& bench, size_t count) {
  constexpr uint64_t kKernels = 8;
  constexpr uint32_t kItems = 256;
  constexpr uint64_t kPage = 4096;
  constexpr uint64_t kOp = 3;
  struct World {
    explicit World(Bench& bench, uint64_t room)
        : cells(bench.make_memory(XHAL_MEMORY_DEVICE, room)),
          fold(bench.pack_kernel("xhal_fold_u64"), 1, kItems) {}
    std::vector<Stream> streams;
    Memory cells;
    PreparedLaunch fold;
    uint64_t folds = 0;
  };
  const auto world = std::make_shared<World>(bench, count * kPage);
  world->fold.updates(world->cells.get()).value(kOp).value(uint64_t{kItems});
  for (size_t i = 0; i < count; ++i) world->streams.push_back(bench.make_stream());
  check("xhal_memory_fill",
        xhal_memory_fill(world->streams[0], world->cells.get(), 1, sizeof(uint64_t), world->cells.size()));
  wait_for(world->streams[0]);
  const auto launch_all = [world, &bench, count](bool on_one) {
    world->folds += kKernels;
    return nanoseconds_of([&] {
             for (size_t i = 0; i < count; ++i) {
               world->fold.point(0, world->cells.bytes() + i * kPage);
               for (uint64_t k = 0; k < kKernels; ++k) world->fold.on(world->streams[on_one ? 0 : i]);
             }
             check("xhal_device_synchronize", xhal_device_synchronize(bench.device(), XHAL_WAIT_FOREVER));
           }) /
           static_cast<double>(count * kKernels);
  };
  Row row;
  row.sides.push_back({"xhal", [=](uint64_t) { return launch_all(false); }, 1, 1});
  row.beside({"one_stream", [=](uint64_t) { return launch_all(true); }, 1, 1});
  row.verify = [world, count] {
    uint64_t wanted = 1;
    for (uint64_t i = 0; i < world->folds; ++i) wanted = oracle::mix(wanted, kOp);
    const std::vector<uint64_t> words = words_of(world->cells, world->streams[0]);
    constexpr size_t kWords = kPage / sizeof(uint64_t);
    for (size_t i = 0; i < count; ++i) {
      if (words[i * kWords] != wanted || words[i * kWords + kItems - 1] != wanted)
        throw RowFailed("stream " + std::to_string(i) + "'s kernels did not all run");
    }
  };
  return row;
}

}  // namespace

void add_scheduling_rows(Rows& rows) {
  rows.push_back({"gap.same_stream", "", "ns", "from a kernel's end to the next one's begin, on one stream",
                  "(t(500 kernels) - t(one as long)) / 499, beside the same of a graph", gap_in_stream});
  rows.push_back({"gap.event", "", "ns", "the same, each kernel on the other stream than the last, by events",
                  "(t(201 kernels) - t(one as long)) / 200, beside the same on one stream", gap_by_events});
  constexpr double kLongNs = 50'000;
  constexpr double kShortNs = 10'000;
  constexpr double kVeryLongNs = 1'000'000;
  const auto add_concurrency = [&](size_t streams, const char* more, const char* kernels, double kernel_ns) {
    rows.push_back({"concurrency", parameter("streams", streams) + more, "",
                    std::string(kernels) + " on so many streams, as often as fast as one by one",
                    "k * t(1 stream) / t(k streams), beside the same of threads",
                    [=](Bench& bench) { return concurrency(bench, streams, kernel_ns); }});
  };
  for (const size_t streams : {2u, 4u, 8u}) add_concurrency(streams, "", "kernels of 50 us", kLongNs);
  add_concurrency(2, ",kernels=short", "kernels of 10 us", kShortNs);
  add_concurrency(2, ",kernels=long", "kernels of 1 ms", kVeryLongNs);
  rows.push_back({"priority.preempt", "", "ns",
                  "an empty kernel and its end on an urgent stream, two others full of short kernels",
                  "t(loaded) / t(idle)", preempt});
  for (const size_t streams : {32u, 1024u}) {
    rows.push_back({"streams.many", parameter("streams", streams), "ns",
                    "eight small kernels on each of so many streams, by the kernel", "xhal / one_stream",
                    [=](Bench& bench) { return many_streams(bench, streams); }});
  }
}

}  // namespace xhal::bench
