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

// What a few operations own beside their slot, until they are done.
class Attachment {
 public:
  Attachment() = default;
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;
  virtual ~Attachment() = default;
};

struct CopyOp {
  std::byte* destination;
  const std::byte* source;
  uint64_t size;
  uint32_t direction;  // an XHAL_COPY_ bit
};

// Large and rare: the operation's attachment.
struct RegionCopy;

struct RegionOp {
  const RegionCopy* copy;
};

struct FillOp {
  std::byte* destination;
  uint64_t pattern;
  uint64_t size;
  uint32_t pattern_size;
};

struct LaunchOp {
  LaunchOp() {}  // NOLINT(modernize-use-equals-default): = default would set all its bytes to zero
  Launch launch;
};

struct HostFunctionOp {
  xhal_host_fn function;
  void* user;
};

// Takes the time of a timed event, which it holds. Untimed records are positions and need no operation.
struct StampOp {
  Event* event;
  uint64_t generation;
};

struct WaitOp {
  Position position;
};

// A word of 4 or 8 bytes.
struct ValueWaitOp {
  const std::byte* word;
  uint64_t value;
  uint32_t comparison;
  uint32_t width;
};

struct ValueWriteOp {
  std::byte* word;
  uint64_t value;
  uint32_t width;
};

struct RegionCopy final : Attachment {
  Region region;
  uint32_t direction = 0;  // an XHAL_COPY_ bit
  StagedBytes staged;      // region.source points into it when it holds bytes
};

struct GraphRun;

struct GraphOp {
  GraphRun* run;  // the attachment
};

struct Op {
  uint64_t number = 0;                // in its stream; the last one of several
  const char* entry = "";             // the call that submitted it
  uint64_t correlation_id = 0;        // the launch's own
  uint64_t external_correlation = 0;  // what the submitting thread had exchanged
  std::unique_ptr<Attachment> attachment;
  // Bodies are plain values: slots are used again without being cleared.
  std::variant<std::monostate, CopyOp, RegionOp, FillOp, HostFunctionOp, StampOp, WaitOp, ValueWaitOp,
               ValueWriteOp, GraphOp, LaunchOp>
      body;

  // Gives back what it owns, run or not.
  void release() {
    if (attachment != nullptr) attachment.reset();
    if (auto* stamp = std::get_if<StampOp>(&body)) stamp->event->release();
  }
};

}  // namespace xhal::sim
