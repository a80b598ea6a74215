// SPDX-License-Identifier: Apache-2.0
// Copies: beside memcpy of the same bytes, and two streams beside one.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

#include "compare.hpp"
#include "raw_costs.hpp"
#include "sim_under_test.hpp"

namespace xhal::bench {
namespace {

enum class From { kPinned, kPageable };
enum class To { kDevice, kPinned };
// The next copy when the last one is done, or all of them and then the end.
enum class Waits { kForEach, kForAll };

// How often a copy is made in one measurement.
int times_for(uint64_t size) {
  return static_cast<int>(std::clamp<uint64_t>((uint64_t{16} << 20) / size, 1, 64));
}

void copy_and_wait(xhal_stream_t stream, void* to, const void* from, uint64_t size) {
  check("copy", xhal_memory_copy(stream, to, from, size));
  wait_for(stream);
}

// Each takes two time slices where the threads share a processor.
constexpr int kMostHandings = 8;

// memcpy reads the same source. It writes the same destination, too, where the host can reach that, and else pinned memory, which lies in pages
// of the same kind as the device's. `thread`: another thread does so, handed over and back by a word, since a worker does: that tells what the
// machine's other processors have to give at the moment.
void copy(benchmark::State& state, From from, To to, Waits waits) {
  const SimUnderTest& sim = SimUnderTest::get();
  const auto size = static_cast<uint64_t>(state.range(0));
  const int times = times_for(size);
  const SimMemory pinned_source(sim, XHAL_MEMORY_PINNED, size);
  const SimMemory pinned_destination(sim, XHAL_MEMORY_PINNED, size);
  const SimMemory device(sim, XHAL_MEMORY_DEVICE, size);
  std::vector<char> pageable(size, 1);
  std::memset(pinned_source.get(), 2, size);
  const void* const source = from == From::kPinned ? pinned_source.get() : pageable.data();
  void* const destination = to == To::kPinned ? pinned_destination.get() : device.get();
  // Pages are there before anything is measured.
  copy_and_wait(sim.stream, pinned_destination.get(), source, size);
  copy_and_wait(sim.stream, device.get(), source, size);
  const auto raw_copy = [&] {
    std::memcpy(pinned_destination.get(), source, size);
    benchmark::ClobberMemory();
  };
  compare(state,
          [&] {
            return nanoseconds_once([&] {
                     for (int i = 0; i < times; ++i) {
                       check("copy", xhal_memory_copy(sim.stream, destination, source, size));
                       if (waits == Waits::kForEach) sim.synchronize();
                     }
                     sim.synchronize();
                   }) /
                   times;
          },
          {{"memcpy", [&] { return nanoseconds_each(times, raw_copy); }},
           {"thread", [&] { return raw_by_another_thread(std::min(times, kMostHandings), raw_copy); }}});
  state.counters["GB/s"] = static_cast<double>(size) / state.counters["ns"];
  state.counters["percent_of_memcpy"] = 100 / state.counters["x_memcpy"];
}

// Each stream from and to memory of its own; the same copies on one stream, and by two threads and one. `stream_gain` and `memcpy_gain` are one
// over two: what the memory has room for is told by the latter.
void two_streams(benchmark::State& state) {
  const SimUnderTest& sim = SimUnderTest::get();
  const auto size = static_cast<uint64_t>(state.range(0));
  const int times = times_for(size);
  std::array<std::unique_ptr<SimMemory>, 2> sources;
  std::array<std::unique_ptr<SimMemory>, 2> destinations;
  for (size_t i = 0; i < 2; ++i) {
    sources[i] = std::make_unique<SimMemory>(sim, XHAL_MEMORY_PINNED, size);
    destinations[i] = std::make_unique<SimMemory>(sim, XHAL_MEMORY_PINNED, size);
    std::memset(sources[i]->get(), 1, size);
    copy_and_wait(sim.stream, destinations[i]->get(), sources[i]->get(), size);
  }
  const auto on = [&](xhal_stream_t first, xhal_stream_t second) {
    return nanoseconds_once([&] {
      for (int i = 0; i < times; ++i) {
        for (size_t side = 0; side < 2; ++side)
          check("copy", xhal_memory_copy(side == 0 ? first : second, destinations[side]->get(),
                                         sources[side]->get(), size));
      }
      wait_for(first);
      wait_for(second);
    });
  };
  const auto by_threads = [&](int threads) {
    return raw_parallel(threads, [&](int thread) {
      for (int i = 0; i < times; ++i) {
        for (int side = 0; side < 2; ++side) {
          if (threads == 2 && side != thread) continue;
          const auto place = static_cast<size_t>(side);
          std::memcpy(destinations[place]->get(), sources[place]->get(), size);
          benchmark::ClobberMemory();
        }
      }
    });
  };
  compare_gains(
      state, "memcpy", [&] { return on(sim.stream, sim.stream); },
      [&] { return on(sim.stream, sim.second_stream); }, by_threads);
}

}  // namespace

void add_copy_rows() {
  struct Row {
    const char* name;
    From from;
    To to;
    Waits waits;
  };
  for (const Row& row : {Row{"copy/pinned_to_device", From::kPinned, To::kDevice, Waits::kForEach},
                         Row{"copy/pinned_to_device_in_a_row", From::kPinned, To::kDevice, Waits::kForAll},
                         Row{"copy/pageable_to_device", From::kPageable, To::kDevice, Waits::kForEach},
                         Row{"copy/pageable_to_pinned", From::kPageable, To::kPinned, Waits::kForEach},
                         Row{"copy/pinned_to_pinned", From::kPinned, To::kPinned, Waits::kForEach}}) {
    for (const int64_t size :
         {int64_t{1} << 10, int64_t{64} << 10, int64_t{1} << 20, int64_t{16} << 20, int64_t{64} << 20})
      add_row(row.name, copy, row.from, row.to, row.waits)->Arg(size);
  }
  for (const int64_t size : {int64_t{128} << 10, int64_t{1} << 20, int64_t{64} << 20})
    add_row("copy/two_streams", two_streams)->Arg(size);
}

}  // namespace xhal::bench
