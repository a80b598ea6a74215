// SPDX-License-Identifier: Apache-2.0
// Kernels on several streams beside the same kernels on one.
#include <cstdint>
#include <vector>

#include "compare.hpp"
#include "raw_costs.hpp"
#include "sim_under_test.hpp"

namespace xhal::bench {
namespace {

// ---- Two streams

// Of xhal_spin_u64, one or two nanoseconds each.
constexpr uint64_t kShortTurns = 8'000;
constexpr uint64_t kLongTurns = 3'000'000;

// Eight kernels on two streams in turn, and on one; and as much arithmetic by two threads and by one. `stream_gain` and `thread_gain` are one
// over two: what two processors give here and now is told by the latter.
void two_and_one(benchmark::State& state, uint64_t turns) {
  constexpr int kKernels = 8;
  const SimUnderTest& sim = SimUnderTest::get();
  const SimMemory cells(sim, XHAL_MEMORY_DEVICE, 8192);
  const xhal_kernel_t spin = sim.pack_kernel("xhal_spin_u64");
  PreparedLaunch first(spin);
  PreparedLaunch second(spin);
  first.memory(cells.get(), XHAL_ACCESS_READ_WRITE).u64(turns);
  second.memory(static_cast<std::byte*>(cells.get()) + 4096, XHAL_ACCESS_READ_WRITE).u64(turns);
  check("fill", xhal_memory_fill(sim.stream, cells.get(), 1, 8, 8192));
  sim.synchronize();
  const auto on = [&](xhal_stream_t one, xhal_stream_t other) {
    return nanoseconds_once([&] {
      for (int i = 0; i < kKernels / 2; ++i) {
        first.on(one);
        second.on(other);
      }
      wait_for(one);
      wait_for(other);
    });
  };
  compare_gains(
      state, "thread", [&] { return on(sim.stream, sim.stream); },
      [&] { return on(sim.stream, sim.second_stream); },
      [&](int threads) {
        return raw_parallel(threads,
                            [&](int) { spin_arithmetic(kKernels * turns / static_cast<uint64_t>(threads)); });
      });
}

// ---- 1,024 streams

// Eight kernels of 256 items on each stream, stream after stream, and as many on one.
void many_and_one(benchmark::State& state) {
  constexpr int kKernels = 8;
  constexpr uint32_t kItems = 256;
  const auto count = static_cast<size_t>(state.range(0));
  const Simulator simulator;
  std::vector<xhal_stream_t> streams(count);
  const SimMemory cells(simulator, XHAL_MEMORY_DEVICE, count * 4096);
  PreparedLaunch fold(simulator.pack_kernel("xhal_fold_u64"), 1, kItems);
  fold.memory(cells.get(), XHAL_ACCESS_READ_WRITE).u64(3).u64(kItems);
  for (xhal_stream_t& stream : streams) stream = simulator.make_stream();
  check("fill", xhal_memory_fill(streams[0], cells.get(), 1, 8, count * 4096));
  const auto launch_all = [&](bool on_one) {
    return nanoseconds_once([&] {
             for (size_t i = 0; i < count; ++i) {
               fold.point_to(static_cast<std::byte*>(cells.get()) + i * 4096);
               for (int k = 0; k < kKernels; ++k) fold.on(streams[on_one ? 0 : i]);
             }
             check("synchronize", xhal_device_synchronize(simulator.device(), XHAL_WAIT_FOREVER));
           }) /
           static_cast<double>(count * kKernels);
  };
  launch_all(false);
  compare(state, [&] { return launch_all(false); }, {{"one_stream", [&] { return launch_all(true); }}});
}

}  // namespace

void add_stream_rows() {
  add_row("streams/two_and_one_long_kernels", two_and_one, kLongTurns);
  // Measures how fast a second worker comes, rather than how well two work side by side.
  add_row("streams/two_and_one_short_kernels", two_and_one, kShortTurns);
  add_row("streams/many_and_one", many_and_one)->Arg(32)->Arg(1024);
}

}  // namespace xhal::bench
