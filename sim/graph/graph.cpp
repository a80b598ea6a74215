// SPDX-License-Identifier: Apache-2.0
#include "graph/graph.hpp"

#include <algorithm>

namespace xhal::sim {
namespace {

const KernelCode* kernel_of(const GraphNode& node) {
  if (node.kind != GraphNode::Kind::kWork) return nullptr;
  const auto* launch = std::get_if<LaunchOp>(&node.work->op.body);
  return launch != nullptr ? launch->launch.kernel : nullptr;
}

size_t operation_of(const GraphNode& node) {
  return node.kind == GraphNode::Kind::kWork ? node.work->op.body.index() : std::variant_npos;
}

}  // namespace

GraphRun::GraphRun(std::shared_ptr<const GraphNodes> program) : nodes(std::move(program)) {
  for (const GraphNode& node : *nodes) {
    if (node.kind == GraphNode::Kind::kWait) waits.push_back(node.event.get()->current());
    if (node.kind == GraphNode::Kind::kRecord) generations.push_back(0);
  }
}

const char* GraphNode::label() const {
  switch (kind) {
    case Kind::kAllocate:
      return "allocate";
    case Kind::kFree:
      return "free";
    case Kind::kRecord:
      return "external record";
    case Kind::kWait:
      return "external wait";
    case Kind::kWork:
      break;
  }
  struct Label {
    const char* operator()(std::monostate) const { return "empty"; }
    const char* operator()(const CopyOp&) const { return "copy"; }
    const char* operator()(const RegionOp&) const { return "copy of a region"; }
    const char* operator()(const FillOp&) const { return "fill"; }
    const char* operator()(const HostFunctionOp&) const { return "host function"; }
    const char* operator()(const StampOp&) const { return "record"; }
    const char* operator()(const WaitOp&) const { return "wait"; }
    const char* operator()(const ValueWaitOp&) const { return "value wait"; }
    const char* operator()(const ValueWriteOp&) const { return "value write"; }
    const char* operator()(const LaunchOp& op) const { return op.launch.kernel->name.c_str(); }
    const char* operator()(const GraphOp&) const { return "graph"; }
  };
  return std::visit(Label{}, work->op.body);
}

std::string dump(const GraphNodes& nodes) {
  std::string text = "digraph xhal {\n";
  for (size_t i = 0; i < nodes.size(); ++i) {
    const GraphNode& node = nodes[i];
    text += "  n" + std::to_string(i) + " [label=\"" + node.label() + "\"" +
            (kernel_of(node) != nullptr ? ", shape=box" : "") + "];\n";
  }
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (const uint32_t before : nodes[i].after)
      text += "  n" + std::to_string(before) + " -> n" + std::to_string(i) + ";\n";
  }
  return text + "}\n";
}

bool same_shape(const GraphNodes& former, const GraphNodes& next, ShapeDifference& out) {
  const size_t common = std::min(former.size(), next.size());
  for (size_t i = 0; i < common; ++i) {
    const GraphNode& a = former[i];
    const GraphNode& b = next[i];
    const char* what = a.kind != b.kind || operation_of(a) != operation_of(b) ? "is another operation"
                       : a.after != b.after                                   ? "has other dependencies"
                       : a.event.get() != b.event.get()                       ? "has another event"
                                                                              : nullptr;
    if (what == nullptr) continue;
    out = {i, "node " + std::to_string(i) + " " + what + ": '" + a.label() + "' before, '" + b.label() +
                  "' now"};
    return false;
  }
  if (former.size() == next.size()) return true;
  out = {common, "the executable has " + std::to_string(former.size()) + " nodes, the graph " +
                     std::to_string(next.size())};
  return false;
}

}  // namespace xhal::sim
