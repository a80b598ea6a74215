// SPDX-License-Identifier: Apache-2.0
// stream.triad and its like, fma.*, fault.migrate: kernels that move memory or compute, beside the same loop on as many threads as processors.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "bench/host_loops/host_loops.hpp"
#include "bench/rows/areas.hpp"
#include "bench/rows/row_parts.hpp"

namespace xhal::bench {
namespace {

constexpr uint64_t kArrayBytes = uint64_t{16} << 20;
constexpr uint64_t kElements = kArrayBytes / sizeof(float);
constexpr uint64_t kMostUnits = 1000;

uint32_t items_of(Bench& bench) { return std::bit_floor(std::min(bench.properties().max_group_items, 256u)); }
uint32_t groups_for(uint64_t items, uint32_t group) {
  return static_cast<uint32_t>((items + group - 1) / group);
}

// A launch and its end, over and over.
struct KernelWork {
  Stream stream = Stream();
  std::vector<Area> areas;  // memory of the kernel, in the order of its arguments
  std::unique_ptr<PreparedLaunch> launch;

  void run() const {
    launch->on(stream);
    wait_for(stream);
  }
};

Side kernel_side(const std::shared_ptr<KernelWork>& work) {
  return {"xhal", [work](uint64_t units) { return nanoseconds_each(units, [&] { work->run(); }); }, 1,
          kMostUnits};
}

// `share(first, count)` for each piece of so many elements, a power of two, by as many threads as processors.
template <class Share>
Side threads_side(uint64_t elements, const Share& share) {
  constexpr int kPieces = 64;
  const auto threads = static_cast<int>(std::max(std::thread::hardware_concurrency(), 1u));
  const uint64_t part = elements / kPieces;
  return {"threads",
          [=](uint64_t) {
            return raw_parallel_pieces(threads, kPieces, [&](int piece) {
              share(static_cast<uint64_t>(piece) * part, part);
              benchmark::ClobberMemory();
            });
          },
          1, 1};
}

// Small whole numbers, so that every sum of theirs is exact.
float b_of(uint64_t i) { return static_cast<float>(i % 4); }
float c_of(uint64_t i) { return static_cast<float>(i % 3); }
constexpr float kScalar = 0.5F;

template <class ValueOf>
std::vector<float> array_of(uint64_t elements, const ValueOf& value_of) {
  std::vector<float> out(elements);
  for (uint64_t i = 0; i < elements; ++i) out[i] = value_of(i);
  return out;
}

void write_array(Area& area, const std::vector<float>& values) {
  area.write(0, values.data(), values.size() * sizeof(float));
}

// Looks at the array and clears it, so that the next look sees what was written since.
template <class ValueOf>
void expect_array(Area& area, const ValueOf& value_of) {
  std::vector<float> found(area.size() / sizeof(float));
  area.read(0, found.data(), area.size());
  for (uint64_t i = 0; i < found.size(); ++i) {
    if (found[i] != value_of(i)) throw RowFailed("element " + std::to_string(i) + " is wrong");
  }
  area.clear();
}

// ---- BabelStream's loops

struct HostArrays {
  std::vector<float> a, b, c;
};

std::shared_ptr<HostArrays> host_arrays() {
  return std::make_shared<HostArrays>(
      HostArrays{std::vector<float>(kElements), array_of(kElements, b_of), array_of(kElements, c_of)});
}

// A kernel that writes memory of `first_size` bytes and reads the other arrays: b, and c when there are three.
std::shared_ptr<KernelWork> stream_work(Bench& bench, const char* kernel, bool is_of_bench, size_t arrays,
                                        uint64_t first_size) {
  auto work = std::make_shared<KernelWork>();
  const uint32_t group = items_of(bench);
  work->stream = bench.make_stream();
  work->launch =
      std::make_unique<PreparedLaunch>(is_of_bench ? bench.bench_kernel(kernel) : bench.pack_kernel(kernel),
                                       groups_for(kElements, group), group);
  work->areas.emplace_back(bench, Place::kDevice, first_size);
  work->launch->writes(work->areas[0].get());
  for (size_t i = 1; i < arrays; ++i) {
    work->areas.emplace_back(bench, Place::kDevice, kArrayBytes);
    write_array(work->areas[i], i == 1 ? array_of(kElements, b_of) : array_of(kElements, c_of));
    work->launch->reads(work->areas[i].get());
  }
  return work;
}

Row stream_row(Bench& bench, const std::shared_ptr<KernelWork>& work, uint64_t arrays,
               const std::function<Side()>& threads) {
  Row row;
  row.sides.push_back(kernel_side(work));
  if (is_cpu(bench)) row.beside(threads());
  row.value = gigabytes_per_second(arrays * kArrayBytes);
  return row;
}

Row triad(Bench& bench) {
  const auto work = stream_work(bench, "bench_triad_f32", true, 3, kArrayBytes);
  work->launch->value(kScalar).value(kElements);
  Row row = stream_row(bench, work, 3, [] {
    return threads_side(kElements, [host = host_arrays()](uint64_t first, uint64_t count) {
      host_loops().triad(host->a.data() + first, host->b.data() + first, host->c.data() + first, kScalar,
                         count);
    });
  });
  row.verify = [work] {
    expect_array(work->areas[0], [](uint64_t i) { return b_of(i) + kScalar * c_of(i); });
  };
  return row;
}

Row copy(Bench& bench) {
  const auto work = stream_work(bench, "xhal_copy_f32", false, 2, kArrayBytes);
  work->launch->value(kElements);
  Row row = stream_row(bench, work, 2, [] {
    return threads_side(kElements, [host = host_arrays()](uint64_t first, uint64_t count) {
      std::memcpy(host->a.data() + first, host->b.data() + first, count * sizeof(float));
    });
  });
  row.verify = [work] { expect_array(work->areas[0], b_of); };
  return row;
}

// What each group has summed up is read by nobody in what is timed: a few thousand numbers.
Row dot(Bench& bench) {
  constexpr uint32_t kEach = 16;
  const uint32_t group = items_of(bench);
  const uint32_t groups = groups_for(kElements, group * kEach);
  const auto work = stream_work(bench, "bench_dot_f32", true, 3, groups * sizeof(float));
  work->launch->value(kEach).value(kElements).local(group * sizeof(float));
  work->launch->groups(groups);
  Row row = stream_row(bench, work, 2, [] {
    return threads_side(kElements, [host = host_arrays()](uint64_t first, uint64_t count) {
      benchmark::DoNotOptimize(host_loops().dot(host->b.data() + first, host->c.data() + first, count));
    });
  });
  row.verify = [work, part = uint64_t{group} * kEach] {
    expect_array(work->areas[0], [part](uint64_t i) {
      float sum = 0;
      for (uint64_t k = i * part; k < std::min((i + 1) * part, kElements); ++k) sum += b_of(k) * c_of(k);
      return sum;
    });
  };
  return row;
}

// ---- Arithmetic

constexpr uint32_t kTurns = 64;

// Every chain ends at 2 exactly, wherever it began and whether a multiplication and its addition are one or two.
template <class T>
constexpr T kFactor = T{0.5};
template <class T>
constexpr T kAddend = T{1};
template <class T>
constexpr uint32_t kChains = std::is_same_v<T, float> ? kChainsF32 : kChainsF64;

Formula per_nanosecond(double operations) {
  return [operations](std::span<const double> ns) { return operations / ns[0]; };
}

template <class T>
Row peak(Bench& bench) {
  constexpr bool kIsDouble = std::is_same_v<T, double>;
  if (kIsDouble && (bench.properties().dtype_mask >> XHAL_DTYPE_F64 & 1) == 0)
    throw NotHere("the device has no f64");
  const uint32_t group = std::min(items_of(bench), 128u);
  const uint32_t groups = std::bit_ceil(std::max(bench.properties().unit_count, 1u)) * 16;
  const uint64_t items = uint64_t{groups} * group;
  const auto work = std::make_shared<KernelWork>();
  work->stream = bench.make_stream();
  work->areas.emplace_back(bench, Place::kDevice, items * sizeof(T));
  work->launch = std::make_unique<PreparedLaunch>(
      bench.bench_kernel(kIsDouble ? "bench_fma_f64" : "bench_fma_f32"), groups, group);
  work->launch->writes(work->areas[0].get()).value(kFactor<T>).value(kAddend<T>).value(kTurns).value(items);
  Row row;
  row.sides.push_back(kernel_side(work));
  if (is_cpu(bench)) {
    const auto out = std::make_shared<std::vector<T>>(items);
    row.beside(threads_side(items, [out](uint64_t first, uint64_t count) {
      if constexpr (kIsDouble) {
        host_loops().fma_f64(out->data() + first, kFactor<T>, kAddend<T>, kTurns, count);
      } else {
        host_loops().fma_f32(out->data() + first, kFactor<T>, kAddend<T>, kTurns, count);
      }
    }));
  }
  row.value = per_nanosecond(2.0 * kChains<T> * kTurns * static_cast<double>(items));
  row.verify = [work, items] {
    std::vector<T> found(items);
    work->areas[0].read(0, found.data(), items * sizeof(T));
    for (const T sum : found) {
      if (sum != T{2} * kChains<T>) throw RowFailed("the chains of an item do not end where they must");
    }
    work->areas[0].clear();
  };
  return row;
}

Row mixed(Bench& bench) {
  const auto work = stream_work(bench, "bench_mixed_f32", true, 2, kArrayBytes);
  work->launch->value(kFactor<float>).value(kAddend<float>).value(kElements);
  Row row = stream_row(bench, work, 2, [] {
    return threads_side(kElements, [host = host_arrays()](uint64_t first, uint64_t count) {
      host_loops().mixed(host->a.data() + first, host->b.data() + first, kFactor<float>, kAddend<float>,
                         count);
    });
  });
  row.value = per_nanosecond(2.0 * kMixedSteps * static_cast<double>(kElements));
  row.verify = [work] {
    expect_array(work->areas[0], [](uint64_t i) {
      float value = b_of(i);
      for (uint32_t step = 0; step < kMixedSteps; ++step) value = value * kFactor<float> + kAddend<float>;
      return value;
    });
  };
  return row;
}

// ---- Memory that migrates

constexpr uint64_t kPage = 4096;
constexpr uint64_t kPages = 256;

// A kernel reads memory of which the host has just written every page, beside the same kernel when the memory has come to the device already, and beside
// a copy of as many bytes.
Row migrate(Bench& bench) {
  bench.need(XHAL_FEATURE_MANAGED, "managed");
  struct World {
    Memory managed;
    KernelWork work;
    Area pinned;
    Area device;
    uint32_t written = 0;

    void touch() {
      ++written;
      for (uint64_t page = 0; page < kPages; ++page)
        std::memcpy(managed.bytes() + page * kPage, &written, sizeof(written));
    }
  };
  constexpr uint64_t kBytes = kPage * kPages;
  const uint32_t group = items_of(bench);
  const auto world = std::make_shared<World>(World{bench.make_memory(XHAL_MEMORY_MANAGED, kBytes),
                                                   {},
                                                   Area(bench, Place::kPinned, kBytes),
                                                   Area(bench, Place::kDevice, kBytes)});
  std::memset(world->managed.get(), 0, kBytes);
  world->work.stream = bench.make_stream();
  world->work.areas.emplace_back(bench, Place::kDevice, kBytes);
  constexpr uint64_t kWords = kBytes / sizeof(uint32_t);
  world->work.launch =
      std::make_unique<PreparedLaunch>(bench.pack_kernel("xhal_copy_u32"), groups_for(kWords, group), group);
  world->work.launch->writes(world->work.areas[0].get()).reads(world->managed.get()).value(kWords);
  const auto of_kernel = [world](bool touched, uint64_t units) {
    double sum = 0;
    for (uint64_t i = 0; i < units; ++i) {
      if (touched) world->touch();
      sum += nanoseconds_of([&] { world->work.run(); });
    }
    return sum / static_cast<double>(units);
  };
  Row row;
  row.sides.push_back(
      {"xhal, touched by the host", [=](uint64_t units) { return of_kernel(true, units); }, 1, kMostUnits});
  row.beside({"resident",
              [=](uint64_t units) {
                world->work.run();
                return of_kernel(false, units);
              },
              1, kMostUnits});
  row.beside({"copy.h2d",
              [=](uint64_t units) {
                return nanoseconds_each(units, [&] {
                  check("xhal_memory_copy", xhal_memory_copy(world->work.stream, world->device.get(),
                                                             world->pinned.get(), kBytes));
                  wait_for(world->work.stream);
                });
              },
              1, kMostUnits});
  row.value = [](std::span<const double> ns) { return (ns[0] - ns[1]) / 1000 / kPages; };
  row.verify = [world] {
    world->touch();
    world->work.run();
    std::vector<uint32_t> found(kWords);
    world->work.areas[0].read(0, found.data(), kBytes);
    for (uint64_t i = 0; i < kWords; ++i) {
      const uint32_t wanted = i % (kPage / sizeof(uint32_t)) == 0 ? world->written : 0;
      if (found[i] != wanted) throw RowFailed("the kernel has not seen what the host wrote");
    }
  };
  return row;
}

}  // namespace

void add_kernel_rows(Rows& rows) {
  rows.push_back({"stream.copy", "", "GB/s", "c = a, arrays of 16 MiB: bytes read and written",
                  "t(xhal) / t(threads)", copy});
  rows.push_back({"stream.triad", "", "GB/s", "a = b + s * c, arrays of 16 MiB: bytes read and written",
                  "t(xhal) / t(threads)", triad});
  rows.push_back({"stream.dot", "", "GB/s",
                  "the sum of a * b, arrays of 16 MiB, down to a number a group: bytes read",
                  "t(xhal) / t(threads)", dot});
  rows.push_back({"fma.peak", "dtype=f32", "GFLOP/s", "multiplications and additions in registers",
                  "t(xhal) / t(threads)", peak<float>});
  rows.push_back({"fma.peak", "dtype=f64", "GFLOP/s", "multiplications and additions in registers",
                  "t(xhal) / t(threads)", peak<double>});
  rows.push_back({"fma.mixed", "dtype=f32", "GFLOP/s",
                  "sixteen multiplications and additions for the eight bytes of an element",
                  "t(xhal) / t(threads)", mixed});
  rows.push_back(
      {"fault.migrate", "", "us",
       "managed memory that the host wrote, used by a kernel: by the page, less what the kernel takes",
       "t(touched) / t(resident)", migrate});
}

}  // namespace xhal::bench
