// SPDX-License-Identifier: Apache-2.0
// Device memory by xhal::caching, one allocator a device, made when the device is used first.
#pragma once

#include <c10/core/Allocator.h>
#include <c10/core/Stream.h>

#include <functional>

#include "xhal/caching/allocator.hpp"

// The library hides all else; the Python module sees this.
#pragma GCC visibility push(default)
namespace torch_xhal {

xhal::caching::Allocator& caching_allocator(c10::DeviceIndex device);
// Throws what a user of CUDA expects when there is not enough.
xhal::caching::Block* allocate_block(size_t bytes, c10::Stream stream);
// Null until the device's memory is used: to ask for figures opens no context. A wrong index throws.
xhal::caching::Allocator* allocator_if_made(c10::DeviceIndex device);
// What the allocators of all devices remember, those too that are made later.
struct HistorySettings {
  xhal::caching::KeepContexts keep = xhal::caching::KeepContexts::kNever;
  uint64_t max_entries = 0;
  std::function<xhal::caching::Context()> context;
};
void record_history(HistorySettings recording);
void record_memory(const c10::DataPtr& memory, c10::Stream stream);
bool is_capturing(c10::Stream stream);

}  // namespace torch_xhal
#pragma GCC visibility pop
