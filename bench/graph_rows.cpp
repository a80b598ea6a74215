// SPDX-License-Identifier: Apache-2.0
// Graphs: what a node costs to capture, to instantiate and to replay.
#include <cstddef>
#include <functional>
#include <vector>

#include "compare.hpp"
#include "raw_costs.hpp"
#include "sim_under_test.hpp"

namespace xhal::bench {
namespace {

constexpr uint64_t kSmallCopy = 8;

struct Chain {
  int nodes;
  std::function<void(xhal_stream_t)> submit_all;
};

Chain kernels(int arguments) {
  constexpr int kNodes = 1000;
  return {kNodes, [arguments](xhal_stream_t stream) {
            const SimUnderTest& sim = SimUnderTest::get();
            const PreparedLaunch& launch = arguments == 3 ? sim.nothing.with_3 : sim.nothing.with_8;
            for (int i = 0; i < kNodes; ++i) launch.on(stream);
          }};
}

constexpr size_t kLine = 64;

// Each from one line of memory to another one.
Chain small_copies(std::byte* to, const std::byte* from) {
  constexpr size_t kNodes = 100;
  return {kNodes, [=](xhal_stream_t stream) {
            for (size_t place = 0; place < kNodes * kLine; place += kLine)
              check("copy", xhal_memory_copy(stream, to + place, from + place, kSmallCopy));
          }};
}

xhal_graph_t capture(const Chain& chain) {
  const SimUnderTest& sim = SimUnderTest::get();
  xhal_graph_t graph = nullptr;
  check("begin capture", xhal_stream_begin_capture(sim.stream, XHAL_CAPTURE_THREAD));
  chain.submit_all(sim.stream);
  check("end capture", xhal_stream_end_capture(sim.stream, &graph));
  return graph;
}

xhal_graph_exec_t instantiate(xhal_graph_t graph) {
  xhal_graph_exec_t exec = nullptr;
  check("instantiate", xhal_graph_instantiate(graph, 0, &exec));
  return exec;
}

void destroy(xhal_graph_t graph) { check("destroy", xhal_graph_destroy(graph)); }
void destroy(xhal_graph_exec_t exec) { check("destroy", xhal_graph_exec_destroy(exec)); }

// Some launches of the graph and their end, by the node, beside the same operations submitted one by one to the same stream.
void replay(benchmark::State& state, const Chain& chain, const Reference& raw) {
  const SimUnderTest& sim = SimUnderTest::get();
  const xhal_graph_t graph = capture(chain);
  const xhal_graph_exec_t exec = instantiate(graph);
  destroy(graph);
  constexpr int kNodes = 10'000;
  const int times = kNodes / chain.nodes;
  const auto by_node = [&](const auto& submit) {
    return nanoseconds_once([&] {
             for (int i = 0; i < times; ++i) submit();
             sim.synchronize();
           }) /
           kNodes;
  };
  compare(state, [&] { return by_node([&] { check("launch", xhal_graph_exec_launch(exec, sim.stream)); }); },
          {raw, {"stream", [&] { return by_node([&] { chain.submit_all(sim.stream); }); }}});
  destroy(exec);
}

void replay_kernels(benchmark::State& state, int arguments) {
  const Chain chain = kernels(arguments);
  replay(state, chain, {"call", [&] { return raw_calls(chain.nodes); }});
}

void replay_copies(benchmark::State& state) {
  const SimUnderTest& sim = SimUnderTest::get();
  constexpr uint64_t kRoom = 16384;
  const SimMemory from(sim, XHAL_MEMORY_DEVICE, kRoom);
  const SimMemory to(sim, XHAL_MEMORY_DEVICE, kRoom);
  const Chain chain =
      small_copies(static_cast<std::byte*>(to.get()), static_cast<const std::byte*>(from.get()));
  replay(state, chain, {"memcpy", [&] { return raw_line_copies(chain.nodes); }});
}

void instantiate_and_destroy(benchmark::State& state) {
  const Chain chain = kernels(8);
  const xhal_graph_t graph = capture(chain);
  compare(state, [&] { return nanoseconds_once([&] { destroy(instantiate(graph)); }) / chain.nodes; },
          {{"copy_of_256_bytes", [&] { return raw_copy_of_nodes(chain.nodes); }}});
  destroy(graph);
}

// What instantiating leaves to the first launch, beside a later one.
void first_launch(benchmark::State& state) {
  const SimUnderTest& sim = SimUnderTest::get();
  const Chain chain = kernels(8);
  const xhal_graph_t graph = capture(chain);
  const auto launch = [&](xhal_graph_exec_t exec) {
    return nanoseconds_once([&] {
             check("launch", xhal_graph_exec_launch(exec, sim.stream));
             sim.synchronize();
           }) /
           chain.nodes;
  };
  const xhal_graph_exec_t launched = instantiate(graph);
  compare(state,
          [&] {
            const xhal_graph_exec_t fresh = instantiate(graph);
            const double ns = launch(fresh);
            destroy(fresh);
            return ns;
          },
          {{"later_launch", [&] { return launch(launched); }}});
  destroy(launched);
  destroy(graph);
}

void capture_and_destroy(benchmark::State& state) {
  const Chain chain = kernels(8);
  compare(state, [&] { return nanoseconds_once([&] { destroy(capture(chain)); }) / chain.nodes; },
          {{"copy_of_256_bytes", [&] { return raw_copy_of_nodes(chain.nodes); }}});
}

}  // namespace

void add_graph_rows() {
  add_row("graph/replay_kernels_of_8_arguments", replay_kernels, 8);
  add_row("graph/replay_kernels_of_3_arguments", replay_kernels, 3);
  add_row("graph/replay_copies_of_8_bytes", replay_copies);
  add_row("graph/instantiate", instantiate_and_destroy);
  add_row("graph/first_launch", first_launch);
  add_row("graph/capture", capture_and_destroy);
}

}  // namespace xhal::bench
