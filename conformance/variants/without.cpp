// SPDX-License-Identifier: Apache-2.0
// A device that lacks features which the driver has: `without_pool` and so on. What it no longer claims it refuses.
#include <algorithm>
#include <cstring>
#include <vector>

#include "oddity.hpp"
#include "xhal/ext/native_probe.h"
#include "xhal/kit/driver.hpp"
#include "xhal/kit/structs.hpp"

namespace xhal::variants {
namespace {

constexpr Id kWithout = Id::kWithout;

template <class Handle>
bool lacks(Handle handle, uint32_t feature) {
  return feature < kFeatures && (here(handle).without & bit_of(feature)) != 0;
}
void count_without(uint32_t feature) { g_without_counts[feature].fetch_add(1, std::memory_order_relaxed); }

xhal_result_t refused(uint32_t feature) {
  count_without(feature);
  return kit::fail(XHAL_ERROR_UNSUPPORTED, "the layer 'variants' keeps this feature back");
}

template <uint32_t feature, class Handle, class... Rest>
xhal_result_t refuse(Handle, Rest...) {
  return refused(feature);
}

// ---- What the device says of itself

void take_back_limits(const Attachment& at, xhal_device_properties_t& properties) {
  const auto lacking = [&](uint32_t feature) { return (at.without & bit_of(feature)) != 0; };
  if (lacking(XHAL_FEATURE_STREAM_PRIORITY)) properties.priority_least = properties.priority_greatest = 0;
  if (lacking(XHAL_FEATURE_EVENT_TIMING)) {
    properties.event_resolution_ns = 0;
    properties.event_wrap_ns = 0;
  }
  if (lacking(XHAL_FEATURE_IPC_MEMORY) && lacking(XHAL_FEATURE_IPC_EVENT)) properties.ipc_handle_bytes = 0;
  if (!lacking(XHAL_FEATURE_KERNEL)) return;
  properties.max_group_items = 0;
  std::fill_n(properties.max_group_size, 3, 0U);
  std::fill_n(properties.max_group_count, 3, 0U);
  properties.max_local_bytes = 0;
  properties.preferred_group_multiple = 0;
  properties.max_argument_bytes = 0;
  properties.max_arguments = 0;
}

xhal_result_t get_properties(xhal_device_t device, xhal_device_properties_t* out) {
  if (const xhal_result_t result = kit::check_out_struct(out); result < 0)
    return next<kWithout>(device).device_get_properties(device, out);
  auto properties = sized<xhal_device_properties_t>();
  const xhal_result_t result = next<kWithout>(device).device_get_properties(device, &properties);
  if (result != XHAL_SUCCESS) return result;
  const Attachment& at = here(device);
  for (uint32_t feature = 0; feature < kFeatures; ++feature) {
    if ((at.without & properties.features[0] & bit_of(feature)) != 0) count_without(feature);
  }
  properties.features[0] &= ~at.without;
  take_back_limits(at, properties);
  kit::write_struct(properties, out);
  return result;
}

xhal_result_t has_feature(xhal_device_t device, uint32_t feature, uint32_t* out) {
  const xhal_result_t result = next<kWithout>(device).device_has_feature(device, feature, out);
  if (result != XHAL_SUCCESS || !lacks(device, feature) || *out == 0) return result;
  *out = 0;
  count_without(feature);
  return result;
}

xhal_result_t get_formats(xhal_device_t device, uint32_t capacity, uint32_t stride, xhal_image_format_t* out,
                          uint32_t* out_count) {
  const xhal_functions_t& on = next<kWithout>(device);
  const bool is_whole_call = out_count != nullptr && (capacity == 0) == (out == nullptr) &&
                             (capacity == 0 || stride >= sizeof(xhal_image_format_t));
  if (!is_whole_call) return on.device_get_image_formats(device, capacity, stride, out, out_count);
  uint32_t count = 0;
  if (const xhal_result_t result = on.device_get_image_formats(device, 0, sizeof(*out), nullptr, &count);
      result != XHAL_SUCCESS)
    return result;
  std::vector<xhal_image_format_t> all(count, sized<xhal_image_format_t>());
  if (count != 0 &&
      on.device_get_image_formats(device, count, sizeof(*out), all.data(), &count) != XHAL_SUCCESS)
    return XHAL_ERROR_INTERNAL;
  std::erase_if(all, [&](const xhal_image_format_t& format) {
    return lacks(device, XHAL_FEATURE_KERNEL) || std::strcmp(format.format, "builtin") == 0;
  });
  for (uint32_t i = 0; i < capacity && i < all.size(); ++i) {
    auto* const one =
        reinterpret_cast<xhal_image_format_t*>(reinterpret_cast<char*>(out) + size_t{stride} * i);
    if (kit::check_out_struct(one) < 0)
      return on.device_get_image_formats(device, capacity, stride, out, out_count);
  }
  for (uint32_t i = 0; i < capacity && i < all.size(); ++i)
    kit::write_struct(
        all[i], reinterpret_cast<xhal_image_format_t*>(reinterpret_cast<char*>(out) + size_t{stride} * i));
  *out_count = static_cast<uint32_t>(all.size());
  return capacity != 0 && capacity < all.size() ? XHAL_INCOMPLETE : XHAL_SUCCESS;
}

xhal_result_t get_link(xhal_device_t device, xhal_device_t peer, xhal_link_t* out) {
  const xhal_result_t result = next<kWithout>(device).device_get_link(device, peer, out);
  if (result == XHAL_SUCCESS && XHAL_TOLD(out, peer_access)) out->peer_access = 0;
  return result;
}

xhal_result_t get_fault(xhal_device_t device, xhal_fault_t* out) {
  const xhal_result_t result = next<kWithout>(device).device_get_fault(device, out);
  if (result != XHAL_SUCCESS || !XHAL_TOLD(out, entry)) return result;
  out->correlation_id = 0;
  std::memset(out->entry, 0, sizeof(out->entry));
  return result;
}

xhal_result_t get_extension(xhal_driver_t driver, const char* name, uint32_t version, const void** out) {
  if (name != nullptr && std::strcmp(name, XHAL_NATIVE_PROBE_NAME) == 0) return XHAL_ERROR_NOT_FOUND;
  return next<kWithout>(driver).driver_get_extension(driver, name, version, out);
}

// ---- What calls of other features may ask of it

xhal_result_t create_stream(xhal_device_t device, const xhal_stream_desc_t* desc, xhal_stream_t* out) {
  if (is_whole(desc) && out != nullptr && desc->priority != 0)
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "desc->priority is %d; the device has priorities 0 to 0",
                     desc->priority);
  return next<kWithout>(device).stream_create(device, desc, out);
}

xhal_result_t create_event(xhal_device_t device, const xhal_event_desc_t* desc, xhal_event_t* out) {
  constexpr uint32_t kKnown = XHAL_EVENT_TIMING | XHAL_EVENT_BLOCKING | XHAL_EVENT_IPC;
  if (is_whole(desc) && out != nullptr && (desc->flags & ~kKnown) == 0) {
    for (const auto& [flag, feature] :
         {std::pair{uint32_t{XHAL_EVENT_TIMING}, uint32_t{XHAL_FEATURE_EVENT_TIMING}},
          std::pair{uint32_t{XHAL_EVENT_IPC}, uint32_t{XHAL_FEATURE_IPC_EVENT}}}) {
      if ((desc->flags & flag) != 0 && lacks(device, feature)) return refused(feature);
    }
  }
  return next<kWithout>(device).event_create(device, desc, out);
}

xhal_result_t allocate(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  if (is_whole(desc) && desc->kind == XHAL_MEMORY_MANAGED && out != nullptr)
    return refused(XHAL_FEATURE_MANAGED);
  return next<kWithout>(device).memory_allocate(device, desc, out);
}

xhal_result_t load_module(xhal_device_t device, const xhal_module_desc_t* desc, xhal_module_t* out) {
  if (is_whole(desc) && desc->format != nullptr && out != nullptr &&
      std::strcmp(desc->format, "builtin") == 0) {
    count_without(XHAL_FEATURE_BUILTIN_KERNELS);
    return kit::fail(XHAL_ERROR_UNSUPPORTED_IMAGE, "the device has no built-in kernels");
  }
  return next<kWithout>(device).module_load(device, desc, out);
}

xhal_result_t launch(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* one) {
  if (is_whole(one)) {
    if ((one->flags & XHAL_LAUNCH_COOPERATIVE) != 0 && lacks(stream, XHAL_FEATURE_COOPERATIVE_LAUNCH))
      return refused(XHAL_FEATURE_COOPERATIVE_LAUNCH);
    if ((one->flags & XHAL_LAUNCH_CLUSTER) != 0 && lacks(stream, XHAL_FEATURE_CLUSTER_LAUNCH))
      return refused(XHAL_FEATURE_CLUSTER_LAUNCH);
  }
  return next<kWithout>(stream).kernel_launch(stream, kernel, one);
}

xhal_result_t get_occupancy(xhal_kernel_t kernel, uint32_t group_items, uint64_t local_bytes,
                            xhal_occupancy_t* out) {
  const xhal_result_t result =
      next<kWithout>(kernel).kernel_get_occupancy(kernel, group_items, local_bytes, out);
  if (result != XHAL_SUCCESS) return result;
  if (lacks(kernel, XHAL_FEATURE_COOPERATIVE_LAUNCH) && XHAL_TOLD(out, max_cooperative_groups))
    out->max_cooperative_groups = 0;
  if (lacks(kernel, XHAL_FEATURE_CLUSTER_LAUNCH) && XHAL_TOLD(out, max_cluster_groups))
    out->max_cluster_groups = 0;
  return result;
}

}  // namespace

FeatureBits with_dependents(FeatureBits without) {
  for (FeatureBits before = 0; before != without;) {
    before = without;
#define XHAL_FEATURE(upper, lower, bit, since, needs, ...) \
  if ((without & bit_of(XHAL_FEATURE_##needs)) != 0) without |= bit_of(bit);
#include "xhal/features.def"
#undef XHAL_FEATURE
  }
  return without;
}

void install_without(xhal_functions_t& to, FeatureBits without) {
  const auto lacking = [&](uint32_t feature) { return (without & bit_of(feature)) != 0; };
  to.device_get_properties = get_properties;
  to.device_has_feature = has_feature;
  if (lacking(XHAL_FEATURE_BUILTIN_KERNELS)) {
    to.device_get_image_formats = get_formats;
    to.module_load = load_module;
  }
  if (lacking(XHAL_FEATURE_PEER)) to.device_get_link = get_link;
  if (lacking(XHAL_FEATURE_ERROR_CAUSE)) to.device_get_fault = get_fault;
  if (lacking(XHAL_FEATURE_NATIVE_HANDLES)) to.driver_get_extension = get_extension;
  if (lacking(XHAL_FEATURE_STREAM_PRIORITY)) to.stream_create = create_stream;
  if (lacking(XHAL_FEATURE_EVENT_TIMING) || lacking(XHAL_FEATURE_IPC_EVENT)) to.event_create = create_event;
  if (lacking(XHAL_FEATURE_MANAGED)) to.memory_allocate = allocate;
  if (lacking(XHAL_FEATURE_COOPERATIVE_LAUNCH) || lacking(XHAL_FEATURE_CLUSTER_LAUNCH)) {
    to.kernel_launch = launch;
    to.kernel_get_occupancy = get_occupancy;
  }
#define XHAL_ENTRY(feature, since, name, ...) \
  if (lacking(XHAL_FEATURE_##feature)) to.name = refuse<XHAL_FEATURE_##feature>;
#include "xhal/entry_points.def"
}

}  // namespace xhal::variants
