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
constexpr uint32_t kMaxGroupCount[3] = {kMaxGroupCountX, kMaxGroupCountYZ, kMaxGroupCountYZ};

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

xhal_result_t refuse(const Kernel& kernel, uint32_t index, const char* problem) {
  return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "kernel '%s', argument %u: %s", kernel.code.name.c_str(),
                   index, problem);
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

xhal_result_t check_argument(const Kernel& kernel, uint32_t index, const xhal_argument_t& given) {
  const xhal_native_param& param = kernel.code.params[index];
  switch (given.kind) {
    case XHAL_ARGUMENT_VALUE:
      if (param.kind != XHAL_NATIVE_PARAM_VALUE) return refuse(kernel, index, "is no value but memory");
      if (given.access != 0) return refuse(kernel, index, "a value has no access");
      if (given.data == nullptr) return refuse(kernel, index, "data is null");
      if (given.size != param.size) {
        return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                         "kernel '%s', argument %u: the value has %" PRIu64 " bytes, the parameter %u",
                         kernel.code.name.c_str(), index, given.size, param.size);
      }
      return XHAL_SUCCESS;
    case XHAL_ARGUMENT_MEMORY:
      if (param.kind != XHAL_NATIVE_PARAM_GLOBAL) return refuse(kernel, index, "is no pointer to memory");
      if (!is_access(given.access)) return refuse(kernel, index, "access must be READ, WRITE or READ_WRITE");
      return check_memory(kernel, "argument", index, given.data, given.size, given.access);
    case XHAL_ARGUMENT_LOCAL:
      if (param.kind != XHAL_NATIVE_PARAM_LOCAL) return refuse(kernel, index, "is no local memory");
      if (given.access != 0) return refuse(kernel, index, "local memory has no access");
      if (given.data != nullptr) return refuse(kernel, index, "data of local memory must be null");
      return XHAL_SUCCESS;
    default:
      return refuse(kernel, index, "kind must be VALUE, MEMORY or LOCAL");
  }
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
  uint64_t items = 1;
  for (int i = 0; i < 3; ++i) {
    if (launch.group_count[i] == 0 || launch.group_size[i] == 0) {
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                       "launch->group_count[%d] is %u and group_size[%d] is %u; neither may be 0", i,
                       launch.group_count[i], i, launch.group_size[i]);
    }
    if (launch.group_count[i] > kMaxGroupCount[i] || launch.group_size[i] > kMaxGroupItems) {
      return kit::fail(XHAL_ERROR_LIMIT_EXCEEDED,
                       "launch->group_count[%d] is %u of at most %u, group_size[%d] is %u of at most %u", i,
                       launch.group_count[i], kMaxGroupCount[i], i, launch.group_size[i], kMaxGroupItems);
    }
    items *= launch.group_size[i];
  }
  const uint32_t most = std::min(kernel.code.max_group_items, kMaxGroupItems);
  if (items > most) {
    return kit::fail(XHAL_ERROR_LIMIT_EXCEEDED, "a group of %" PRIu64 " items; kernel '%s' takes at most %u",
                     items, kernel.code.name.c_str(), most);
  }
  return launch.flags != 0 ? check_together(kernel, launch) : xhal_result_t{XHAL_SUCCESS};
}

xhal_result_t check_arguments(const Kernel& kernel, const xhal_launch_t& launch) {
  const KernelCode& code = kernel.code;
  if (launch.argument_count != code.params.size()) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                     "kernel '%s' has %zu parameters, the launch has %u arguments", code.name.c_str(),
                     code.params.size(), launch.argument_count);
  }
  if (launch.argument_count != 0 && launch.arguments == nullptr) return refuse_null("launch->arguments");
  uint64_t local_bytes = uint64_t{code.static_local_bytes} + launch.dynamic_local_bytes;
  for (uint32_t i = 0; i < launch.argument_count; ++i) {
    const xhal_argument_t& argument = launch.arguments[i];
    if (const xhal_result_t result = check_argument(kernel, i, argument); result < 0) return result;
    if (argument.kind == XHAL_ARGUMENT_LOCAL)
      local_bytes += std::min<uint64_t>(argument.size, kMaxLocalBytes + 1);
  }
  if (local_bytes > kMaxLocalBytes) {
    return kit::fail(XHAL_ERROR_LIMIT_EXCEEDED, "kernel '%s' asks for more than %u bytes of local memory",
                     code.name.c_str(), kMaxLocalBytes);
  }
  return XHAL_SUCCESS;
}

xhal_result_t check_ranges(const Kernel& kernel, const xhal_launch_t& launch) {
  if (launch.ranges == nullptr) return refuse_null("launch->ranges");
  const uint32_t stride = launch.range_stride == 0 ? sizeof(xhal_memory_range_t) : launch.range_stride;
  if (stride < sizeof(xhal_memory_range_t)) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "launch->range_stride is %u, a range has %zu bytes", stride,
                     sizeof(xhal_memory_range_t));
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(launch.ranges);
  for (uint32_t i = 0; i < launch.range_count; ++i, bytes += stride) {
    xhal_memory_range_t range;
    std::memcpy(&range, bytes, sizeof(range));
    if (!is_access(range.access)) {
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                       "launch->ranges[%u].access must be READ, WRITE or READ_WRITE", i);
    }
    if (range.reserved != 0) return refuse_reserved("launch->ranges");
    if (const xhal_result_t result =
            check_memory(kernel, "range", i, range.pointer, range.size, range.access);
        result < 0)
      return result;
  }
  return XHAL_SUCCESS;
}

}  // namespace xhal::sim
