// SPDX-License-Identifier: Apache-2.0
#include "graph/graph.hpp"

#include <cstring>
#include <utility>

#include "device/device.hpp"
#include "kernels/kernel.hpp"
#include "xhal/kit/launch.hpp"

namespace xhal::opencl {

KeptLaunch::KeptLaunch(Kernel& kernel, const xhal_launch_t& launch)
    : kernel_(kernel), module_(kernel.module->shared_from_this()), launch_(launch) {
  arguments_.assign(launch.arguments, launch.arguments + launch.argument_count);
  size_t bytes = 0;
  constexpr size_t kAlignment = alignof(std::max_align_t);
  const auto room_of = [](const xhal_argument_t& argument) {
    return argument.kind == XHAL_ARGUMENT_VALUE ? (argument.size + kAlignment - 1) / kAlignment * kAlignment
                                                : 0;
  };
  for (const xhal_argument_t& argument : arguments_) bytes += room_of(argument);
  values_.resize(bytes);
  unsigned char* to = values_.data();
  for (xhal_argument_t& argument : arguments_) {
    if (argument.kind != XHAL_ARGUMENT_VALUE) continue;
    const size_t room = room_of(argument);
    std::memcpy(to, argument.data, argument.size);
    argument.data = to;
    to += room;
  }
  for (uint32_t i = 0; i < launch.range_count; ++i) ranges_.push_back(kit::range_of(launch, i));
  launch_.arguments = arguments_.data();
  launch_.ranges = ranges_.data();
  launch_.range_stride = sizeof(xhal_memory_range_t);
}

const char* GraphNode::label() const {
  struct Label {
    const char* operator()(const std::shared_ptr<const Commands>& commands) const { return commands->what; }
    const char* operator()(const std::shared_ptr<const KeptLaunch>& launch) const {
      return launch->kernel().name.c_str();
    }
    const char* operator()(const HostFunction&) const { return "host function"; }
    const char* operator()(const Record&) const { return "external record"; }
    const char* operator()(const Wait&) const { return "external wait"; }
  };
  return std::visit(Label(), work);
}

bool GraphNode::is_kernel() const { return std::holds_alternative<std::shared_ptr<const KeptLaunch>>(work); }

const char* GraphNode::difference(const GraphNode& next) const {
  constexpr const char* kOther = "is another operation";
  constexpr const char* kOtherEvent = "has another event";
  if (work.index() != next.work.index()) return kOther;
  if (const auto* commands = std::get_if<std::shared_ptr<const Commands>>(&work))
    return std::strcmp((*commands)->what, next.label()) != 0 ? kOther : nullptr;
  if (const auto* record = std::get_if<Record>(&work))
    return record->event != std::get<Record>(next.work).event ? kOtherEvent : nullptr;
  if (const auto* wait = std::get_if<Wait>(&work))
    return wait->event != std::get<Wait>(next.work).event ? kOtherEvent : nullptr;
  return nullptr;
}

void GraphExec::take(std::shared_ptr<const GraphNodes> next) {
  // A kernel whose code stays needs its arguments alone.
  const auto id_of = [](const GraphNode& node) {
    const auto* launch = std::get_if<std::shared_ptr<const KeptLaunch>>(&node.work);
    return launch != nullptr ? (*launch)->kernel().id : 0;
  };
  kernels.resize(next->size());
  for (size_t i = 0; nodes != nullptr && i < next->size(); ++i)
    if (id_of((*nodes)[i]) != id_of((*next)[i])) kernels[i].reset();
  nodes = std::move(next);
}

}  // namespace xhal::opencl
