// SPDX-License-Identifier: Apache-2.0
// graph.*: a + b n. A graph of 1,000 nodes less one of a single node tells what each node costs.
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/rows/raw_area.hpp"
#include "bench/rows/row_parts.hpp"

namespace xhal::bench {
namespace {

constexpr size_t kNodes = 1000;

// ---- What is captured

class Nodes {
 public:
  virtual ~Nodes() = default;
  Nodes() = default;
  Nodes(const Nodes&) = delete;
  Nodes& operator=(const Nodes&) = delete;
  virtual void submit(xhal_stream_t stream, size_t count) const = 0;
};

class KernelNodes : public Nodes {
 public:
  KernelNodes(Bench& bench, int arguments) : launch_(bench, arguments) {}
  void submit(xhal_stream_t stream, size_t count) const override {
    for (size_t i = 0; i < count; ++i) launch_.on(stream);
  }

 private:
  NothingLaunch launch_;
};

// Each copies a word from one line of memory to another one.
class CopyNodes : public Nodes {
 public:
  CopyNodes(Bench& bench, xhal_stream_t stream)
      : from_(bench.make_memory(XHAL_MEMORY_DEVICE, kLine * kNodes)),
        to_(bench.make_memory(XHAL_MEMORY_DEVICE, kLine * kNodes)) {
    check("xhal_memory_fill", xhal_memory_fill(stream, from_.get(), kWord, sizeof(kWord), from_.size()));
    check("xhal_memory_fill", xhal_memory_fill(stream, to_.get(), 0, sizeof(kWord), to_.size()));
    wait_for(stream);
  }
  void submit(xhal_stream_t stream, size_t count) const override {
    for (size_t place = 0; place < count * kLine; place += kLine)
      check("xhal_memory_copy",
            xhal_memory_copy(stream, to_.bytes() + place, from_.bytes() + place, sizeof(kWord)));
  }
  // Throws RowFailed unless all have run, and nothing else was written.
  void expect_copied(xhal_stream_t stream) const {
    const std::vector<uint64_t> words = words_of(to_, stream);
    constexpr size_t kWords = kLine / sizeof(kWord);
    for (size_t i = 0; i < words.size(); ++i) {
      if (words[i] != (i % kWords == 0 ? kWord : 0))
        throw RowFailed("word " + std::to_string(i) + " is not what the copies make of it");
    }
  }

 private:
  static constexpr size_t kLine = 64;
  static constexpr uint64_t kWord = 0x1122334455667788;

  Memory from_;
  Memory to_;
};

// ---- Graphs of them

Graph capture(const Nodes& nodes, xhal_stream_t stream, size_t count) {
  check("xhal_stream_begin_capture", xhal_stream_begin_capture(stream, XHAL_CAPTURE_THREAD));
  nodes.submit(stream, count);
  xhal_graph_t graph = nullptr;
  check("xhal_stream_end_capture", xhal_stream_end_capture(stream, &graph));
  return Graph(graph);
}

GraphExec instantiate(xhal_graph_t graph) {
  xhal_graph_exec_t exec = nullptr;
  check("xhal_graph_instantiate", xhal_graph_instantiate(graph, 0, &exec));
  return GraphExec(exec);
}

void launch(xhal_graph_exec_t exec, xhal_stream_t stream) {
  check("xhal_graph_exec_launch", xhal_graph_exec_launch(exec, stream));
}

void expect_nodes(xhal_graph_t graph, size_t count) {
  xhal_graph_info_t info{};
  info.struct_size = sizeof(info);
  check("xhal_graph_get_info", xhal_graph_get_info(graph, &info));
  if (info.node_count != count)
    throw RowFailed("a graph of " + std::to_string(count) + " operations has " +
                    std::to_string(info.node_count) + " nodes");
}

// By the node: sides `many` and `one` are a graph of 1,000 and of one.
Formula each_node(size_t many, size_t one) {
  return [=](std::span<const double> ns) { return (ns[many] - ns[one]) / static_cast<double>(kNodes - 1); };
}

// A row whose subject is done to graphs of 1,000 nodes and of one; `side_of(count)` gives the blocks.
template <class BlockOf>
Row node_row(const BlockOf& block_of, uint64_t most_units_of_many = 10) {
  Row row;
  row.sides.push_back({"xhal, nodes=1000", block_of(kNodes), 1, most_units_of_many});
  row.sides.push_back({"xhal, nodes=1", block_of(size_t{1}), 1, 100});
  row.value = each_node(0, 1);
  return row;
}

// A reference whose block gives the nanoseconds of a node.
void beside_node(Row& row, Side reference) {
  const size_t place = row.sides.size();
  row.comparisons.push_back(
      {reference.name,
       [place, slope = row.value](std::span<const double> ns) { return slope(ns) / ns[place]; },
       Better::kLess});
  row.sides.push_back(std::move(reference));
}

Side raw_nodes(const char* name, double (*raw)(int)) {
  return {name, [raw](uint64_t) { return raw(static_cast<int>(kNodes)); }, 1, 1};
}

// ---- The rows

constexpr int kArguments = 8;

struct World {
  explicit World(Bench& bench, int arguments = kArguments)
      : stream(bench.make_stream()), kernels(bench, arguments) {
    // Whatever a first launch loads is loaded before anything is captured.
    kernels.submit(stream, 1);
    wait_for(stream);
  }
  Stream stream;
  KernelNodes kernels;
};

std::shared_ptr<World> world_of(Bench& bench) {
  bench.need(XHAL_FEATURE_GRAPH, "graph");
  return std::make_shared<World>(bench);
}

Row capture_row(Bench& bench) {
  const auto world = world_of(bench);
  Row row = node_row([world](size_t count) {
    return [world, count](uint64_t units) {
      return nanoseconds_each(units, [&] { capture(world->kernels, world->stream, count); });
    };
  });
  beside_node(row, raw_nodes("copy_of_256_bytes", raw_copy_of_nodes));
  row.verify = [world] { expect_nodes(capture(world->kernels, world->stream, kNodes), kNodes); };
  return row;
}

Row instantiate_row(Bench& bench) {
  const auto world = world_of(bench);
  Row row = node_row([world](size_t count) {
    const auto graph = std::make_shared<Graph>(capture(world->kernels, world->stream, count));
    return [world, graph](uint64_t units) { return nanoseconds_each(units, [&] { instantiate(*graph); }); };
  });
  beside_node(row, raw_nodes("copy_of_256_bytes", raw_copy_of_nodes));
  return row;
}

// In turns to two graphs whose kernels have other arguments.
Row update_row(Bench& bench) {
  struct Two {
    explicit Two(const std::shared_ptr<World>& world, const KernelNodes& others, size_t count)
        : graphs{capture(world->kernels, world->stream, count), capture(others, world->stream, count)},
          exec(instantiate(graphs[0])) {}
    Graph graphs[2];
    GraphExec exec;
  };
  const auto world = world_of(bench);
  const auto others = std::make_shared<KernelNodes>(bench, kArguments);
  const auto many = std::make_shared<Two>(world, *others, kNodes);
  const auto one = std::make_shared<Two>(world, *others, 1);
  Row row = node_row([&](size_t count) {
    return [two = count == 1 ? one : many, others](uint64_t units) {
      size_t turn = 0;
      return nanoseconds_each(units, [&] {
        xhal_graph_update_info_t info{};
        info.struct_size = sizeof(info);
        check("xhal_graph_exec_update", xhal_graph_exec_update(two->exec, two->graphs[++turn % 2], &info));
      });
    };
  });
  beside_node(row, raw_nodes("copy_of_256_bytes", raw_copy_of_nodes));
  row.verify = [world, many] {
    launch(many->exec, world->stream);
    wait_for(world->stream);
  };
  return row;
}

// The call alone: the launches wait behind an operation. What libxhal adds to it is told by the graph of one node.
Row launch_row(Bench& bench) {
  const auto world = world_of(bench);
  // A graph of a thousand nodes runs so often behind each block.
  constexpr uint64_t kMostOfMany = 4;
  const auto add_lane = [&]<class Lane>(Row& row, const std::shared_ptr<Lane>& lane) {
    for (const size_t count : {kNodes, size_t{1}}) {
      const auto exec =
          std::make_shared<GraphExec>(instantiate(capture(world->kernels, world->stream, count)));
      row.sides.push_back({std::string(Lane::kName) + ", nodes=" + std::to_string(count),
                           [&bench, lane, exec](uint64_t units) {
                             HeldStream hold(bench, lane->stream());
                             const double each = nanoseconds_each(units, [&] {
                               check("xhal_graph_exec_launch", lane->calls().graph_exec_launch(
                                                                   xhal_graph_exec_t(*exec), lane->stream()));
                             });
                             hold.let_go();
                             lane->synchronize();
                             return each;
                           },
                           1, count == 1 ? 100 : kMostOfMany});
    }
  };
  LaneOptions options;
  options.arguments = 0;
  Row row;
  add_lane(row, make_lane<HalLane>(bench, options));
  add_lane(row, make_lane<TableLane>(bench, options));
  row.value = each_node(0, 1);
  row.comparisons.push_back({DriverTable::kName, quotient(1, 3), Better::kLess});
  row.comparisons.push_back({"one_node", quotient(0, 1), Better::kLess});
  row.keeps.push_back(world);
  return row;
}

// What instantiating leaves to the first launch: of an executable that is made for it, beside one that was launched before.
Row first_launch_row(Bench& bench) {
  const auto world = world_of(bench);
  const auto graph = std::make_shared<Graph>(capture(world->kernels, world->stream, kNodes));
  const auto kept = std::make_shared<GraphExec>(instantiate(*graph));
  const auto run = [world](xhal_graph_exec_t exec) {
    return nanoseconds_of([&] {
             launch(exec, world->stream);
             wait_for(world->stream);
           }) /
           static_cast<double>(kNodes);
  };
  static_cast<void>(run(*kept));
  Row row;
  row.sides.push_back({"xhal",
                       [run, graph](uint64_t) {
                         const GraphExec fresh = instantiate(*graph);
                         return run(fresh);
                       },
                       1, 1});
  row.beside({"later_launch", [run, kept](uint64_t) { return run(*kept); }, 1, 1});
  return row;
}

// Launches and their end, by the launch.
template <class Submit>
std::function<double(uint64_t)> until_done(std::shared_ptr<World> world, Submit submit) {
  return [world = std::move(world), submit = std::move(submit)](uint64_t units) {
    return nanoseconds_of([&] {
             for (uint64_t i = 0; i < units; ++i) submit();
             wait_for(world->stream);
           }) /
           static_cast<double>(units);
  };
}

// Of the same nodes submitted one by one as well, to memory of their own.
Row replay_row(const std::shared_ptr<World>& world, const std::shared_ptr<Nodes>& nodes,
               const std::shared_ptr<Nodes>& one_by_one, Side raw) {
  Row row = node_row([&](size_t count) {
    const auto exec = std::make_shared<GraphExec>(instantiate(capture(*nodes, world->stream, count)));
    return until_done(world, [world, exec, nodes] { launch(*exec, world->stream); });
  });
  beside_node(row, std::move(raw));
  const auto all = until_done(world, [world, one_by_one] { one_by_one->submit(world->stream, kNodes); });
  beside_node(row, {"stream", [all](uint64_t) { return all(1) / static_cast<double>(kNodes); }, 1, 1});
  return row;
}

// The raw calls know no graph: what stands beside a node is a command, one of as many in a row, and their end. `submit(lane, count)`.
template <class Lane, class Submit>
void beside_commands(Row& row, const std::shared_ptr<Lane>& lane, const Submit& submit) {
  beside_node(row, {Lane::kName,
                    [lane, submit](uint64_t) {
                      return nanoseconds_of([&] {
                               submit(*lane, kNodes);
                               lane->synchronize();
                             }) /
                             static_cast<double>(kNodes);
                    },
                    1, 1});
}

Row replay_kernels(Bench& bench, int arguments) {
  const auto world = world_of(bench);
  const auto nodes = std::make_shared<KernelNodes>(bench, arguments);
  nodes->submit(world->stream, 1);
  wait_for(world->stream);
  Row row = replay_row(world, nodes, nodes, raw_nodes("call", raw_calls));
  LaneOptions options;
  options.arguments = arguments;
  each_raw_lane(bench, options, [&]<HasMemory Lane>(const std::shared_ptr<Lane>& lane) {
    beside_commands(row, lane, [](Lane& on, size_t count) {
      for (size_t i = 0; i < count; ++i) on.launch();
    });
  });
  return row;
}

Row replay_copies(Bench& bench) {
  const auto world = world_of(bench);
  const auto nodes = std::make_shared<CopyNodes>(bench, world->stream);
  const auto one_by_one = std::make_shared<CopyNodes>(bench, world->stream);
  Row row = replay_row(world, nodes, one_by_one, raw_nodes("memcpy", raw_line_copies));
  LaneOptions options = no_launches(1);
  options.has_memory = true;
  each_raw_lane(bench, options, [&]<HasMemory Lane>(const std::shared_ptr<Lane>& lane) {
    constexpr size_t kLine = 64;
    const auto from = std::make_shared<RawArea<Lane>>(lane, Place::kDevice, kLine * kNodes);
    const auto to = std::make_shared<RawArea<Lane>>(lane, Place::kDevice, kLine * kNodes);
    beside_commands(row, lane, [from, to](Lane& on, size_t count) {
      for (size_t i = 0; i < count; ++i) on.copy(to->get() + i * kLine, from->get() + i * kLine, 8);
    });
  });
  row.verify = [world, nodes, one_by_one] {
    nodes->expect_copied(world->stream);
    one_by_one->expect_copied(world->stream);
  };
  return row;
}

}  // namespace

void add_graph_rows(Rows& rows) {
  rows.push_back({"graph.capture", "", "ns", "a node captured, and its graph given back",
                  "(t(1000) - t(1)) / 999 / copy of 256 bytes", capture_row});
  rows.push_back({"graph.instantiate", "", "ns", "a node of an executable made and given back",
                  "(t(1000) - t(1)) / 999 / copy of 256 bytes", instantiate_row});
  rows.push_back({"graph.update", "", "ns", "a node that takes another one's parameters",
                  "(t(1000) - t(1)) / 999 / copy of 256 bytes", update_row});
  rows.push_back({"graph.launch", "", "ns", "what a node more costs the call that launches",
                  "(t(1000) - t(1)) / 999; ratio: xhal / driver_table of one node", launch_row});
  rows.push_back({"graph.first_launch", "", "ns",
                  "a node of a graph of 1,000 that is launched for the first time, and its end",
                  "t(first) / t(later)", first_launch_row});
  for (const int arguments : {8, 3}) {
    rows.push_back({"graph.replay", "nodes=kernels," + parameter("args", static_cast<uint64_t>(arguments)),
                    "ns", "a node of a graph that is launched, and its end", "(t(1000) - t(1)) / 999 / call",
                    [=](Bench& bench) { return replay_kernels(bench, arguments); }});
  }
  rows.push_back({"graph.replay", "nodes=copies", "ns", "the same, each a copy of eight bytes",
                  "(t(1000) - t(1)) / 999 / memcpy", replay_copies});
}

}  // namespace xhal::bench
