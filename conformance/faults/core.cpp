// SPDX-License-Identifier: Apache-2.0
// Lies about core and kernels. Each function does what the base driver does, but for one lie.
#include <unistd.h>

#include "fault.hpp"

namespace xhal::faults {
namespace {

// ---- Copies and fills ----

xhal_result_t copy_leaves_the_last_byte(xhal_stream_t stream, void* destination, const void* source,
                                        uint64_t size) {
  return next::memory_copy(stream, destination, source, size > 1 ? size - 1 : size);
}

xhal_result_t copy_does_nothing_when_large(xhal_stream_t stream, void* destination, const void* source,
                                           uint64_t size) {
  return size > 65536 ? XHAL_SUCCESS : next::memory_copy(stream, destination, source, size);
}

xhal_result_t overlap_is_accepted(xhal_stream_t stream, void* destination, const void* source,
                                  uint64_t size) {
  const uintptr_t to = reinterpret_cast<uintptr_t>(destination);
  const uintptr_t from = reinterpret_cast<uintptr_t>(source);
  if (to < from ? from - to < size : to - from < size) return XHAL_SUCCESS;
  return next::memory_copy(stream, destination, source, size);
}

xhal_result_t null_has_the_wrong_code(xhal_stream_t stream, void* destination, const void* source,
                                      uint64_t size) {
  if (size > 0 && (destination == nullptr || source == nullptr)) return XHAL_ERROR_INVALID_ARGUMENT;
  return next::memory_copy(stream, destination, source, size);
}

xhal_result_t copy_on_another_stream(xhal_stream_t stream, void* destination, const void* source,
                                     uint64_t size) {
  return ahead_of(stream, [&](xhal_stream_t other) {
    return below(stream).memory_copy(other, destination, source, size);
  });
}

xhal_result_t fill_repeats_one_byte(xhal_stream_t stream, void* destination, uint64_t pattern, uint32_t width,
                                    uint64_t size) {
  uint64_t repeated = 0;
  std::memset(&repeated, static_cast<int>(pattern & 0xff), sizeof(repeated));
  return next::memory_fill(stream, destination, repeated, width, size);
}

xhal_result_t fill_rounds_down(xhal_stream_t stream, void* destination, uint64_t pattern, uint32_t width,
                               uint64_t size) {
  return next::memory_fill(stream, destination, pattern, width, width == 0 ? size : size - size % width);
}

// ---- Allocations ----

constexpr uint64_t kShift = 8;

xhal_result_t allocate_unaligned(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  if (desc == nullptr || out == nullptr || desc->struct_size != sizeof(*desc) || desc->size == 0 ||
      desc->size > UINT64_MAX - kShift)
    return next::memory_allocate(device, desc, out);
  xhal_memory_desc_t larger = *desc;
  larger.size += kShift;
  void* pointer = nullptr;
  const xhal_result_t result = next::memory_allocate(device, &larger, &pointer);
  if (result == XHAL_SUCCESS) *out = static_cast<char*>(pointer) + kShift;
  return result;
}

xhal_result_t free_unaligned(xhal_device_t device, void* pointer) {
  return next::memory_free(device, pointer == nullptr ? nullptr : static_cast<char*>(pointer) - kShift);
}

xhal_result_t free_anything(xhal_device_t device, void* pointer) {
  const xhal_result_t result = next::memory_free(device, pointer);
  return result == XHAL_ERROR_INVALID_POINTER ? XHAL_SUCCESS : result;
}

xhal_result_t refusal_writes_the_result(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  const xhal_result_t result = next::memory_allocate(device, desc, out);
  if (result != XHAL_SUCCESS && out != nullptr) *out = nullptr;
  return result;
}

xhal_result_t attributes_with_the_pointer_as_base(xhal_driver_t driver, const void* pointer,
                                                  xhal_pointer_attributes_t* out) {
  const xhal_result_t result = next::driver_get_pointer_attributes(driver, pointer, out);
  if (result == XHAL_SUCCESS && out->base != nullptr) out->base = const_cast<void*>(pointer);
  return result;
}

xhal_result_t attributes_with_rounded_size(xhal_driver_t driver, const void* pointer,
                                           xhal_pointer_attributes_t* out) {
  const xhal_result_t result = next::driver_get_pointer_attributes(driver, pointer, out);
  if (result == XHAL_SUCCESS) out->size = (out->size + 255) / 256 * 256;
  return result;
}

xhal_result_t memory_info_stands_still(xhal_device_t device, xhal_memory_info_t* out) {
  const xhal_result_t result = next::device_get_memory_info(device, out);
  if (result == XHAL_SUCCESS) out->free_bytes = out->total_bytes;
  return result;
}

// ---- Structs and null pointers ----

xhal_result_t allocate_ignoring_the_tail(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  if (desc == nullptr || desc->struct_size <= sizeof(*desc)) return next::memory_allocate(device, desc, out);
  xhal_memory_desc_t known = *desc;
  known.struct_size = sizeof(known);
  return next::memory_allocate(device, &known, out);
}

xhal_result_t stream_create_of_any_size(xhal_device_t device, const xhal_stream_desc_t* desc,
                                        xhal_stream_t* out) {
  if (desc == nullptr || desc->struct_size >= sizeof(*desc)) return next::stream_create(device, desc, out);
  const auto none = sized<xhal_stream_desc_t>();
  return next::stream_create(device, &none, out);
}

xhal_result_t fault_size_is_ours(xhal_device_t device, xhal_fault_t* out) {
  const xhal_result_t result = next::device_get_fault(device, out);
  if (result == XHAL_SUCCESS) out->struct_size = sizeof(*out);
  return result;
}

xhal_result_t null_is_a_bad_pointer(xhal_device_t device, uint32_t* out) {
  return out == nullptr ? XHAL_ERROR_INVALID_POINTER : next::device_is_active(device, out);
}

xhal_result_t event_create_ignoring_flags(xhal_device_t device, const xhal_event_desc_t* desc,
                                          xhal_event_t* out) {
  if (desc == nullptr || desc->struct_size != sizeof(*desc)) return next::event_create(device, desc, out);
  xhal_event_desc_t known = *desc;
  known.flags &= XHAL_EVENT_TIMING | XHAL_EVENT_BLOCKING | XHAL_EVENT_IPC;
  return next::event_create(device, &known, out);
}

// ---- Devices and handles ----

xhal_result_t every_feature_is_claimed(xhal_device_t device, uint32_t feature, uint32_t* out) {
  const xhal_result_t result = next::device_has_feature(device, feature, out);
  if (result == XHAL_SUCCESS) *out = 1;
  return result;
}

xhal_result_t uuid_is_the_processes(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = next::device_get_properties(device, out);
  const pid_t process = getpid();
  if (result == XHAL_SUCCESS) std::memcpy(out->uuid, &process, sizeof(process));
  return result;
}

xhal_result_t stream_stays(xhal_stream_t stream) {
  (void)stream;
  return XHAL_SUCCESS;
}

xhal_result_t event_stays(xhal_event_t event) {
  (void)event;
  return XHAL_SUCCESS;
}

xhal_result_t stream_ids_are_equal(xhal_stream_t stream, xhal_stream_info_t* out) {
  const xhal_result_t result = next::stream_get_info(stream, out);
  if (result == XHAL_SUCCESS) out->id = 1;
  return result;
}

// ---- Order and waiting ----

xhal_result_t event_is_done_at_once(xhal_event_t event) {
  const xhal_result_t result = next::event_query(event);
  return result == XHAL_NOT_READY ? XHAL_SUCCESS : result;
}

xhal_result_t event_wait_is_ignored(xhal_stream_t stream, xhal_event_t event, uint32_t flags) {
  // In a capture a wait is more than an order.
  if (flags != 0 || is_capturing(stream)) return next::stream_wait_event(stream, event, flags);
  lose_order(stream);
  return XHAL_SUCCESS;
}

xhal_result_t first_record_only(xhal_event_t event, xhal_stream_t stream, uint32_t flags) {
  return notes(event).count(event) != 0 ? XHAL_SUCCESS : next::event_record(event, stream, flags);
}

xhal_result_t event_create_unrecorded(xhal_device_t device, const xhal_event_desc_t* desc,
                                      xhal_event_t* out) {
  const xhal_result_t result = next::event_create(device, desc, out);
  if (result == XHAL_SUCCESS) notes(device).take(*out);
  return result;
}

xhal_result_t stream_is_always_idle(xhal_stream_t stream) {
  const xhal_result_t result = next::stream_query(stream);
  return result == XHAL_NOT_READY ? XHAL_SUCCESS : result;
}

xhal_result_t synchronize_does_not_wait(xhal_stream_t stream, uint64_t timeout_ns) {
  const xhal_result_t result = next::stream_synchronize(stream, 0);
  (void)timeout_ns;
  return result == XHAL_TIMEOUT ? XHAL_SUCCESS : result;
}

xhal_result_t host_function_comes_first(xhal_stream_t stream, xhal_host_fn function, void* user) {
  if (function == nullptr) return next::stream_host_function(stream, function, user);
  function(user, XHAL_SUCCESS);
  return XHAL_SUCCESS;
}

xhal_result_t host_function_runs_twice(xhal_stream_t stream, xhal_host_fn function, void* user) {
  const xhal_result_t result = next::stream_host_function(stream, function, user);
  return result == XHAL_SUCCESS ? next::stream_host_function(stream, function, user) : result;
}

xhal_result_t launch_drops_a_group(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch) {
  if (launch == nullptr || launch->struct_size != sizeof(*launch) || launch->group_count[0] < 2)
    return next::kernel_launch(stream, kernel, launch);
  xhal_launch_t fewer = *launch;
  --fewer.group_count[0];
  return next::kernel_launch(stream, kernel, &fewer);
}

}  // namespace

const std::span<const Lie> kCoreLies = [] {
  static const Lie kLies[] = {
#include "table/core.def"
  };
  return std::span<const Lie>(kLies);
}();

}  // namespace xhal::faults
