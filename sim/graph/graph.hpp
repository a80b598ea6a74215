// SPDX-License-Identifier: Apache-2.0
// What a capture makes, and what runs of it.
//
// Nodes stand in the order in which they were captured; a node's dependencies stand before it. Running them one after the other in that
// order keeps every dependency, so a launch is one operation of its stream's lane and needs no hand-over between workers.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/op.hpp"
#include "xhal/driver.h"

namespace xhal::sim {

class Device;

// A hold on an event that outlives its handle.
class EventHold {
 public:
  EventHold() = default;
  explicit EventHold(Event& event) : event_(&event) { event.hold(); }
  EventHold(const EventHold& other) : event_(other.event_) {
    if (event_ != nullptr) event_->hold();
  }
  EventHold& operator=(EventHold other) {
    std::swap(event_, other.event_);
    return *this;
  }
  ~EventHold() {
    if (event_ != nullptr) event_->release();
  }
  [[nodiscard]] Event* get() const { return event_; }

 private:
  Event* event_ = nullptr;
};

struct GraphNode {
  enum class Kind { kWork, kAllocate, kFree, kRecord, kWait };
  // Shared by all graphs and executables that have the node.
  struct Work {
    Op op;
    std::shared_ptr<const void> keeps;  // what the operation uses beside memory: a kernel's image
  };

  Kind kind = Kind::kWork;
  std::shared_ptr<const Work> work;  // kWork
  EventHold event;                   // kRecord, kWait: external ones
  std::vector<uint32_t> after;       // indices of nodes

  [[nodiscard]] const char* label() const;
  [[nodiscard]] bool is_kernel() const;
  // See kit/graph.hpp.
  [[nodiscard]] const char* difference(const GraphNode& next) const;
};

struct GraphNodes : std::vector<GraphNode> {
  using vector::vector;
  // The external records and waits, in order: a launch looks at no other node. Told when the capture has ended.
  std::vector<uint32_t> events;
};

// What a handle of a graph points to. Immutable.
struct Graph {
  Device& device;
  const uint32_t epoch;
  const std::shared_ptr<const GraphNodes> nodes;
  xhal_graph_t handle = nullptr;
};

// What a handle of an executable points to.
struct GraphExec {
  Device& device;
  const uint32_t epoch;
  xhal_graph_exec_t handle = nullptr;
  std::mutex mutex;  // launches and updates take turns
  std::shared_ptr<const GraphNodes> nodes;
  Position last_launch;  // launches of one executable never overlap [XHAL-GRAPH-12]
};

// One launch on its way: belongs to its operation, which has a number for each external record and one for its end.
struct GraphRun final : Attachment {
  explicit GraphRun(std::shared_ptr<const GraphNodes> program);

  const std::shared_ptr<const GraphNodes> nodes;
  std::vector<Position> waits;        // of the external waits, in order, bound when it was launched
  std::vector<uint64_t> generations;  // of the external records, in order
  // Of the lane that runs it.
  size_t next = 0;
  size_t next_wait = 0;
  size_t next_record = 0;
};

}  // namespace xhal::sim
