// SPDX-License-Identifier: Apache-2.0
// PyTorch's streams are numbers: of the default stream (0), of a stream of the pool, or of one that somebody else made. Each finds its
// xhal stream without a lock, and none is ever destroyed.
#pragma once

#include <c10/core/Stream.h>

#include "xhal/caching/allocator.hpp"
#include "xhal/xhal.h"

// The library hides all else; the Python module sees this.
#pragma GCC visibility push(default)
namespace torch_xhal {

inline constexpr int kStreamsOfAPriority = 32;

// Handle and id, which is never used again. Throws for a number that no stream has.
xhal::caching::Stream stream_of(c10::Stream stream);
xhal_stream_t handle_of(c10::Stream stream);

c10::Stream default_stream(c10::DeviceIndex device);
// PyTorch's number of the stream with xhal's id; -1 for one that PyTorch never saw.
c10::StreamId number_of(c10::DeviceIndex device, uint64_t id);
// This thread's.
c10::Stream current_stream(c10::DeviceIndex device);
void set_current_stream(c10::Stream stream);

// Round robin among those of a priority; smaller is more urgent, and what the device does not have is moved into its range.
c10::Stream stream_from_pool(c10::DeviceIndex device, int priority);
c10::Stream stream_from_native(c10::DeviceIndex device, xhal_stream_t handle);
int priority_of(c10::Stream stream);
struct PriorityRange {
  int least = 0, greatest = 0;
};
PriorityRange priority_range(c10::DeviceIndex device);

}  // namespace torch_xhal
#pragma GCC visibility pop
