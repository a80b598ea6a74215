// SPDX-License-Identifier: Apache-2.0
// Copies and fills as OpenCL's commands, on whatever path the device's memory is reached.
#pragma once

#include <cstdint>

#include "api/calls.hpp"
#include "xhal/driver.h"

namespace xhal::opencl {

struct Device;

// The commands of one copy or fill; `event` is that of the last one, and may be null.
cl_int enqueue_copy(const Device& device, cl_command_queue queue, void* to, const void* from, uint64_t size,
                    cl_event* event);
cl_int enqueue_fill(const Device& device, cl_command_queue queue, void* to, uint64_t pattern,
                    uint32_t pattern_size, uint64_t size, cl_event* event);

// Of a device with plain buffers: host memory that a kernel is given has a buffer in its place, which these bring up to date, and back.
cl_int enqueue_arrivals(const Device& device, cl_command_queue queue, const xhal_launch_t& launch);
cl_int enqueue_returns(const Device& device, cl_command_queue queue, const xhal_launch_t& launch,
                       cl_event* event);

}  // namespace xhal::opencl
