// SPDX-License-Identifier: Apache-2.0
// What a capture makes, and launching it: nodes are commands that are added to a queue anew each time, in the order in which they were
// captured, which keeps every dependency.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <variant>
#include <vector>

#include "api/calls.hpp"
#include "kernels/launch.hpp"
#include "work/queue.hpp"
#include "xhal/driver.h"
#include "xhal/kit/capture.hpp"

namespace xhal::opencl {

class Kernel;
class Module;
struct Device;
struct Event;

// A launch that outlives the structs of its caller, and the module of its kernel.
class KeptLaunch {
 public:
  KeptLaunch(Kernel& kernel, const xhal_launch_t& launch);
  KeptLaunch(const KeptLaunch&) = delete;
  KeptLaunch& operator=(const KeptLaunch&) = delete;

  [[nodiscard]] Kernel& kernel() const { return kernel_; }
  [[nodiscard]] const xhal_launch_t& launch() const { return launch_; }

 private:
  Kernel& kernel_;
  const std::shared_ptr<Module> module_;
  std::vector<xhal_argument_t> arguments_;
  std::vector<xhal_memory_range_t> ranges_;
  std::vector<unsigned char> values_;
  xhal_launch_t launch_;
};

struct GraphNode {
  // Copies and fills: one command of the contract, of one or more of OpenCL's.
  struct Commands {
    const char* what;
    std::function<cl_int(cl_command_queue, cl_event*)> enqueue;
  };
  struct HostFunction {
    xhal_host_fn function;
    void* user;
  };
  struct Record {
    std::shared_ptr<Event> event;
  };
  struct Wait {
    std::shared_ptr<Event> event;
  };

  // What is large is shared by all graphs and executables that have the node.
  std::variant<std::shared_ptr<const Commands>, std::shared_ptr<const KeptLaunch>, HostFunction, Record, Wait>
      work;
  std::vector<uint32_t> after = {};

  // See kit/graph.hpp.
  [[nodiscard]] const char* label() const;
  [[nodiscard]] bool is_kernel() const;
  [[nodiscard]] const char* difference(const GraphNode& next) const;
};

using GraphNodes = std::vector<GraphNode>;

class Capture final : public kit::Capture<GraphNodes> {
 public:
  using kit::Capture<GraphNodes>::Capture;
};

// The point of a capture at which an event was recorded.
struct CaptureMark {
  std::shared_ptr<Capture> capture;
  kit::CaptureFront front;
};

// Immutable.
struct Graph {
  Device* device = nullptr;
  std::shared_ptr<const GraphNodes> nodes;
  std::list<Graph>::iterator place;
  xhal_graph_t handle = nullptr;
};

struct GraphExec {
  Device* device = nullptr;
  std::list<GraphExec>::iterator place;
  xhal_graph_exec_t handle = nullptr;

  std::mutex mutex;  // launches and updates take turns
  std::shared_ptr<const GraphNodes> nodes;
  // A kernel for each launch, whose arguments stay set; null for other nodes, and until the node is launched.
  std::vector<std::unique_ptr<LaunchKernel>> kernels;
  std::weak_ptr<Queue> last_queue;  // launches of one executable never overlap [XHAL-GRAPH-12]

  // Under the mutex: nodes of the same shape, for later launches.
  void take(std::shared_ptr<const GraphNodes> next);
};

}  // namespace xhal::opencl
