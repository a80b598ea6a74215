// SPDX-License-Identifier: Apache-2.0
// Lies of devices that lack a feature: what they have to refuse they take, and do something else. Over a device that has the feature each is
// as good as the driver, so that they are measured over one from which it was taken.
#include "fault.hpp"

namespace xhal::faults {
namespace {

xhal_result_t create_without_timing(xhal_device_t device, const xhal_event_desc_t* desc, xhal_event_t* out) {
  const xhal_result_t result = next::event_create(device, desc, out);
  if (result != XHAL_ERROR_UNSUPPORTED || !is_whole(desc) || (desc->flags & XHAL_EVENT_TIMING) == 0)
    return result;
  xhal_event_desc_t plain = *desc;
  plain.flags &= ~uint32_t{XHAL_EVENT_TIMING};
  return next::event_create(device, &plain, out);
}

xhal_result_t allocate_pinned_instead(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  const xhal_result_t result = next::memory_allocate(device, desc, out);
  if (result != XHAL_ERROR_UNSUPPORTED || !is_whole(desc) || desc->kind != XHAL_MEMORY_MANAGED) return result;
  xhal_memory_desc_t pinned = *desc;
  pinned.kind = XHAL_MEMORY_PINNED;
  return next::memory_allocate(device, &pinned, out);
}

xhal_result_t launch_as_if_plain(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch) {
  const xhal_result_t result = next::kernel_launch(stream, kernel, launch);
  if (result != XHAL_ERROR_UNSUPPORTED || !is_whole(launch) || launch->flags == 0) return result;
  xhal_launch_t plain = *launch;
  plain.flags = 0;
  return next::kernel_launch(stream, kernel, &plain);
}

xhal_result_t occupancy_of_one_together(xhal_kernel_t kernel, uint32_t items, uint64_t bytes,
                                        xhal_occupancy_t* out) {
  const xhal_result_t result = next::kernel_get_occupancy(kernel, items, bytes, out);
  if (result == XHAL_SUCCESS && out->struct_size >= sizeof(*out)) {
    if (out->max_cooperative_groups == 0) out->max_cooperative_groups = 1;
    if (out->max_cluster_groups == 0) out->max_cluster_groups = 1;
  }
  return result;
}

}  // namespace

const std::span<const Lie> kUnclaimedLies = [] {
  static const Lie kLies[] = {
#include "table/unclaimed.def"
  };
  return std::span<const Lie>(kLies);
}();

}  // namespace xhal::faults
