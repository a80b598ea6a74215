// SPDX-License-Identifier: Apache-2.0
// The one operation object: what a stream queues and a worker executes. Addresses in it are the host's, resolved and checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <variant>

#include "engine/event.hpp"
#include "engine/move_bytes.hpp"
#include "engine/progress.hpp"
#include "kernels/launch.hpp"
#include "memory/staging.hpp"
#include "xhal/stream.h"

namespace xhal::sim {

struct CopyOp {
  std::byte* destination = nullptr;
  const std::byte* source = nullptr;  // into `staged` when that holds bytes
  uint64_t size = 0;
  StagedBytes staged;
};

// Large and rare: it stands beside the queue.
struct RegionCopy {
  Region region;
  StagedBytes staged;  // region.source points into it when it holds bytes
};
struct RegionOp {
  std::unique_ptr<RegionCopy> copy;
};

struct FillOp {
  std::byte* destination = nullptr;
  uint64_t pattern = 0;
  uint32_t pattern_size = 0;
  uint64_t size = 0;
};

struct LaunchOp {
  Launch launch;
};

struct HostFunctionOp {
  xhal_host_fn function = nullptr;
  void* user = nullptr;
};

// Takes the time of a timed event. Untimed records are positions and need no operation.
struct StampOp {
  std::shared_ptr<Event> event;
  uint64_t generation = 0;
};

struct WaitOp {
  Position position;
};

struct Op {
  uint64_t number = 0;     // in its stream
  const char* entry = "";  // the call that submitted it
  uint64_t correlation_id = 0;
  std::variant<std::monostate, CopyOp, RegionOp, FillOp, LaunchOp, HostFunctionOp, StampOp, WaitOp> body;
};

}  // namespace xhal::sim
