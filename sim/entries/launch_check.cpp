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

xhal_result_t refuse(const Kernel& kernel, uint32_t index, const char* problem) {
  return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "kernel '%s', argument %u: %s", kernel.code.name.c_str(),
                   index, problem);
}

bool is_access(uint32_t access) { return access >= XHAL_ACCESS_READ && access <= XHAL_ACCESS_READ_WRITE; }

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

// Most values are words, for which a call of memcpy costs more than the copy.
void copy_value(std::byte* target, const void* source, uint64_t size) {
  if (size == 8) {
    std::memcpy(target, source, 8);
  } else if (size == 4) {
    std::memcpy(target, source, 4);
  } else {
    std::memcpy(target, source, size);
  }
}

}  // namespace

bool has_good_shape(const Kernel& kernel, const Stream& stream, const xhal_launch_t& launch) {
  // A count or size of 0 wraps.
  bool good = kernel.device.epoch() == kernel.epoch && &kernel.device == &device_of(stream) &&
              (launch.flags | launch.reserved) == 0;
  uint64_t items = 1;
  for (int i = 0; i < 3; ++i) {
    good = good && launch.group_count[i] - 1 < kMaxGroupCount[i] && launch.group_size[i] - 1 < kMaxGroupItems;
    items *= launch.group_size[i];
  }
  return good && items <= std::min(kernel.code.max_group_items, kMaxGroupItems);
}

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
  if (launch.flags != 0) {
    return kit::fail(XHAL_ERROR_UNSUPPORTED,
                     "the device claims neither cooperative_launch nor cluster_launch");
  }
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
  return XHAL_SUCCESS;
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

bool take_arguments(const Kernel& kernel, const xhal_launch_t& launch, std::byte* out) {
  const KernelCode& code = kernel.code;
  if (launch.argument_count != code.parameters.size() ||
      (launch.argument_count != 0 && launch.arguments == nullptr))
    return false;
  const Memory& memory = kernel.device.instance.memory;
  uint64_t local_bytes = uint64_t{code.static_local_bytes} + launch.dynamic_local_bytes;
  const xhal_argument_t* argument = launch.arguments;
  for (const KernelCode::Parameter& parameter : code.parameters) {
    const xhal_argument_t& given = *argument++;
    if (given.kind != parameter.argument_kind) return false;
    std::byte* const target = out + parameter.offset;
    if (given.kind == XHAL_ARGUMENT_VALUE) {
      if (given.access != 0 || given.data == nullptr || given.size != parameter.size) return false;
      copy_value(target, given.data, given.size);
    } else if (given.kind == XHAL_ARGUMENT_MEMORY) {
      const char* problem = nullptr;
      if (!is_access(given.access) ||
          memory.check_argument(given.data, given.size, {kernel.device.index, given.access}, problem) < 0)
        return false;
      std::memcpy(target, &given.data, sizeof(given.data));
    } else {
      if (given.access != 0 || given.data != nullptr || given.size > kMaxLocalBytes) return false;
      local_bytes += given.size;
      std::memcpy(target, &given.size, sizeof(given.size));
    }
  }
  return local_bytes <= kMaxLocalBytes;
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
