// SPDX-License-Identifier: Apache-2.0
// jitter, scale.devices, fault.detect, leak.cycle, memory.*, idle.burn: what a good driver has beside speed.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/footprint/footprint.hpp"
#include "bench/footprint/object_memory.hpp"
#include "bench/rows/spin_cell.hpp"
#include "bench/runner/second_process.hpp"

namespace xhal::bench {
namespace {

// A side that gives what is known already.
Side known(const char* name, double value) {
  return {name, [value](uint64_t) { return value; }, 1, 1};
}

// ---- Jitter

// Round trips, each timed alone; before each round a batch of them, of which both sides tell a part.
Row jitter(Bench& bench, double part, const char* name, size_t trips) {
  struct Batch {
    Batch(Bench& bench, size_t trips) : launch(bench, 3), stream(bench.make_stream()), ns(trips) {}
    void make() {
      launch.on(stream);
      wait_for(stream);
      for (double& one : ns) {
        one = nanoseconds_of([this] {
          launch.on(stream);
          wait_for(stream);
        });
      }
      std::ranges::sort(ns);
    }
    [[nodiscard]] double at(double part_of_them) const {
      return ns[static_cast<size_t>(part_of_them * static_cast<double>(ns.size() - 1))];
    }
    NothingLaunch launch;
    Stream stream;
    std::vector<double> ns;
  };
  const auto batch = std::make_shared<Batch>(bench, trips);
  batch->make();
  Row row;
  row.before_round = [batch] { batch->make(); };
  row.sides.push_back({name, [batch, part](uint64_t) { return batch->at(part); }, 1, 1});
  row.beside({"p50", [batch](uint64_t) { return batch->at(0.5); }, 1, 1});
  return row;
}

// ---- Devices

// One thread that launches on two devices in turn and waits for both; by the launch on each of them, beside one device.
Row two_devices(Bench& bench) {
  bench.need_devices(2);
  constexpr uint64_t kLaunches = 200;
  struct OnDevice {
    OnDevice(Bench& bench, size_t device) : stream(bench.make_stream(device)), cell(bench, 1, device) {}
    Stream stream;
    SpinCell cell;
  };
  struct World {
    std::vector<std::unique_ptr<OnDevice>> devices;
  };
  const auto world = std::make_shared<World>();
  for (size_t i = 0; i < 2; ++i) world->devices.push_back(std::make_unique<OnDevice>(bench, i));
  const auto drive = [world](size_t count) {
    for (size_t i = 0; i < count; ++i) {
      world->devices[i]->cell.renew(world->devices[i]->stream);
      wait_for(world->devices[i]->stream);
    }
    return nanoseconds_of([&] {
             for (uint64_t k = 0; k < kLaunches; ++k) {
               for (size_t i = 0; i < count; ++i) world->devices[i]->cell.on(world->devices[i]->stream);
             }
             for (size_t i = 0; i < count; ++i) wait_for(world->devices[i]->stream);
           }) /
           static_cast<double>(kLaunches);
  };
  Row row;
  row.sides.push_back({"two_devices", [drive](uint64_t) { return drive(2); }, 1, 1});
  row.beside({"one_device", [drive](uint64_t) { return drive(1); }, 1, 1});
  row.verify = [world] {
    for (const auto& one : world->devices) one->cell.expect(kLaunches, one->stream);
  };
  return row;
}

// ---- Failures

// A stream that fails each time, and what brings the device back.
class Faults {
 public:
  explicit Faults(Bench& bench) : bench_(bench) {
    const xhal_device_properties_t& device = bench.properties();
    if (device.fault_recovery == XHAL_RECOVERY_NONE || device.fault_scope == XHAL_FAULT_SCOPE_PROCESS)
      throw NotHere("the device cannot be brought back after a failure");
    is_stream_enough_ =
        device.fault_scope == XHAL_FAULT_SCOPE_STREAM || device.fault_recovery == XHAL_RECOVERY_STREAM;
    static_cast<void>(bench.pack_kernel("xhal_trap_u32"));
  }
  ~Faults() {
    try {
      if (has_failed_) recover();
    } catch (const RowFailed&) {
      // The rows that come next say so themselves.
    }
  }
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;

  // From the launch until the end of the wait, which has to tell whether it failed.
  double detect(bool fails) {
    const World world(bench_);
    world.set(0);
    world.launch.on(world.stream);
    wait_for(world.stream);
    world.set(fails ? 1 : 0);
    xhal_result_t result = XHAL_SUCCESS;
    const double ns = nanoseconds_of([&] {
      world.launch.on(world.stream);
      result = xhal_stream_synchronize(world.stream, XHAL_WAIT_FOREVER);
    });
    has_failed_ = has_failed_ || fails;
    if ((result < 0) != fails)
      throw RowFailed(std::string("a kernel that ") + (fails ? "fails" : "is good") + ": the wait says " +
                      conformance::result_name(result));
    return ns;
  }
  // Once whatever was made before the failure is gone.
  void after_failure() {
    if (!is_stream_enough_) recover();
  }

 private:
  struct World {
    explicit World(Bench& bench)
        : flag(bench.make_memory(XHAL_MEMORY_PINNED, sizeof(uint32_t))),
          stream(bench.make_stream()),
          launch(bench.pack_kernel("xhal_trap_u32")) {
      launch.reads(flag.get());
    }
    void set(uint32_t value) const { *static_cast<volatile uint32_t*>(flag.get()) = value; }
    Memory flag;
    Stream stream;
    PreparedLaunch launch;
  };

  void recover() {
    has_failed_ = false;
    if (bench_.properties().fault_recovery == XHAL_RECOVERY_RESET) bench_.reset_device();
  }

  Bench& bench_;
  bool is_stream_enough_ = false;
  bool has_failed_ = false;
};

Row fault(Bench& bench) {
  const auto faults = std::make_shared<Faults>(bench);
  const auto block = [faults](bool fails) {
    return [faults, fails](uint64_t units) {
      double sum = 0;
      for (uint64_t i = 0; i < units; ++i) {
        sum += faults->detect(fails);
        if (fails) faults->after_failure();
      }
      return sum / static_cast<double>(units);
    };
  };
  Row row;
  row.sides.push_back({"fails", block(true), 1, 4});
  row.beside({"good", block(false), 1, 4});
  return row;
}

// ---- Leaks

enum class Grows { kResident, kDevice };

uint64_t device_bytes_in_use(Bench& bench) {
  xhal_memory_info_t info{};
  info.struct_size = sizeof(info);
  check("xhal_device_get_memory_info", xhal_device_get_memory_info(bench.device(), &info));
  return info.total_bytes - info.free_bytes;
}

// A stream, an event recorded in it, and memory that is written; all given back.
void cycle(Bench& bench) {
  constexpr uint64_t kBytes = 4096;
  const Memory memory = bench.make_memory(XHAL_MEMORY_DEVICE, kBytes);
  const Stream stream = bench.make_stream();
  const Event event = bench.make_event();
  check("xhal_memory_fill", xhal_memory_fill(stream, memory.get(), 1, 1, kBytes));
  check("xhal_event_record", xhal_event_record(event, stream, 0));
  wait_for(stream);
}

// By the cycle, once a process: the median of several parts, since what leaks grows in each of them, and what is touched for the first time, or comes
// back late from rows before, does not.
Row leak(Bench& bench, Grows what) {
  constexpr uint64_t kCycles = 2'000;
  constexpr int kParts = 5;
  const auto run = [&] {
    for (uint64_t i = 0; i < kCycles; ++i) cycle(bench);
  };
  run();
  std::vector<double> on_device;
  std::vector<double> resident;
  for (int part = 0; part < kParts; ++part) {
    const uint64_t device_before = device_bytes_in_use(bench);
    const Footprint before = trimmed_footprint();
    run();
    const Footprint after = trimmed_footprint();
    on_device.push_back(bytes_each(device_before, device_bytes_in_use(bench), kCycles));
    resident.push_back(bytes_each(before.resident, after.resident, kCycles));
  }
  const double device = median(on_device);
  Row row;
  row.sides.push_back(known("growth", what == Grows::kDevice ? device : median(resident)));
  row.beside(known("allowed", 1));
  row.verify = [device] {
    if (device >= 1)
      throw RowFailed("memory of the device does not come back: " + std::to_string(device) +
                      " bytes a cycle");
  };
  return row;
}

// ---- What an object takes

Row promised(double bytes, double promise) {
  Row row;
  row.sides.push_back(known("xhal", bytes));
  row.beside(known("promised", promise));
  return row;
}

Row stream_memory(Bench& bench, Use use) {
  constexpr size_t kCount = 256;
  return promised(memory_of_streams(bench, kCount, use).larger(), kMostBytesOfStream);
}

Row event_memory(Bench& bench, bool timing, Use use) {
  constexpr size_t kCount = 20'000;
  if (timing) bench.need(XHAL_FEATURE_EVENT_TIMING, "event_timing");
  const uint32_t flags = timing ? uint32_t{XHAL_EVENT_TIMING} : 0u;
  return promised(memory_of_events(bench, kCount, flags, use).larger(), kMostBytesOfEvent);
}

// Of a process whose first kernel has ended, its stream and instance being there, beside one that does nothing.
Row first_launch_memory(Bench& bench) {
  static_cast<void>(bench.bench_kernel("bench_empty_1"));
  const auto resident = [](SecondProcess process) {
    uint64_t bytes = 0;
    process.start();
    const std::vector<unsigned char> told = process.read(sizeof(bytes));
    process.finish();
    std::memcpy(&bytes, told.data(), sizeof(bytes));
    return static_cast<double>(bytes);
  };
  Row row;
  row.sides.push_back(known("xhal", resident(SecondProcess::resident_bytes(bench, false))));
  row.beside(known("nothing", resident(SecondProcess::resident_bytes(bench, true))));
  row.value = [](std::span<const double> bytes) { return bytes[0] - bytes[1]; };
  return row;
}

// ---- Idle streams

double processor_ns() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto ns = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_usec) * 1e3;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

// Processor time of the whole process while eight streams that have run something have nothing to do, in percent of a core.
Row idle_burn(Bench& bench) {
  constexpr size_t kStreams = 8;
  constexpr std::chrono::milliseconds kRest{100};
  struct World {
    std::vector<Stream> streams;
    double percent = kUncounted;
  };
  const auto world = std::make_shared<World>();
  const NothingLaunch launch(bench, 3);
  for (size_t i = 0; i < kStreams; ++i) {
    world->streams.push_back(bench.make_stream());
    launch.on(world->streams.back());
    wait_for(world->streams.back());
  }
  Row row;
  row.before_round = [world, kRest] {
    const double before = processor_ns();
    const double ns = nanoseconds_of([&] { std::this_thread::sleep_for(kRest); });
    world->percent = (processor_ns() - before) / ns * 100;
  };
  row.sides.push_back({"burnt", [world](uint64_t) { return world->percent; }, 1, 1});
  row.beside(known("allowed", 1));
  return row;
}

}  // namespace

void add_quality_rows(Rows& rows) {
  rows.push_back({"jitter", "p99", "ns", "the slowest of a hundred round trips of an empty kernel",
                  "p99 / p50", [](Bench& bench) { return jitter(bench, 0.99, "p99", 300); }});
  rows.push_back({"jitter", "p99.9", "ns", "the slowest of a thousand", "p99.9 / p50",
                  [](Bench& bench) { return jitter(bench, 0.999, "p99.9", 2000); }});
  rows.push_back({"scale.devices", "devices=2", "ns",
                  "a thread that launches on two devices and waits for both, by the launch on each",
                  "t(2) / t(1)", two_devices});
  rows.push_back({"fault.detect", "", "ns", "from the launch of a kernel that fails until a wait reports it",
                  "t(fails) / t(good)", fault});
  rows.push_back({"leak.cycle", "resident", "bytes",
                  "growth of the process by the cycle of a stream, an event and memory", "growth / 1 byte",
                  [](Bench& bench) { return leak(bench, Grows::kResident); }});
  rows.push_back({"leak.cycle", "device", "bytes", "the same of the device's memory", "growth / 1 byte",
                  [](Bench& bench) { return leak(bench, Grows::kDevice); }});
  for (const Use use : {Use::kNone, Use::kOnce}) {
    const std::string with = use == Use::kNone ? "use=none" : "use=once";
    rows.push_back({"memory.stream", with, "bytes", "what a stream takes of the host's memory",
                    "bytes / 64 KiB", [=](Bench& bench) { return stream_memory(bench, use); }});
    rows.push_back({"memory.event", with, "bytes", "what an event takes of the host's memory", "bytes / 256",
                    [=](Bench& bench) { return event_memory(bench, false, use); }});
    rows.push_back({"memory.event", with + ",timing=on", "bytes", "what an event with timing takes of it",
                    "bytes / 256", [=](Bench& bench) { return event_memory(bench, true, use); }});
  }
  rows.push_back({"memory.first_launch", "", "bytes",
                  "resident memory of a process that has run one empty kernel, less that of an empty program",
                  "resident / resident of an empty program", first_launch_memory});
  rows.push_back({"idle.burn", "streams=8", "%", "of a core that idle streams take",
                  "processor time / time / 1 %", idle_burn});
}

}  // namespace xhal::bench
