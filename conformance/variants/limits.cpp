// SPDX-License-Identifier: Apache-2.0
// Devices with limits that nobody counts on.
#include <algorithm>
#include <string_view>

#include "oddity.hpp"
#include "xhal/kit/driver.hpp"

namespace xhal::variants {
namespace {

// ---- odd_limits: small ones, no powers of two, not the same in all dimensions

constexpr Id kLimits = Id::k_odd_limits;
constexpr uint32_t kGroupItems = 300;
constexpr uint32_t kGroupSize[3] = {290, 37, 11};
constexpr uint32_t kGroupCount[3] = {50'021, 1'009, 331};
constexpr uint32_t kLocalBytes = 10'000;
constexpr uint64_t kAllocationPart =
    3;  // of the device's memory the largest allocation may be so great a part

bool has_kernels(const xhal_device_properties_t& properties) { return properties.max_group_items != 0; }

xhal_result_t limited_properties(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = next<kLimits>(device).device_get_properties(device, out);
  if (result != XHAL_SUCCESS || !XHAL_TOLD(out, max_local_bytes)) return result;
  out->max_allocation_bytes = std::min(out->max_allocation_bytes, out->memory_bytes / kAllocationPart);
  if (!has_kernels(*out)) return result;
  out->max_group_items = std::min(out->max_group_items, kGroupItems);
  out->max_local_bytes = std::min(out->max_local_bytes, kLocalBytes);
  for (int d = 0; d < 3; ++d) {
    out->max_group_size[d] = std::min(out->max_group_size[d], kGroupSize[d]);
    out->max_group_count[d] = std::min(out->max_group_count[d], kGroupCount[d]);
  }
  return result;
}

xhal_result_t allocate_within_limit(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  auto properties = sized<xhal_device_properties_t>();
  const bool known = is_whole(desc) && desc->kind == XHAL_MEMORY_DEVICE && desc->flags == 0 &&
                     desc->reserved == 0 && out != nullptr &&
                     (desc->alignment & (desc->alignment - 1)) == 0 &&
                     next<kLimits>(device).device_get_properties(device, &properties) == XHAL_SUCCESS;
  if (!known || desc->size <= properties.memory_bytes / kAllocationPart)
    return next<kLimits>(device).memory_allocate(device, desc, out);
  count(kLimits);
  return XHAL_ERROR_OUT_OF_DEVICE_MEMORY;
}

xhal_result_t limited_kernel_info(xhal_kernel_t kernel, xhal_kernel_info_t* out) {
  const xhal_result_t result = next<kLimits>(kernel).kernel_get_info(kernel, out);
  if (result == XHAL_SUCCESS && XHAL_TOLD(out, max_group_items))
    out->max_group_items = std::min(out->max_group_items, kGroupItems);
  return result;
}

uint64_t static_local_bytes(xhal_kernel_t kernel) {
  auto info = sized<xhal_kernel_info_t>();
  return next<kLimits>(kernel).kernel_get_info(kernel, &info) == XHAL_SUCCESS ? info.static_local_bytes : 0;
}

bool is_beyond(xhal_kernel_t kernel, const xhal_launch_t& launch) {
  uint64_t items = 1;
  for (int d = 0; d < 3; ++d) {
    if (launch.group_size[d] == 0 || launch.group_count[d] == 0) return false;  // refused as what it is
  }
  for (int d = 0; d < 3; ++d) {
    if (launch.group_size[d] > kGroupSize[d] || launch.group_count[d] > kGroupCount[d]) return true;
    items *= launch.group_size[d];
  }
  uint64_t local = static_local_bytes(kernel) + launch.dynamic_local_bytes;
  for (uint32_t i = 0; launch.arguments != nullptr && i < launch.argument_count; ++i) {
    if (launch.arguments[i].kind != XHAL_ARGUMENT_LOCAL) continue;
    if (launch.arguments[i].size > kLocalBytes) return true;
    local += launch.arguments[i].size;
  }
  return items > kGroupItems || local > kLocalBytes;
}

xhal_result_t launch_within_limits(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch) {
  if (is_whole(launch) && is_beyond(kernel, *launch)) {
    count(kLimits);
    return XHAL_ERROR_LIMIT_EXCEEDED;
  }
  return next<kLimits>(stream).kernel_launch(stream, kernel, launch);
}

xhal_result_t limited_occupancy(xhal_kernel_t kernel, uint32_t group_items, uint64_t local_bytes,
                                xhal_occupancy_t* out) {
  const xhal_result_t result =
      next<kLimits>(kernel).kernel_get_occupancy(kernel, group_items, local_bytes, out);
  if (result != XHAL_SUCCESS) return result;
  const bool fits = group_items <= kGroupItems && local_bytes <= kLocalBytes &&
                    static_local_bytes(kernel) + local_bytes <= kLocalBytes;
  if (XHAL_TOLD(out, suggested_group_items))
    out->suggested_group_items = std::min(out->suggested_group_items, kGroupItems);
  if (fits) return result;
  if (XHAL_TOLD(out, groups_per_unit)) out->groups_per_unit = 0;
  if (XHAL_TOLD(out, max_cooperative_groups)) out->max_cooperative_groups = 0;
  if (XHAL_TOLD(out, max_cluster_groups)) out->max_cluster_groups = 0;
  count(kLimits);
  return result;
}

// ---- wide_warp: items run in steps of the largest group

constexpr Id kWarp = Id::k_wide_warp;

xhal_result_t wide_properties(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = next<kWarp>(device).device_get_properties(device, out);
  if (result != XHAL_SUCCESS || !XHAL_TOLD(out, preferred_group_multiple) || !has_kernels(*out))
    return result;
  out->preferred_group_multiple = out->max_group_items;
  count(kWarp);
  return result;
}
xhal_result_t wide_kernel_info(xhal_kernel_t kernel, xhal_kernel_info_t* out) {
  const xhal_result_t result = next<kWarp>(kernel).kernel_get_info(kernel, out);
  if (result != XHAL_SUCCESS || !XHAL_TOLD(out, preferred_group_multiple)) return result;
  out->preferred_group_multiple = out->max_group_items;
  count(kWarp);
  return result;
}

// ---- no_f64: kernels compute in no f64, so that there are none of it

constexpr Id kNoF64 = Id::k_no_f64;

xhal_result_t properties_without_f64(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = next<kNoF64>(device).device_get_properties(device, out);
  constexpr uint64_t kBit = uint64_t{1} << XHAL_DTYPE_F64;
  if (result != XHAL_SUCCESS || !XHAL_TOLD(out, dtype_mask) || (out->dtype_mask & kBit) == 0) return result;
  out->dtype_mask &= ~kBit;
  count(kNoF64);
  return result;
}

// By the names of the kernel pack; of others nobody knows what they compute in.
xhal_result_t find_no_f64(xhal_module_t module, const char* name, xhal_kernel_t* out) {
  if (name == nullptr || out == nullptr || !std::string_view(name).ends_with("_f64"))
    return next<kNoF64>(module).module_get_kernel(module, name, out);
  count(kNoF64);
  return kit::fail(XHAL_ERROR_NOT_FOUND, "the device does not compute in f64, so that it has no kernel '%s'",
                   name);
}

// ---- no_globals: an interface without global variables

constexpr Id kNoGlobals = Id::k_no_globals;

xhal_result_t no_global(xhal_module_t module, const char* name, void** out_pointer, uint64_t* out_size) {
  if (name == nullptr || out_pointer == nullptr || out_size == nullptr)
    return next<kNoGlobals>(module).module_get_global(module, name, out_pointer, out_size);
  count(kNoGlobals);
  return kit::fail(XHAL_ERROR_UNSUPPORTED, "the interface has no global variables");
}

}  // namespace

void install_odd_limits(xhal_functions_t& to) {
  to.device_get_properties = limited_properties;
  to.memory_allocate = allocate_within_limit;
  to.kernel_get_info = limited_kernel_info;
  to.kernel_launch = launch_within_limits;
  to.kernel_get_occupancy = limited_occupancy;
}
void install_no_f64(xhal_functions_t& to) {
  to.device_get_properties = properties_without_f64;
  to.module_get_kernel = find_no_f64;
}
void install_no_globals(xhal_functions_t& to) { to.module_get_global = no_global; }
void install_wide_warp(xhal_functions_t& to) {
  to.device_get_properties = wide_properties;
  to.kernel_get_info = wide_kernel_info;
}

}  // namespace xhal::variants
