// SPDX-License-Identifier: Apache-2.0
#include "graph/graph.hpp"

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

uint32_t flags_of(const GraphNode& node) {
  return kernel_of(node) != nullptr ? node.work->op.body<LaunchOp>().launch.flags : 0;
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

bool GraphNode::is_kernel() const { return kernel_of(*this) != nullptr; }

const char* GraphNode::difference(const GraphNode& next) const {
  if (kind != next.kind || operation_of(*this) != operation_of(next)) return "is another operation";
  if (flags_of(*this) != flags_of(next)) return "is launched with other flags";
  return event.get() != next.event.get() ? "has another event" : nullptr;
}

}  // namespace xhal::sim
