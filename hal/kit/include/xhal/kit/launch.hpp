// SPDX-License-Identifier: Apache-2.0
// What every driver's launch is checked for (XHAL-KERNEL-5, XHAL-KERNEL-6), once for all drivers. Each tells what it refuses. Where memory
// lies, and what flags ask for, is the driver's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "xhal/kernel.h"
#include "xhal/kit/driver.hpp"
#include "xhal/kit/entry.hpp"

namespace xhal::kit {

// Whose launch it is, for the texts.
using KernelName = const char*;

struct GroupLimits {
  uint32_t count[3];
  uint32_t size[3];
  uint64_t items;  // of a group, the kernel's and the device's
};
xhal_result_t check_groups(KernelName kernel, const xhal_launch_t& launch, const GroupLimits& limits);

// As many as the kernel has parameters, and not null.
xhal_result_t check_argument_count(KernelName kernel, const xhal_launch_t& launch, size_t parameters);

constexpr bool is_access(uint32_t access) {
  return access >= XHAL_ACCESS_READ && access <= XHAL_ACCESS_READ_WRITE;
}

enum class ParameterKind : uint8_t { kUnknown, kValue, kMemory, kLocal };
// All that an argument says but where its memory lies. What is right at first sight costs no call.
xhal_result_t look_at_argument(KernelName kernel, uint32_t index, const xhal_argument_t& given,
                               ParameterKind parameter);
inline xhal_result_t check_argument(KernelName kernel, uint32_t index, const xhal_argument_t& given,
                                    ParameterKind parameter) {
  const bool is_value =
      parameter == ParameterKind::kValue && given.kind == XHAL_ARGUMENT_VALUE && given.access == 0;
  if (is_value && given.data != nullptr) return XHAL_SUCCESS;
  const bool is_memory = parameter == ParameterKind::kMemory && given.kind == XHAL_ARGUMENT_MEMORY;
  if (is_memory && is_access(given.access)) return XHAL_SUCCESS;
  return look_at_argument(kernel, index, given, parameter);
}

// The kernel's own, the launch's, and that of its arguments.
xhal_result_t check_local_bytes(KernelName kernel, const xhal_launch_t& launch, uint64_t static_bytes,
                                uint64_t most);

constexpr uint32_t range_stride_of(const xhal_launch_t& launch) {
  return launch.range_stride == 0 ? sizeof(xhal_memory_range_t) : launch.range_stride;
}
// Of a launch whose stride is legal.
inline xhal_memory_range_t range_of(const xhal_launch_t& launch, uint32_t index) {
  xhal_memory_range_t range;
  const size_t offset = size_t{range_stride_of(launch)} * index;
  std::memcpy(&range, reinterpret_cast<const std::byte*>(launch.ranges) + offset, sizeof(range));
  return range;
}

xhal_result_t check_range_list(const xhal_launch_t& launch);
xhal_result_t check_range(uint32_t index, const xhal_memory_range_t& range);
// `check_memory(index, range)` tells whether the device reaches it. Of a launch that has ranges.
template <class CheckMemory>
xhal_result_t check_ranges(const xhal_launch_t& launch, CheckMemory&& check_memory) {
  if (const xhal_result_t result = check_range_list(launch); result < 0) return result;
  for (uint32_t i = 0; i < launch.range_count; ++i) {
    const xhal_memory_range_t range = range_of(launch, i);
    if (const xhal_result_t result = check_range(i, range); result < 0) return result;
    if (const xhal_result_t result = check_memory(i, range); result < 0) return result;
  }
  return XHAL_SUCCESS;
}

}  // namespace xhal::kit
