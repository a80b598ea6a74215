// SPDX-License-Identifier: Apache-2.0
#include "entries/launch_check.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstring>

#include "device/properties.hpp"
#include "entries/entry.hpp"

namespace xhal::sim {
namespace {

constexpr uint32_t kLaunchFlags = XHAL_LAUNCH_COOPERATIVE | XHAL_LAUNCH_CLUSTER;

// Of a launch with flags, whose counts and sizes are legal.
xhal_result_t check_together(const Kernel& kernel, const xhal_launch_t& launch) {
  const bool clusters = (launch.flags & XHAL_LAUNCH_CLUSTER) != 0;
  for (int i = 0; clusters && i < 3; ++i) {
    if (launch.cluster_size[i] == 0 || launch.group_count[i] % launch.cluster_size[i] != 0) {
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                       "launch->cluster_size[%d] is %u, it must divide group_count[%d], which is %u", i,
                       launch.cluster_size[i], i, launch.group_count[i]);
    }
  }
  const uint64_t in_cluster = groups_together(XHAL_LAUNCH_CLUSTER, launch.group_count, launch.cluster_size);
  if (clusters && in_cluster > kMaxClusterGroups) {
    return kit::fail(XHAL_ERROR_LIMIT_EXCEEDED,
                     "a cluster of %" PRIu64
                     " groups of kernel '%s'; xhal_kernel_get_occupancy tells the most, %u",
                     in_cluster, kernel.code.name.c_str(), kMaxClusterGroups);
  }
  const uint64_t in_launch =
      groups_together(XHAL_LAUNCH_COOPERATIVE, launch.group_count, launch.cluster_size);
  if ((launch.flags & XHAL_LAUNCH_COOPERATIVE) != 0 && in_launch > kMaxCooperativeGroups) {
    return kit::fail(XHAL_ERROR_LIMIT_EXCEEDED,
                     "a cooperative launch of %" PRIu64
                     " groups of kernel '%s'; xhal_kernel_get_occupancy tells the most, %u",
                     in_launch, kernel.code.name.c_str(), kMaxCooperativeGroups);
  }
  return XHAL_SUCCESS;
}

xhal_result_t check_memory(const Kernel& kernel, const char* what, uint32_t index, const void* pointer,
                           uint64_t size, uint32_t access) {
  const char* problem = nullptr;
  const xhal_result_t result =
      kernel.device.instance.memory.check_argument(pointer, size, {kernel.device.index, access}, problem);
  if (result >= 0) return result;
  return kit::fail(result, "kernel '%s', %s %u: %p with %" PRIu64 " bytes %s", kernel.code.name.c_str(), what,
                   index, pointer, size, problem);
}

kit::ParameterKind kind_of(const xhal_native_param& param) {
  if (param.kind == XHAL_NATIVE_PARAM_GLOBAL) return kit::ParameterKind::kMemory;
  return param.kind == XHAL_NATIVE_PARAM_LOCAL ? kit::ParameterKind::kLocal : kit::ParameterKind::kValue;
}

xhal_result_t check_argument(const Kernel& kernel, uint32_t index, const xhal_argument_t& given) {
  const xhal_native_param& param = kernel.code.params[index];
  const char* const name = kernel.code.name.c_str();
  if (const xhal_result_t result = kit::check_argument(name, index, given, kind_of(param)); result < 0)
    return result;
  if (given.kind == XHAL_ARGUMENT_MEMORY)
    return check_memory(kernel, "argument", index, given.data, given.size, given.access);
  if (given.kind == XHAL_ARGUMENT_VALUE && given.size != param.size) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                     "kernel '%s', argument %u: the value has %" PRIu64 " bytes, the parameter %u", name,
                     index, given.size, param.size);
  }
  return XHAL_SUCCESS;
}

}  // namespace

xhal_result_t check_shape(const Kernel& kernel, const Stream& stream, const xhal_launch_t& launch) {
  if (const xhal_result_t result = check_epoch(kernel.device, kernel.epoch, "kernel"); result < 0)
    return result;
  if (&kernel.device != &device_of(stream)) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                     "the kernel's module is loaded on device %u, the stream is of device %u",
                     kernel.device.index, device_of(stream).index);
  }
  if ((launch.flags & ~kLaunchFlags) != 0) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "launch->flags is 0x%x, the defined bits are 0x%x",
                     launch.flags, kLaunchFlags);
  }
  if ((launch.flags & XHAL_LAUNCH_COOPERATIVE) != 0 &&
      !claims(kernel.device, XHAL_FEATURE_COOPERATIVE_LAUNCH))
    return kit::fail(XHAL_ERROR_UNSUPPORTED, "the device does not claim cooperative_launch");
  if ((launch.flags & XHAL_LAUNCH_CLUSTER) != 0 && !claims(kernel.device, XHAL_FEATURE_CLUSTER_LAUNCH))
    return kit::fail(XHAL_ERROR_UNSUPPORTED, "the device does not claim cluster_launch");
  if (launch.reserved != 0) return refuse_reserved("launch");
  const kit::GroupLimits limits = {{kMaxGroupCountX, kMaxGroupCountYZ, kMaxGroupCountYZ},
                                   {kMaxGroupItems, kMaxGroupItems, kMaxGroupItems},
                                   std::min(kernel.code.max_group_items, kMaxGroupItems)};
  if (const xhal_result_t result = kit::check_groups(kernel.code.name.c_str(), launch, limits); result < 0)
    return result;
  return launch.flags != 0 ? check_together(kernel, launch) : xhal_result_t{XHAL_SUCCESS};
}

xhal_result_t check_arguments(const Kernel& kernel, const xhal_launch_t& launch) {
  const char* const name = kernel.code.name.c_str();
  if (const xhal_result_t result = kit::check_argument_count(name, launch, kernel.code.params.size());
      result < 0)
    return result;
  for (uint32_t i = 0; i < launch.argument_count; ++i)
    if (const xhal_result_t result = check_argument(kernel, i, launch.arguments[i]); result < 0)
      return result;
  return kit::check_local_bytes(name, launch, kernel.code.static_local_bytes, kMaxLocalBytes);
}

xhal_result_t check_ranges(const Kernel& kernel, const xhal_launch_t& launch) {
  return kit::check_ranges(launch, [&](uint32_t index, const xhal_memory_range_t& range) {
    return check_memory(kernel, "range", index, range.pointer, range.size, range.access);
  });
}

}  // namespace xhal::sim
