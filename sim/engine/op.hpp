// SPDX-License-Identifier: Apache-2.0
// The one operation object: what a stream queues and a worker executes. Addresses in it are the host's, resolved and checked.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>

#include "engine/event.hpp"
#include "engine/move_bytes.hpp"
#include "engine/progress.hpp"
#include "kernels/launch.hpp"
#include "kernels/scratch.hpp"
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

enum class OpKind : uint16_t {
  kEmpty,
  kCopy,
  kRegion,
  kFill,
  kLaunch,
  kHostFunction,
  kStamp,
  kWait,
  kValueWait,
  kValueWrite,
  kGraph,
  kNextSegment  // none: the queue goes on elsewhere
};

// Of a launch whose arguments find no room in its slot.
struct LargeArguments final : Attachment {
  explicit LargeArguments(const KernelCode& code)
      : bytes(allocate_aligned(code.argument_bytes, code.argument_alignment)) {}
  const AlignedBytes bytes;
};

struct CopyOp {
  static constexpr OpKind kKind = OpKind::kCopy;
  std::byte* destination;
  const std::byte* source;
  uint64_t size;
  uint32_t direction;  // an XHAL_COPY_ bit
};

// Large and rare: the operation's attachment.
struct RegionCopy;

struct RegionOp {
  static constexpr OpKind kKind = OpKind::kRegion;
  const RegionCopy* copy;
};

struct FillOp {
  static constexpr OpKind kKind = OpKind::kFill;
  std::byte* destination;
  uint64_t pattern;
  uint64_t size;
  uint32_t pattern_size;
};

struct LaunchOp {
  static constexpr OpKind kKind = OpKind::kLaunch;
  Launch launch;
};

struct HostFunctionOp {
  static constexpr OpKind kKind = OpKind::kHostFunction;
  xhal_host_fn function;
  void* user;
};

// Takes the time of a timed event, which it holds. Untimed records are positions and need no operation.
struct StampOp {
  static constexpr OpKind kKind = OpKind::kStamp;
  Event* event;
  uint64_t generation;
};

struct WaitOp {
  static constexpr OpKind kKind = OpKind::kWait;
  Position position;
};

// A word of 4 or 8 bytes.
struct ValueWaitOp {
  static constexpr OpKind kKind = OpKind::kValueWait;
  const std::byte* word;
  uint64_t value;
  uint32_t comparison;
  uint32_t width;
};

struct ValueWriteOp {
  static constexpr OpKind kKind = OpKind::kValueWrite;
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
  static constexpr OpKind kKind = OpKind::kGraph;
  GraphRun* run;  // the attachment
};

// An operation takes as many bytes of its queue as its body needs.
struct Op {
  uint64_t number;                // in its stream; the last one of several
  uint64_t external_correlation;  // what the submitting thread had exchanged
  std::unique_ptr<Attachment> attachment;
  OpKind kind;
  uint16_t size;  // of all of it

  // The body, which is a plain value; of a launch, nothing is set.
  template <class Body>
  Body& make() {
    kind = Body::kKind;
    use(sizeof(Body));
    return *::new (static_cast<void*>(body_)) Body;
  }
  template <class Body>
  void make(const Body& value) {
    make<Body>() = value;
  }
  // How many bytes of the body count, when they are not all.
  void use(size_t body_bytes) { size = static_cast<uint16_t>(kHeadBytes + (body_bytes + 7) / 8 * 8); }
  // That of an operation of its kind; as() is null when it is of another one.
  template <class Body>
  [[nodiscard]] const Body& body() const {
    return *std::launder(reinterpret_cast<const Body*>(body_));
  }
  template <class Body>
  [[nodiscard]] const Body* as() const {
    return kind == Body::kKind ? &body<Body>() : nullptr;
  }

  // Gives back what it owns, run or not.
  void release() {
    if (attachment != nullptr) attachment.reset();
    if (const auto* stamp = as<StampOp>()) stamp->event->release();
  }

  static constexpr size_t kHeadBytes = 32;

 private:
  static constexpr size_t kBodyBytes = sizeof(LaunchOp);
  template <class Body>
  static constexpr bool kFits = std::max(sizeof(Body), kBodyBytes) == kBodyBytes && alignof(Body) <= 8 &&
                                std::is_trivially_copyable_v<Body> && std::is_trivially_destructible_v<Body>;
  template <class... Bodies>
  static constexpr bool kAllFit = (kFits<Bodies> && ...);
  alignas(8) std::byte body_[kBodyBytes];
  static_assert(kAllFit<CopyOp, RegionOp, FillOp, LaunchOp, HostFunctionOp, StampOp, WaitOp, ValueWaitOp,
                        ValueWriteOp, GraphOp>);
};
static_assert(sizeof(Op) == Op::kHeadBytes + sizeof(LaunchOp));

}  // namespace xhal::sim
