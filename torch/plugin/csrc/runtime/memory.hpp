// SPDX-License-Identifier: Apache-2.0
// Device memory by xhal::caching, one allocator a device, made when the device is used first.
#pragma once

#include <c10/core/Allocator.h>
#include <c10/core/Stream.h>

#include "xhal/caching/allocator.hpp"

// The library hides all else; the Python module sees this.
#pragma GCC visibility push(default)
namespace torch_xhal {

xhal::caching::Allocator& caching_allocator(c10::DeviceIndex device);
void record_memory(const c10::DataPtr& memory, c10::Stream stream);
bool is_capturing(c10::Stream stream);

}  // namespace torch_xhal
#pragma GCC visibility pop
