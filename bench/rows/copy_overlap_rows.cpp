// SPDX-License-Identifier: Apache-2.0
// copy.*: copies at once: both directions, two streams, beside a kernel; and many small ones.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <string>

#include "bench/rows/areas.hpp"
#include "bench/rows/row_parts.hpp"

namespace xhal::bench {
namespace {

constexpr uint64_t kMostUnits = 100;
// So many that a second worker, which sleeps at first, is at work for most of a block.
uint64_t least_pairs(uint64_t size) {
  constexpr uint64_t kMoved = uint64_t{48} << 20;
  // What takes milliseconds by itself hides the time until a second worker comes.
  constexpr uint64_t kLarge = uint64_t{16} << 20;
  return size >= kLarge ? 1 : std::clamp(kMoved / size, uint64_t{1}, kMostUnits);
}
constexpr uint64_t kLeastBesideKernel = 8;

// Two copies, each from and to memory of its own, and two streams to make them on.
class TwoCopies {
 public:
  struct Way {
    Place from;
    Place to;
  };
  TwoCopies(Bench& bench, std::array<Way, 2> ways, uint64_t size) : size_(size) {
    for (size_t i = 0; i < 2; ++i) {
      sources_[i] = std::make_unique<Area>(bench, ways[i].from, size);
      destinations_[i] = std::make_unique<Area>(bench, ways[i].to, size);
      sources_[i]->write_pattern(i + 1);
      streams_[i] = bench.make_stream();
    }
  }

  // Nanoseconds of both copies.
  double on_streams(size_t count, uint64_t units) const {
    return nanoseconds_of([&] {
             for (uint64_t i = 0; i < units; ++i) {
               for (size_t way = 0; way < 2; ++way)
                 check("xhal_memory_copy", xhal_memory_copy(streams_[way % count], destinations_[way]->get(),
                                                            sources_[way]->get(), size_));
             }
             for (size_t i = 0; i < count; ++i) wait_for(streams_[i]);
           }) /
           static_cast<double>(units);
  }
  void verify() const {
    for (size_t i = 0; i < 2; ++i) destinations_[i]->expect_pattern(i + 1);
  }

 private:
  uint64_t size_;
  std::array<std::unique_ptr<Area>, 2> sources_;
  std::array<std::unique_ptr<Area>, 2> destinations_;
  std::array<Stream, 2> streams_;
};

// Two streams beside one; the ratio is what is gained.
Row on_two_streams(const std::shared_ptr<TwoCopies>& copies, uint64_t size) {
  Row row;
  row.sides.push_back({"xhal, two streams", [copies](uint64_t units) { return copies->on_streams(2, units); },
                       least_pairs(size), kMostUnits});
  row.sides.push_back({"xhal, one stream", [copies](uint64_t units) { return copies->on_streams(1, units); },
                       least_pairs(size), kMostUnits});
  row.value = gigabytes_per_second(2 * size);
  row.comparisons.push_back({"one_stream", quotient(1, 0), Better::kMore});
  row.verify = [copies] { copies->verify(); };
  return row;
}

Row both_directions(Bench& bench, uint64_t size) {
  using Way = TwoCopies::Way;
  return on_two_streams(
      std::make_shared<TwoCopies>(
          bench, std::array{Way{Place::kPinned, Place::kDevice}, Way{Place::kDevice, Place::kPinned}}, size),
      size);
}

// Pinned memory, of which threads can do the same.
class HostCopies {
 public:
  HostCopies(Bench& bench, uint64_t size) : size_(size) {
    for (size_t i = 0; i < 2; ++i) {
      sources_[i] = std::make_unique<Area>(bench, Place::kPinned, size);
      destinations_[i] = std::make_unique<Area>(bench, Place::kPinned, size);
    }
  }
  double by_threads(size_t threads, uint64_t units) const {
    return raw_parallel(static_cast<int>(threads),
                        [&](int thread) {
                          for (uint64_t i = 0; i < units; ++i) {
                            for (size_t way = 0; way < 2; ++way) {
                              if (way % threads != static_cast<size_t>(thread)) continue;
                              std::memcpy(destinations_[way]->get(), sources_[way]->get(), size_);
                              benchmark::ClobberMemory();
                            }
                          }
                        }) /
           static_cast<double>(units);
  }

 private:
  uint64_t size_;
  std::array<std::unique_ptr<Area>, 2> sources_;
  std::array<std::unique_ptr<Area>, 2> destinations_;
};

Row concurrent(Bench& bench, uint64_t size) {
  using Way = TwoCopies::Way;
  // Where threads are the limit, what they reach is of the same kind for them.
  const Way way = is_cpu(bench) ? Way{Place::kPinned, Place::kPinned} : Way{Place::kPinned, Place::kDevice};
  Row row = on_two_streams(std::make_shared<TwoCopies>(bench, std::array{way, way}, size), size);
  if (!is_cpu(bench)) return row;
  const auto host = std::make_shared<HostCopies>(bench, size);
  row.sides.push_back({"memcpy, two threads", [host](uint64_t units) { return host->by_threads(2, units); },
                       least_pairs(size), kMostUnits});
  row.sides.push_back({"memcpy, one thread", [host](uint64_t units) { return host->by_threads(1, units); },
                       least_pairs(size), kMostUnits});
  row.comparisons.push_back({"two_threads",
                             [](std::span<const double> ns) { return (ns[1] / ns[0]) / (ns[3] / ns[2]); },
                             Better::kMore});
  return row;
}

// ---- Beside a kernel

// Work of a chosen length, and its result by the words of kernels/README.md.
class ChosenWork {
 public:
  explicit ChosenWork(Bench& bench)
      : kernel_(bench.pack_kernel("xhal_spin_u64")), cell_(bench, Place::kDevice, sizeof(uint64_t)) {
    set(1 << 12);
  }
  void set(uint64_t turns) {
    turns_ = turns;
    launch_ = std::make_unique<PreparedLaunch>(kernel_);
    launch_->updates(cell_.get()).value(turns);
  }
  [[nodiscard]] uint64_t turns() const { return turns_; }
  void on(xhal_stream_t stream) const { launch_->on(stream); }
  void verify(xhal_stream_t stream) {
    uint64_t wanted = 1;
    cell_.write(0, &wanted, sizeof(wanted));
    on(stream);
    wait_for(stream);
    for (uint64_t turn = 0; turn < turns_; ++turn)
      wanted = (std::rotl(wanted, 5) ^ turn) * 0x9E3779B97F4A7C15u + 0x7F4A7C15u;
    uint64_t found = 0;
    cell_.read(0, &found, sizeof(found));
    if (found != wanted) throw RowFailed("the kernel's result is wrong");
  }

 private:
  xhal_kernel_t kernel_;
  Area cell_;
  uint64_t turns_ = 0;
  std::unique_ptr<PreparedLaunch> launch_;
};

class KernelAndCopy {
 public:
  KernelAndCopy(Bench& bench, uint64_t size)
      : from_(bench, Place::kPinned, size),
        to_(bench, Place::kDevice, size),
        work_(bench),
        kernels_(bench.make_stream()),
        copies_(bench.make_stream()) {
    from_.write_pattern(1);
    match();
  }

  double run(bool kernel, bool copy, uint64_t units) const {
    return nanoseconds_of([&] {
             for (uint64_t i = 0; i < units; ++i) {
               if (kernel) work_.on(kernels_);
               if (copy)
                 check("xhal_memory_copy", xhal_memory_copy(copies_, to_.get(), from_.get(), from_.size()));
             }
             if (kernel) wait_for(kernels_);
             if (copy) wait_for(copies_);
           }) /
           static_cast<double>(units);
  }
  void verify() {
    to_.expect_pattern(1);
    work_.verify(kernels_);
  }

 private:
  // Makes the kernel about as long as the copy: half of the time hidden is all that there is to gain then.
  void match() {
    constexpr int kTries = 5;
    for (int step = 0; step < 3; ++step) {
      double kernel_ns = run(true, false, 1);
      double copy_ns = run(false, true, 1);
      for (int i = 1; i < kTries; ++i) {
        kernel_ns = std::min(kernel_ns, run(true, false, 1));
        copy_ns = std::min(copy_ns, run(false, true, 1));
      }
      const double turns = static_cast<double>(work_.turns()) * copy_ns / kernel_ns;
      work_.set(static_cast<uint64_t>(std::clamp(turns, 1.0, 1e7)));
    }
  }

  mutable Area from_;
  mutable Area to_;
  ChosenWork work_;
  Stream kernels_;
  Stream copies_;
};

Row beside_kernel(Bench& bench, uint64_t size) {
  const auto both = std::make_shared<KernelAndCopy>(bench, size);
  const auto side = [both](const char* name, bool kernel, bool copy) {
    return Side{name, [=](uint64_t units) { return both->run(kernel, copy, units); }, kLeastBesideKernel,
                kMostUnits};
  };
  Row row;
  row.sides = {side("xhal, both", true, true), side("kernel", true, false), side("copy", false, true)};
  row.value = [](std::span<const double> ns) { return (ns[1] + ns[2] - ns[0]) / std::min(ns[1], ns[2]); };
  row.comparisons.push_back({"all_of_the_shorter", row.value, Better::kMore});
  row.verify = [both] { both->verify(); };
  return row;
}

// ---- Many small ones

constexpr uint64_t kRows = 1000;
constexpr uint64_t kRowBytes = 4096;

// Each with as many bytes behind it that are not copied, so that one call has a thousand pieces as well.
Row small_batch(Bench& bench) {
  bench.need(XHAL_FEATURE_COPY_REGION, "copy_region");
  constexpr uint64_t kPitch = 2 * kRowBytes;
  struct Batch {
    Area from;
    Area to;
    Area host_to;
    Stream stream;
    xhal_copy_region_t region{};
  };
  const auto batch = std::make_shared<Batch>(Batch{Area(bench, Place::kPinned, kRows * kPitch),
                                                   Area(bench, Place::kDevice, kRows * kPitch),
                                                   Area(bench, Place::kPinned, kRows * kPitch),
                                                   bench.make_stream(),
                                                   {}});
  batch->from.write_pattern(1);
  batch->region.struct_size = sizeof(batch->region);
  batch->region.destination = batch->to.get();
  batch->region.source = batch->from.get();
  batch->region.destination_pitch = batch->region.source_pitch = kPitch;
  batch->region.extent[0] = kRowBytes;
  batch->region.extent[1] = kRows;
  batch->region.extent[2] = 1;
  const auto each_row = [batch](Area& to, const auto& copy) {
    for (uint64_t i = 0; i < kRows; ++i)
      copy(static_cast<std::byte*>(to.get()) + i * kPitch,
           static_cast<const std::byte*>(batch->from.get()) + i * kPitch);
  };
  const auto by_calls = [=] {
    each_row(batch->to, [&](void* to, const void* from) {
      check("xhal_memory_copy", xhal_memory_copy(batch->stream, to, from, kRowBytes));
    });
    wait_for(batch->stream);
  };
  const auto by_region = [=] {
    check("xhal_memory_copy_region", xhal_memory_copy_region(batch->stream, &batch->region));
    wait_for(batch->stream);
  };
  const auto by_memcpy = [=] {
    each_row(batch->host_to, [](void* to, const void* from) {
      std::memcpy(to, from, kRowBytes);
      benchmark::ClobberMemory();
    });
  };
  const auto side = [](const char* name, const auto& copy_all) {
    return Side{name, [=](uint64_t) { return nanoseconds_of(copy_all) / static_cast<double>(kRows); }, kRows,
                kRows};
  };
  Row row;
  row.sides.push_back(side("xhal, 1,000 calls", by_calls));
  row.beside(side("copy_region", by_region));
  if (is_cpu(bench)) row.beside(side("memcpy", by_memcpy));
  // Each by itself, since they write the same bytes; those behind the rows stay zero.
  row.verify = [=] {
    std::vector<std::byte> wanted(kRows * kPitch);
    std::vector<std::byte> found(kRows * kPitch);
    for (uint64_t i = 0; i < kRows; ++i)
      std::memcpy(wanted.data() + i * kPitch, static_cast<std::byte*>(batch->from.get()) + i * kPitch,
                  kRowBytes);
    const auto expect_rows = [&](const auto& copy_all) {
      batch->to.clear();
      copy_all();
      batch->to.read(0, found.data(), found.size());
      if (found != wanted) throw RowFailed("the rows that were copied are not what was there");
    };
    expect_rows(by_calls);
    expect_rows(by_region);
  };
  return row;
}

}  // namespace

void add_copy_overlap_rows(Rows& rows) {
  constexpr uint64_t kCopy = uint64_t{1} << 20;
  constexpr uint64_t kBesideKernel = uint64_t{4} << 20;
  rows.push_back({"copy.bidir", parameter("size", kCopy), "GB/s",
                  "pinned memory to the device and back at once, on two streams",
                  "t(one stream) / t(two streams)",
                  [](Bench& bench) { return both_directions(bench, kCopy); }});
  for (const uint64_t size : {kCopy / 8, kCopy, kCopy * 16}) {
    rows.push_back({"copy.concurrent", "streams=2," + parameter("size", size), "GB/s",
                    "copies on two streams, and what two threads gain over one",
                    "t(one stream) / t(two streams)", [=](Bench& bench) { return concurrent(bench, size); }});
  }
  rows.push_back(
      {"copy.overlap", parameter("size", kBesideKernel), "",
       "a copy and a kernel that is as long, on two streams: the part of the shorter that is hidden",
       "(t(kernel) + t(copy) - t(both)) / min(t(kernel), t(copy))",
       [](Bench& bench) { return beside_kernel(bench, kBesideKernel); }});
  rows.push_back({"copy.small_batch", "copies=1000,size=4096", "ns",
                  "a thousand copies by as many calls, by the copy", "t(calls) / t(copy_region)",
                  small_batch});
}

}  // namespace xhal::bench
