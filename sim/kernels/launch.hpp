// SPDX-License-Identifier: Apache-2.0
// One launch: its argument bytes, and running its groups.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "kernels/image.hpp"

namespace xhal::sim {

struct Place;

// Of a launch; beside its operation's slot when there are more.
inline constexpr uint32_t kInlineArgumentBytes = 128;
inline constexpr uint32_t kInlineArgumentAlignment = 8;

// The device's limits of groups that run at the same time. A thread each, more of them than processors: it is for what they promise.
inline constexpr uint32_t kMaxCooperativeGroups = 64;
inline constexpr uint32_t kMaxClusterGroups = 16;

// As it stands in a queue, where each byte counts that two processors have to hand over: limits keep its numbers small, and of the
// arguments there are only as many bytes as the kernel has.
struct Launch {
  const KernelCode* kernel;  // of an image that stays loaded while work is pending
  uint64_t correlation_id;
  uint32_t group_count[3];
  uint16_t group_size[3];
  uint8_t cluster_size[3];  // set when the flags have CLUSTER
  uint8_t flags;            // XHAL_LAUNCH_x
  alignas(kInlineArgumentAlignment) std::byte arguments[kInlineArgumentBytes];
};

// What a launch borrows from where it runs.
struct LaunchPlace {
  Place& place;
  const std::atomic<bool>& abandoned;
  uint64_t window_base;
  uint64_t window_size;
  uint64_t backing_distance;
  const std::byte* arguments;
};

enum class LaunchEnd { kDone, kTrapped, kAbandoned };

struct LaunchOutcome {
  LaunchEnd end = LaunchEnd::kDone;
  uint32_t group[3] = {};  // where it ended, unless done
};

LaunchOutcome run_launch(const Launch& launch, const LaunchPlace& place);
// The same of a launch with flags.
LaunchOutcome run_groups_together(const Launch& launch, const LaunchPlace& place);

// How many groups of a launch with these flags wait for one another: so many parts the scheduler is asked for.
uint64_t groups_together(uint32_t flags, const uint32_t (&group_count)[3], const uint32_t (&cluster_size)[3]);

// ThreadSanitizer sees nothing of what an image's code does: it is told at the end of this. Who stored a word of the kernel's memory, and
// all that he wrote before, comes before what runs behind the kernel, since the kernel may have waited for it.
class UnseenOrder {
 public:
#if defined(__SANITIZE_THREAD__)
  UnseenOrder(const KernelCode& kernel, const std::byte* arguments)
      : kernel_(kernel), arguments_(arguments) {}
  ~UnseenOrder();
  UnseenOrder(const UnseenOrder&) = delete;
  UnseenOrder& operator=(const UnseenOrder&) = delete;

 private:
  const KernelCode& kernel_;
  const std::byte* const arguments_;
#else
  UnseenOrder(const KernelCode&, const std::byte*) {}
#endif
};

// What an image sees of a launch on one thread, whose place it is. `relax` is the caller's to set, and the group.
struct LaunchFrame {
  LaunchFrame(const Launch& launch, const LaunchPlace& where, Place& place);

  xhal_native_frame native = {};
  const void* arguments[kMaxArguments];
};

}  // namespace xhal::sim
