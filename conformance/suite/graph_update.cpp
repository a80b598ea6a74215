// SPDX-License-Identifier: Apache-2.0
// Updates of an executable: which launches they change, and what they refuse.
#include <algorithm>

#include "suite/graph_support.h"

namespace xhal::conformance {
namespace {

Cases nodes_and_gates() {
  return grid({{"node", {Value("kernel", {XHAL_FEATURE_KERNEL}), "copy", "fill"}}, gate_axis()});
}
Cases gates() { return grid({gate_axis()}); }
Cases nodes() { return grid({{"node", {Value("kernel", {XHAL_FEATURE_KERNEL}), "copy", "fill"}}}); }

// One operation on a word, in variants that differ in a parameter alone.
class Variants {
 public:
  explicit Variants(Context& t) : t_(t), kind_(t.text("node")), word_(device_memory(t, 8)) {
    clear();
    for (uint64_t i = 0; i < kVariants; ++i) {
      sources_.push_back(pinned_memory(t, 8));
      *sources_.back().as<uint64_t>() = parameter(i);
    }
  }

  void submit(xhal_stream_t stream, size_t variant) {
    Context& t = t_;
    if (kind_ == "kernel") {
      REQUIRE_OK(fold(t, stream, word_, parameter(variant), 1));
    } else if (kind_ == "copy") {
      REQUIRE_OK(xhal_memory_copy(stream, word_, sources_.at(variant), 8));
    } else {
      REQUIRE_OK(xhal_memory_fill(stream, word_, parameter(variant), 4, 8));
    }
  }
  Graph graph(xhal_stream_t stream, size_t variant) {
    return captured(t_, stream, [&](xhal_stream_t s) { submit(s, variant); });
  }
  // The word after variants have run in this order.
  [[nodiscard]] uint64_t expected(std::initializer_list<size_t> variants) const {
    uint64_t value = 0;
    for (const size_t one : variants) {
      const uint64_t low = parameter(one) & 0xFFFFFFFF;
      value = kind_ == "kernel" ? oracle::mix(value, parameter(one))
              : kind_ == "copy" ? parameter(one)
                                : low << 32 | low;
    }
    return value;
  }
  [[nodiscard]] const Buffer& word() const { return word_; }
  void clear() { t_.write(word_, std::vector<uint64_t>{0}); }

 private:
  static constexpr size_t kVariants = 3;

  [[nodiscard]] uint64_t parameter(uint64_t variant) const { return oracle::random_word(t_.seed(), variant); }

  Context& t_;
  std::string kind_;
  Buffer word_;
  std::vector<Buffer> sources_;
};

XHAL_TEST_P(graph, update_changes_later_launches, nodes_and_gates, .clauses = {"XHAL-GRAPH-13"},
            .observes =
                "a launch held on its stream, an update, another launch, a second update and a third launch: "
                "each has the parameters that were current when it was submitted, and no update waited",
            .needs = {XHAL_FEATURE_GRAPH}) {
  Stream maker(t);
  Stream stream(t);
  Variants work(t);
  const Buffer seen = device_memory(t, 3 * sizeof(uint64_t));
  Graph graphs[] = {work.graph(maker, 0), work.graph(maker, 1), work.graph(maker, 2)};
  const GraphExec exec(t, graphs[0]);
  Gate gate(t, stream, gate_kind(t.text("hold")));
  // Copies that may wait for their stream, as declared, must not meet a shut gate.
  if (may_block(t, XHAL_COPY_DEVICE_TO_DEVICE)) gate.open();
  for (size_t round = 0; round < 3; ++round) {
    if (round > 0) {
      EXPECT_RESULT("XHAL-GRAPH-13", xhal_graph_exec_update(exec, graphs[round], nullptr), XHAL_SUCCESS,
                    "update {}", round);
      // The executable holds what it needs, as after an instantiation.
      graphs[round].reset();
    }
    REQUIRE_OK(xhal_graph_exec_launch(exec, stream));
    REQUIRE_OK(xhal_memory_copy(stream, seen.at(round * 8), work.word(), 8));
  }
  if (gate.shut() && !may_block(t, XHAL_COPY_DEVICE_TO_DEVICE))
    EXPECT_CLAUSE("XHAL-GRAPH-13", gate.held(), "an update waited for the launch in flight");
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  const auto got = t.read<uint64_t>(seen, 3);
  EXPECT_VALUE("XHAL-GRAPH-13", got[0], work.expected({0}), "the launch before the update");
  EXPECT_VALUE("XHAL-GRAPH-13", got[1], work.expected({0, 1}), "the launch behind it");
  EXPECT_VALUE("XHAL-GRAPH-13", got[2], work.expected({0, 1, 2}), "the launch behind the second update");
}

XHAL_TEST_P(graph, update_while_it_runs, gates, .clauses = {"XHAL-GRAPH-13"},
            .observes =
                "an update while a launch is held inside, in front of the node that the update changes: this "
                "launch keeps its parameters, the next one has the new ones",
            .needs = {XHAL_FEATURE_GRAPH, XHAL_FEATURE_KERNEL}) {
  Stream maker(t);
  Stream stream(t);
  FoldCell cell(t);
  std::unique_ptr<Gate> gates[2];
  const auto make = [&](size_t variant) {
    return captured(t, maker, [&](xhal_stream_t s) {
      cell.fold_on(s, 50 + variant);
      gates[variant] = gate_in_capture(t, s);
      cell.fold_on(s, 60 + variant);
    });
  };
  const Graph first = make(0);
  const Graph second = make(1);
  gates[1]->open();
  const GraphExec exec(t, first);
  REQUIRE_OK(xhal_graph_exec_launch(exec, stream));
  require_entered(t, *gates[0], stream);
  EXPECT_RESULT("XHAL-GRAPH-13", xhal_graph_exec_update(exec, second, nullptr), XHAL_SUCCESS);
  REQUIRE_OK(xhal_graph_exec_launch(exec, stream));
  if (gates[0]->shut()) EXPECT_CLAUSE("XHAL-GRAPH-13", gates[0]->held(), "the update waited for the launch");
  gates[0]->open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_VALUE("XHAL-GRAPH-13", cell.value(), folded(0, {50, 60, 51, 61}));
}

Cases shapes() {
  return grid({{"shape", {"empty", "fewer", "more", "other_kind", "other_order", "parallel"}}});
}

// Two chained fills and a copy, or another shape than that.
Graph shaped(Context& t, const std::string& shape, xhal_stream_t stream, xhal_stream_t forked,
             xhal_event_t over, const Buffer& words, const Buffer& source) {
  return captured(t, stream, [&](xhal_stream_t s) {
    const auto fill = [&](xhal_stream_t on, uint64_t value) {
      REQUIRE_OK(xhal_memory_fill(on, words.at(value % 2 * 4), value, 4, 4));
    };
    const auto copy = [&](xhal_stream_t on) { REQUIRE_OK(xhal_memory_copy(on, words.at(8), source, 8)); };
    if (shape == "empty") return;
    if (shape == "other_order") copy(s);
    fill(s, 100);
    if (shape == "other_kind") {
      REQUIRE_OK(xhal_memory_copy(s, words.at(4), source, 4));
    } else if (shape != "fewer") {
      const bool parallel = shape == "parallel";
      if (parallel) {
        REQUIRE_OK(xhal_event_record(over, s, 0));
        REQUIRE_OK(xhal_stream_wait_event(forked, over, 0));
        fill(forked, 101);
        copy(s);
        REQUIRE_OK(xhal_event_record(over, forked, 0));
        REQUIRE_OK(xhal_stream_wait_event(s, over, 0));
        return;
      }
      fill(s, 101);
    }
    if (shape != "other_order") copy(s);
    if (shape == "more") fill(s, 103);
  });
}

XHAL_TEST_P(
    graph, update_of_another_shape, shapes, .clauses = {"XHAL-GRAPH-13"},
    .observes =
        "an update by a graph without nodes, with fewer, with more, with another kind of node, with the "
        "nodes in another order and with other edges: the code, the node and the text that it tells, "
        "and what a launch does afterwards",
    .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Stream forked(t);
  Event over(t);
  const Buffer words = pinned_memory(t, 16);
  const Buffer source = pinned_memory(t, 8);
  *source.as<uint64_t>() = t.seed();
  const Graph whole = shaped(t, "whole", stream, forked, over, words, source);
  const Graph other = shaped(t, t.text("shape"), stream, forked, over, words, source);
  const GraphExec exec(t, whole);
  xhal_graph_update_info_t info{};
  info.struct_size = sizeof(info);
  info.node = ~0u;
  EXPECT_RESULT("XHAL-GRAPH-13", xhal_graph_exec_update(exec, other, &info), XHAL_ERROR_GRAPH_UPDATE_FAILED);
  EXPECT_VALUE("XHAL-GRAPH-13", info.struct_size, sizeof(info));
  const uint32_t most = std::max(graph_info(t, whole).node_count, graph_info(t, other).node_count);
  EXPECT_CLAUSE("XHAL-GRAPH-13", info.node < most, "it names node {} of {}", info.node, most);
  EXPECT_CLAUSE("XHAL-GRAPH-13", std::find(info.text, std::end(info.text), '\0') != std::end(info.text),
                "the text has no end");
  EXPECT_CLAUSE("XHAL-GRAPH-13", info.text[0] != 0, "the text is empty");
  EXPECT_RESULT("XHAL-GRAPH-13", xhal_graph_exec_update(exec, other, nullptr), XHAL_ERROR_GRAPH_UPDATE_FAILED,
                "without a place for the node");
  std::fill(words.host().begin(), words.host().end(), uint8_t{0});
  run(t, exec, stream);
  EXPECT_VALUE("XHAL-GRAPH-13", words.host<uint32_t>()[0], 100u, "the first fill");
  EXPECT_VALUE("XHAL-GRAPH-13", words.host<uint32_t>()[1], 101u, "the second fill");
  EXPECT_VALUE("XHAL-GRAPH-13", words.host<uint64_t>()[1], t.seed(), "the copy");
}

XHAL_TEST_P(
    graph, update_leaves_other_executables, nodes, .clauses = {"XHAL-GRAPH-13", "XHAL-GRAPH-11"},
    .observes =
        "two executables of one graph, one updated: the other, and a third made of the graph afterwards, "
        "keep the graph's parameters",
    .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Variants work(t);
  const Graph original = work.graph(stream, 0);
  const Graph changed = work.graph(stream, 1);
  const GraphExec updated(t, original);
  const GraphExec other(t, original);
  EXPECT_RESULT("XHAL-GRAPH-13", xhal_graph_exec_update(updated, changed, nullptr), XHAL_SUCCESS);
  const GraphExec later(t, original);
  const auto launched = [&](const GraphExec& exec) {
    work.clear();
    run(t, exec, stream);
    return t.read<uint64_t>(work.word(), 1).front();
  };
  EXPECT_VALUE("XHAL-GRAPH-13", launched(updated), work.expected({1}));
  EXPECT_VALUE("XHAL-GRAPH-11", launched(other), work.expected({0}), "the other executable");
  EXPECT_VALUE("XHAL-GRAPH-11", launched(later), work.expected({0}), "the graph itself");
  EXPECT_RESULT("XHAL-GRAPH-13", xhal_graph_exec_update(updated, original, nullptr), XHAL_SUCCESS, "back");
  EXPECT_VALUE("XHAL-GRAPH-13", launched(updated), work.expected({0}), "back");
}

}  // namespace
}  // namespace xhal::conformance
