// SPDX-License-Identifier: Apache-2.0
#include "xhal/kit/launch.hpp"

#include <algorithm>
#include <cinttypes>

namespace xhal::kit {
namespace {

xhal_result_t refuse(KernelName kernel, uint32_t index, const char* problem) {
  return fail(XHAL_ERROR_INVALID_ARGUMENT, "kernel '%s', argument %u: %s", kernel, index, problem);
}

}  // namespace

xhal_result_t check_groups(KernelName kernel, const xhal_launch_t& launch, const GroupLimits& limits) {
  uint64_t items = 1;
  for (int i = 0; i < 3; ++i) {
    const uint32_t count = launch.group_count[i];
    const uint32_t size = launch.group_size[i];
    if (count == 0 || size == 0) {
      return fail(XHAL_ERROR_INVALID_ARGUMENT,
                  "launch->group_count[%d] is %u and group_size[%d] is %u; neither may be 0", i, count, i,
                  size);
    }
    if (count > limits.count[i] || size > limits.size[i]) {
      return fail(XHAL_ERROR_LIMIT_EXCEEDED,
                  "launch->group_count[%d] is %u of at most %u, group_size[%d] is %u of at most %u", i, count,
                  limits.count[i], i, size, limits.size[i]);
    }
    items *= size;
  }
  if (items <= limits.items) return XHAL_SUCCESS;
  return fail(XHAL_ERROR_LIMIT_EXCEEDED, "a group of %" PRIu64 " items; kernel '%s' takes at most %" PRIu64,
              items, kernel, limits.items);
}

xhal_result_t check_argument_count(KernelName kernel, const xhal_launch_t& launch, size_t parameters) {
  if (launch.argument_count != parameters) {
    return fail(XHAL_ERROR_INVALID_ARGUMENT, "kernel '%s' has %zu parameters, the launch has %u arguments",
                kernel, parameters, launch.argument_count);
  }
  return launch.argument_count != 0 && launch.arguments == nullptr ? refuse_null("launch->arguments")
                                                                   : xhal_result_t{XHAL_SUCCESS};
}

xhal_result_t look_at_argument(KernelName kernel, uint32_t index, const xhal_argument_t& given,
                               ParameterKind parameter) {
  const auto is = [parameter](ParameterKind wanted) {
    return parameter == ParameterKind::kUnknown || parameter == wanted;
  };
  switch (given.kind) {
    case XHAL_ARGUMENT_VALUE:
      if (!is(ParameterKind::kValue)) return refuse(kernel, index, "is no value but memory");
      if (given.access != 0) return refuse(kernel, index, "a value has no access");
      if (given.data == nullptr) return refuse(kernel, index, "data is null");
      return XHAL_SUCCESS;
    case XHAL_ARGUMENT_MEMORY:
      if (!is(ParameterKind::kMemory)) return refuse(kernel, index, "is no pointer to memory");
      if (!is_access(given.access)) return refuse(kernel, index, "access must be READ, WRITE or READ_WRITE");
      return XHAL_SUCCESS;
    case XHAL_ARGUMENT_LOCAL:
      if (!is(ParameterKind::kLocal)) return refuse(kernel, index, "is no local memory");
      if (given.access != 0) return refuse(kernel, index, "local memory has no access");
      if (given.data != nullptr) return refuse(kernel, index, "data of local memory must be null");
      return XHAL_SUCCESS;
    default:
      return refuse(kernel, index, "kind must be VALUE, MEMORY or LOCAL");
  }
}

xhal_result_t check_local_bytes(KernelName kernel, const xhal_launch_t& launch, uint64_t static_bytes,
                                uint64_t most) {
  uint64_t bytes = static_bytes + launch.dynamic_local_bytes;
  for (uint32_t i = 0; i < launch.argument_count; ++i) {
    const xhal_argument_t& argument = launch.arguments[i];
    // So that the sum cannot wrap.
    if (argument.kind == XHAL_ARGUMENT_LOCAL) bytes += std::min(argument.size, most + 1);
  }
  if (bytes <= most) return XHAL_SUCCESS;
  return fail(XHAL_ERROR_LIMIT_EXCEEDED, "kernel '%s' asks for more than %" PRIu64 " bytes of local memory",
              kernel, most);
}

xhal_result_t check_range_list(const xhal_launch_t& launch) {
  if (launch.ranges == nullptr) return refuse_null("launch->ranges");
  const uint32_t stride = range_stride_of(launch);
  if (stride >= sizeof(xhal_memory_range_t)) return XHAL_SUCCESS;
  return fail(XHAL_ERROR_INVALID_ARGUMENT, "launch->range_stride is %u, a range has %zu bytes", stride,
              sizeof(xhal_memory_range_t));
}

xhal_result_t check_range(uint32_t index, const xhal_memory_range_t& range) {
  if (!is_access(range.access)) {
    return fail(XHAL_ERROR_INVALID_ARGUMENT, "launch->ranges[%u].access must be READ, WRITE or READ_WRITE",
                index);
  }
  return range.reserved != 0 ? refuse_reserved("launch->ranges") : xhal_result_t{XHAL_SUCCESS};
}

}  // namespace xhal::kit
