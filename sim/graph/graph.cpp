// SPDX-License-Identifier: Apache-2.0
#include "graph/graph.hpp"

#include <algorithm>

namespace xhal::sim {
namespace {

const KernelCode* kernel_of(const GraphNode& node) {
  if (node.kind != GraphNode::Kind::kWork) return nullptr;
  const auto* launch = node.work->op.as<LaunchOp>();
  return launch != nullptr ? launch->launch.kernel : nullptr;
}

OpKind operation_of(const GraphNode& node) {
  return node.kind == GraphNode::Kind::kWork ? node.work->op.kind : OpKind::kEmpty;
}

}  // namespace

GraphRun::GraphRun(std::shared_ptr<const GraphNodes> program) : nodes(std::move(program)) {
  for (const uint32_t index : nodes->events) {
    const GraphNode& node = (*nodes)[index];
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
  switch (work->op.kind) {
    case OpKind::kEmpty:
    case OpKind::kNextSegment:
      break;
    case OpKind::kCopy:
      return "copy";
    case OpKind::kRegion:
      return "copy of a region";
    case OpKind::kFill:
      return "fill";
    case OpKind::kHostFunction:
      return "host function";
    case OpKind::kStamp:
      return "record";
    case OpKind::kWait:
      return "wait";
    case OpKind::kValueWait:
      return "value wait";
    case OpKind::kValueWrite:
      return "value write";
    case OpKind::kLaunch:
      return kernel_of(*this)->name.c_str();
    case OpKind::kGraph:
      return "graph";
  }
  return "empty";
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

static uint32_t flags_of(const GraphNode& node) {
  return kernel_of(node) != nullptr ? node.work->op.body<LaunchOp>().launch.flags : 0;
}

bool same_shape(const GraphNodes& former, const GraphNodes& next, ShapeDifference& out) {
  const size_t common = std::min(former.size(), next.size());
  for (size_t i = 0; i < common; ++i) {
    const GraphNode& a = former[i];
    const GraphNode& b = next[i];
    const char* what = a.kind != b.kind || operation_of(a) != operation_of(b) ? "is another operation"
                       : flags_of(a) != flags_of(b)                           ? "is launched with other flags"
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
