// SPDX-License-Identifier: Apache-2.0
#include "kernels/launch.hpp"

#include <algorithm>
#include <cstring>

#include "device/device.hpp"
#include "kernels/kernel.hpp"
#include "memory/transfers.hpp"
#include "xhal/kit/driver.hpp"
#include "xhal/kit/launch.hpp"

namespace xhal::opencl {
namespace {

xhal_result_t check_memory(const Kernel& kernel, const Device& device, const char* what, uint32_t index,
                           const void* pointer, uint64_t size) {
  const Memory& memory = device.instance->memory;
  if (memory.is_within(pointer, size, device.index)) [[likely]]
    return XHAL_SUCCESS;
  // A text is made for what is refused alone: it costs more than all the rest of a launch's checks.
  char name[160];
  const auto make_name = [&] {
    std::snprintf(name, sizeof(name), "kernel '%.100s', %s %u:", kernel.name.c_str(), what, index);
    return name;
  };
  Range range = memory.find(pointer);
  if (!range.holds(pointer, size)) return memory.resolve(make_name(), pointer, size, false, range);
  // What is not a device's own is everybody's of its platform.
  const Device& owner = *device.instance->devices[range.device];
  if (range.kind != XHAL_MEMORY_DEVICE && owner.platform == device.platform) return XHAL_SUCCESS;
  return kit::fail(XHAL_ERROR_INVALID_POINTER, "%s %p is memory of device %u, which device %u does not reach",
                   make_name(), pointer, range.device, device.index);
}

xhal_result_t check_argument(const Kernel& kernel, const Device& device, uint32_t index,
                             const xhal_argument_t& given) {
  if (const xhal_result_t result =
          kit::check_argument(kernel.name.c_str(), index, given, kernel.params[index].kind);
      result < 0)
    return result;
  return given.kind == XHAL_ARGUMENT_MEMORY
             ? check_memory(kernel, device, "argument", index, given.data, given.size)
             : XHAL_SUCCESS;
}

xhal_result_t check_shape(const Kernel& kernel, const Device& device, const xhal_launch_t& launch) {
  if ((launch.flags & ~uint32_t{XHAL_LAUNCH_COOPERATIVE | XHAL_LAUNCH_CLUSTER}) != 0)
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "launch->flags is 0x%x, which has unknown bits",
                     launch.flags);
  if (launch.flags != 0) {
    return kit::fail(XHAL_ERROR_UNSUPPORTED,
                     "OpenCL promises of no groups that they run at once: no cooperative or cluster launch");
  }
  if (launch.reserved != 0) return kit::refuse_reserved("launch");
  const xhal_device_properties_t& p = device.properties;
  const kit::GroupLimits limits = {{p.max_group_count[0], p.max_group_count[1], p.max_group_count[2]},
                                   {p.max_group_size[0], p.max_group_size[1], p.max_group_size[2]},
                                   std::min<uint64_t>(kernel.max_group_items, p.max_group_items)};
  const char* const name = kernel.name.c_str();
  if (const xhal_result_t result = kit::check_groups(name, launch, limits); result < 0) return result;
  return kit::check_argument_count(name, launch, kernel.params.size());
}

xhal_result_t check_local(const Kernel& kernel, const Device& device, const xhal_launch_t& launch) {
  return kit::check_local_bytes(kernel.name.c_str(), launch, kernel.static_local_bytes,
                                device.facts.local_bytes);
}

xhal_result_t check_ranges(const Kernel& kernel, const Device& device, const xhal_launch_t& launch) {
  return kit::check_ranges(launch, [&](uint32_t index, const xhal_memory_range_t& range) {
    return check_memory(kernel, device, "range", index, range.pointer, range.size);
  });
}

}  // namespace

xhal_result_t check_launch(const Kernel& kernel, const Device& device, const xhal_launch_t& launch) {
  if (&kernel.module->device() != &device) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                     "the kernel's module is loaded on device %u, the stream is of device %u",
                     kernel.module->device().index, device.index);
  }
  if (const xhal_result_t result = check_shape(kernel, device, launch); result < 0) return result;
  for (uint32_t i = 0; i < launch.argument_count; ++i)
    if (const xhal_result_t result = check_argument(kernel, device, i, launch.arguments[i]); result < 0)
      return result;
  if (const xhal_result_t result = check_local(kernel, device, launch); result < 0) return result;
  return launch.range_count == 0 ? XHAL_SUCCESS : check_ranges(kernel, device, launch);
}

std::unique_ptr<LaunchKernel> LaunchKernel::make(const Kernel& kernel, cl_int& code) {
  const Device& device = kernel.module->device();
  const Calls& calls = *device.instance->calls;
  const cl_kernel made = calls.clCreateKernel(kernel.module->program(), kernel.native_name.c_str(), &code);
  if (code != CL_SUCCESS) return nullptr;
  std::unique_ptr<LaunchKernel> out(new LaunchKernel(kernel, made));
  if (device.facts.path == MemoryPath::kUsm) {
    // Pointers that the kernel finds in memory; a driver that needs to be told of them takes these.
    const cl_bool yes = CL_TRUE;
    constexpr cl_kernel_exec_info kKinds[] = {CL_KERNEL_EXEC_INFO_INDIRECT_HOST_ACCESS_INTEL,
                                              CL_KERNEL_EXEC_INFO_INDIRECT_DEVICE_ACCESS_INTEL,
                                              CL_KERNEL_EXEC_INFO_INDIRECT_SHARED_ACCESS_INTEL};
    for (const cl_kernel_exec_info kind : kKinds) {
      code = calls.clSetKernelExecInfo(made, kind, sizeof(yes), &yes);
      if (code != CL_SUCCESS) return nullptr;
    }
  }
  return out;
}

LaunchKernel::LaunchKernel(const Kernel& kernel, cl_kernel native)
    : kernel_(kernel), device_(kernel.module->device()), native_(native), set_(kernel.params.size()) {}

LaunchKernel::~LaunchKernel() { device_.instance->calls->clReleaseKernel(native_); }

cl_int LaunchKernel::set_memory(uint32_t place, const void* pointer) {
  const Calls& calls = *device_.instance->calls;
  if (device_.facts.path == MemoryPath::kUsm)
    return device_.platform->usm.set_argument(native_, place, pointer);
  if (device_.facts.path == MemoryPath::kSvm) return calls.clSetKernelArgSVMPointer(native_, place, pointer);
  const Range range = device_.instance->memory.find(pointer);
  const cl_ulong offset = reinterpret_cast<uint64_t>(pointer) - range.base;
  const cl_int code = calls.clSetKernelArg(native_, place, sizeof(cl_mem), &range.buffer);
  return code != CL_SUCCESS ? code : calls.clSetKernelArg(native_, place + 1, sizeof(offset), &offset);
}

cl_int LaunchKernel::set(uint32_t place, const xhal_argument_t& argument) {
  const Calls& calls = *device_.instance->calls;
  if (argument.kind == XHAL_ARGUMENT_MEMORY) return set_memory(place, argument.data);
  // Local memory of no size is refused by OpenCL and legal here.
  const uint64_t size =
      argument.kind == XHAL_ARGUMENT_LOCAL ? std::max<uint64_t>(argument.size, 1) : argument.size;
  return calls.clSetKernelArg(native_, place, size, argument.data);
}

bool LaunchKernel::Set::is(const xhal_argument_t& given) const {
  if (given.kind != argument.kind || given.access != argument.access || given.size != argument.size)
    return false;
  if (given.kind == XHAL_ARGUMENT_MEMORY || given.kind == XHAL_ARGUMENT_LOCAL)
    return given.data == argument.data;
  if (given.kind != XHAL_ARGUMENT_VALUE || given.data == nullptr) return false;
  // The usual sizes without a call, here and in keep().
  if (given.size == 4) return std::memcmp(bytes, given.data, 4) == 0;
  if (given.size == 8) return std::memcmp(bytes, given.data, 8) == 0;
  return given.size <= kMostKept && std::memcmp(bytes, given.data, given.size) == 0;
}

void LaunchKernel::Set::keep(const xhal_argument_t& given) {
  argument = given;
  if (given.kind != XHAL_ARGUMENT_VALUE) return;
  if (given.size == 4)
    std::memcpy(bytes, given.data, 4);
  else if (given.size == 8)
    std::memcpy(bytes, given.data, 8);
  else if (given.size <= kMostKept)
    std::memcpy(bytes, given.data, given.size);
}

// After a free the same address may be another allocation's, or nobody's; and Intel's runtime binds the allocation that an address is
// in when the argument is set.
void LaunchKernel::forget_freed() {
  const uint64_t frees = device_.instance->memory.frees();
  if (frees == frees_) return;
  frees_ = frees;
  for (Set& one : set_)
    if (one.argument.kind == XHAL_ARGUMENT_MEMORY) one.forget();
}

bool LaunchKernel::has_shape_of(const xhal_launch_t& launch) const {
  return has_shape_ && launch.flags == shape_.flags &&
         std::memcmp(launch.group_count, shape_.group_count, sizeof(shape_.group_count)) == 0 &&
         std::memcmp(launch.group_size, shape_.group_size, sizeof(shape_.group_size)) == 0 &&
         launch.dynamic_local_bytes == shape_.dynamic_local_bytes &&
         launch.argument_count == shape_.argument_count && launch.reserved == 0 &&
         (launch.arguments != nullptr || launch.argument_count == 0);
}

xhal_result_t LaunchKernel::take(const xhal_launch_t& launch) {
  forget_freed();
  bool has_other_local = false;
  if (!has_shape_of(launch)) {
    has_other_local = true;
    has_shape_ = false;
    if (const xhal_result_t result = check_shape(kernel_, device_, launch); result < 0) return result;
  }
  for (uint32_t i = 0; i < launch.argument_count; ++i) {
    const xhal_argument_t& given = launch.arguments[i];
    Set& has = set_[i];
    if (has.is(given)) continue;
    if (const xhal_result_t result = check_argument(kernel_, device_, i, given); result < 0) return result;
    has_other_local = has_other_local || given.kind == XHAL_ARGUMENT_LOCAL;
    has.forget();
    if (const cl_int code = set(kernel_.params[i].place, given); code != CL_SUCCESS)
      return refused("clSetKernelArg", code);
    has.keep(given);
  }
  if (has_other_local) {
    has_shape_ = false;
    if (const xhal_result_t result = check_local(kernel_, device_, launch); result < 0) return result;
    shape_ = launch;
    has_shape_ = true;
  }
  if (launch.range_count == 0 && !has_ranges_) return XHAL_SUCCESS;
  if (launch.range_count != 0) {
    if (const xhal_result_t result = check_ranges(kernel_, device_, launch); result < 0) return result;
  }
  const cl_int code = set_ranges(launch);
  return code == CL_SUCCESS ? XHAL_SUCCESS : refused("clSetKernelExecInfo", code);
}

// Shared virtual memory that is reached by pointers in memory is named to the kernel; unified memory needs no list.
cl_int LaunchKernel::set_ranges(const xhal_launch_t& launch) {
  if (device_.facts.path != MemoryPath::kSvm) return CL_SUCCESS;
  std::vector<const void*> pointers;
  for (uint32_t i = 0; i < launch.range_count; ++i) {
    const void* const pointer = kit::range_of(launch, i).pointer;
    pointers.push_back(reinterpret_cast<const void*>(device_.instance->memory.find(pointer).base));
  }
  has_ranges_ = !pointers.empty();
  if (pointers.empty()) return CL_SUCCESS;
  return device_.instance->calls->clSetKernelExecInfo(native_, CL_KERNEL_EXEC_INFO_SVM_PTRS,
                                                      pointers.size() * sizeof(void*), pointers.data());
}

cl_int LaunchKernel::enqueue(cl_command_queue queue, const xhal_launch_t& launch, cl_event* event) const {
  const uint32_t* const counts = launch.group_count;
  const uint32_t* const sizes = launch.group_size;
  size_t global[3];
  size_t local[3];
  cl_uint dimensions = 1;
  for (cl_uint i = 0; i < 3; ++i) {
    local[i] = sizes[i];
    global[i] = size_t{counts[i]} * sizes[i];
    if (global[i] > 1) dimensions = i + 1;
  }
  const bool has_buffers = device_.facts.path == MemoryPath::kBuffers;
  cl_int code = has_buffers ? enqueue_arrivals(device_, queue, launch) : CL_SUCCESS;
  if (code != CL_SUCCESS) return code;
  code = device_.instance->calls->clEnqueueNDRangeKernel(queue, native_, dimensions, nullptr, global, local,
                                                         0, nullptr, event);
  return has_buffers && code == CL_SUCCESS ? enqueue_returns(device_, queue, launch, event) : code;
}

}  // namespace xhal::opencl
