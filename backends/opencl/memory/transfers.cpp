// SPDX-License-Identifier: Apache-2.0
#include "memory/transfers.hpp"

#include "device/device.hpp"

namespace xhal::opencl {
namespace {

// Where some bytes are for commands on buffers.
struct Place {
  cl_mem buffer = nullptr;  // null: the host's
  uint64_t offset = 0;
  void* pointer = nullptr;
};

Place place_of(const Device& device, const void* pointer) {
  const Range range = device.instance->memory.find(pointer);
  if (range.kind != XHAL_MEMORY_DEVICE) return {nullptr, 0, const_cast<void*>(pointer)};
  return {range.buffer, reinterpret_cast<uint64_t>(pointer) - range.base, nullptr};
}

// A buffer for the time of some commands: OpenCL keeps it until they are done.
template <class Use>
cl_int by_way_of_a_buffer(const Device& device, uint64_t size, const Use& use) {
  const Calls& calls = *device.instance->calls;
  cl_int code = CL_SUCCESS;
  const cl_mem between =
      calls.clCreateBuffer(device.platform->context, CL_MEM_READ_WRITE, size, nullptr, &code);
  if (code != CL_SUCCESS) return code;
  code = use(between);
  calls.clReleaseMemObject(between);
  return code;
}

cl_int copy_buffers(const Device& device, cl_command_queue queue, const Place& to, const Place& from,
                    uint64_t size, cl_event* event) {
  const Calls& calls = *device.instance->calls;
  if (to.buffer != nullptr && from.buffer != nullptr) {
    return calls.clEnqueueCopyBuffer(queue, from.buffer, to.buffer, from.offset, to.offset, size, 0, nullptr,
                                     event);
  }
  if (to.buffer != nullptr) {
    return calls.clEnqueueWriteBuffer(queue, to.buffer, CL_FALSE, to.offset, size, from.pointer, 0, nullptr,
                                      event);
  }
  if (from.buffer != nullptr) {
    return calls.clEnqueueReadBuffer(queue, from.buffer, CL_FALSE, from.offset, size, to.pointer, 0, nullptr,
                                     event);
  }
  return by_way_of_a_buffer(device, size, [&](cl_mem between) {
    const cl_int code =
        calls.clEnqueueWriteBuffer(queue, between, CL_FALSE, 0, size, from.pointer, 0, nullptr, nullptr);
    return code != CL_SUCCESS
               ? code
               : calls.clEnqueueReadBuffer(queue, between, CL_FALSE, 0, size, to.pointer, 0, nullptr, event);
  });
}

cl_int fill_buffer(const Device& device, cl_command_queue queue, const Place& to, uint64_t pattern,
                   uint32_t pattern_size, uint64_t size, cl_event* event) {
  const Calls& calls = *device.instance->calls;
  const auto fill = [&](cl_mem buffer, uint64_t offset, cl_event* filled) {
    return calls.clEnqueueFillBuffer(queue, buffer, &pattern, pattern_size, offset, size, 0, nullptr, filled);
  };
  if (to.buffer != nullptr) return fill(to.buffer, to.offset, event);
  return by_way_of_a_buffer(device, size, [&](cl_mem between) {
    const cl_int code = fill(between, 0, nullptr);
    return code != CL_SUCCESS
               ? code
               : calls.clEnqueueReadBuffer(queue, between, CL_FALSE, 0, size, to.pointer, 0, nullptr, event);
  });
}

// Calls `move(buffer, offset, size, pointer, access)` for each argument in host memory.
template <class Move>
cl_int for_host_arguments(const Device& device, const xhal_launch_t& launch, const Move& move) {
  for (uint32_t i = 0; i < launch.argument_count; ++i) {
    const xhal_argument_t& argument = launch.arguments[i];
    if (argument.kind != XHAL_ARGUMENT_MEMORY) continue;
    const Range range = device.instance->memory.find(argument.data);
    if (range.kind != XHAL_MEMORY_PINNED) continue;
    const uint64_t offset = reinterpret_cast<uint64_t>(argument.data) - range.base;
    const uint64_t size = argument.size == 0 ? range.size - offset : argument.size;
    if (const cl_int code =
            move(range.buffer, offset, size, const_cast<void*>(argument.data), argument.access);
        code != CL_SUCCESS)
      return code;
  }
  return CL_SUCCESS;
}

}  // namespace

cl_int enqueue_copy(const Device& device, cl_command_queue queue, void* to, const void* from, uint64_t size,
                    cl_event* event) {
  switch (device.facts.path) {
    case MemoryPath::kUsm:
      return device.platform->usm.copy(queue, CL_FALSE, to, from, size, 0, nullptr, event);
    case MemoryPath::kBuffers:
      return copy_buffers(device, queue, place_of(device, to), place_of(device, from), size, event);
    case MemoryPath::kSvm:
    case MemoryPath::kNone:
      break;
  }
  return device.instance->calls->clEnqueueSVMMemcpy(queue, CL_FALSE, to, from, size, 0, nullptr, event);
}

cl_int enqueue_fill(const Device& device, cl_command_queue queue, void* to, uint64_t pattern,
                    uint32_t pattern_size, uint64_t size, cl_event* event) {
  switch (device.facts.path) {
    case MemoryPath::kUsm:
      return device.platform->usm.fill(queue, to, &pattern, pattern_size, size, 0, nullptr, event);
    case MemoryPath::kBuffers:
      return fill_buffer(device, queue, place_of(device, to), pattern, pattern_size, size, event);
    case MemoryPath::kSvm:
    case MemoryPath::kNone:
      break;
  }
  return device.instance->calls->clEnqueueSVMMemFill(queue, to, &pattern, pattern_size, size, 0, nullptr,
                                                     event);
}

cl_int enqueue_arrivals(const Device& device, cl_command_queue queue, const xhal_launch_t& launch) {
  // What the kernel only writes arrives as well: it need not write all of it.
  return for_host_arguments(device, launch,
                            [&](cl_mem buffer, uint64_t offset, uint64_t size, void* pointer, uint32_t) {
                              return device.instance->calls->clEnqueueWriteBuffer(
                                  queue, buffer, CL_FALSE, offset, size, pointer, 0, nullptr, nullptr);
                            });
}

cl_int enqueue_returns(const Device& device, cl_command_queue queue, const xhal_launch_t& launch,
                       cl_event* event) {
  const Calls& calls = *device.instance->calls;
  return for_host_arguments(
      device, launch, [&](cl_mem buffer, uint64_t offset, uint64_t size, void* pointer, uint32_t access) {
        if (access == XHAL_ACCESS_READ) return cl_int{CL_SUCCESS};
        // The launch's own event, or that of an earlier argument, is not the last.
        if (event != nullptr && *event != nullptr) calls.clReleaseEvent(*event);
        return calls.clEnqueueReadBuffer(queue, buffer, CL_FALSE, offset, size, pointer, 0, nullptr, event);
      });
}

}  // namespace xhal::opencl
