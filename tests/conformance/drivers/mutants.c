/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of mutants.def: each does what the base driver does, but for one lie. */
#include "mutant.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* ---- Copies and fills ---- */

static xhal_result_t copy_leaves_the_last_byte(xhal_stream_t stream, void* destination, const void* source,
                                               uint64_t size) {
  return g_base.memory_copy(stream, destination, source, size > 1 ? size - 1 : size);
}

static xhal_result_t copy_does_nothing_when_large(xhal_stream_t stream, void* destination, const void* source,
                                                  uint64_t size) {
  return size > 65536 ? XHAL_SUCCESS : g_base.memory_copy(stream, destination, source, size);
}

static xhal_result_t overlap_is_accepted(xhal_stream_t stream, void* destination, const void* source,
                                         uint64_t size) {
  const uintptr_t to = (uintptr_t)destination;
  const uintptr_t from = (uintptr_t)source;
  if (to < from ? from - to < size : to - from < size) return XHAL_SUCCESS;
  return g_base.memory_copy(stream, destination, source, size);
}

static xhal_result_t null_has_the_wrong_code(xhal_stream_t stream, void* destination, const void* source,
                                             uint64_t size) {
  if (size > 0 && (destination == NULL || source == NULL)) return XHAL_ERROR_INVALID_ARGUMENT;
  return g_base.memory_copy(stream, destination, source, size);
}

/* Into whatever the stream's device calls its default stream. */
/* A wrong order shows only when what came too early is done before somebody looks: waiting for it is legal, and makes the kill sure. */
static const uint64_t kLongEnough = 10000000000;

static xhal_result_t copy_on_another_stream(xhal_stream_t stream, void* destination, const void* source,
                                            uint64_t size) {
  xhal_device_t device = NULL;
  xhal_stream_t other = NULL;
  if (g_base.stream_get_device(stream, &device) != XHAL_SUCCESS ||
      g_base.device_get_default_stream(device, &other) != XHAL_SUCCESS)
    return XHAL_ERROR_INTERNAL;
  const xhal_result_t result = g_base.memory_copy(other, destination, source, size);
  if (result == XHAL_SUCCESS) g_base.stream_synchronize(other, kLongEnough);
  return result;
}

static xhal_result_t fill_repeats_one_byte(xhal_stream_t stream, void* destination, uint64_t pattern,
                                           uint32_t width, uint64_t size) {
  uint64_t repeated = 0;
  memset(&repeated, (int)(pattern & 0xff), sizeof(repeated));
  return g_base.memory_fill(stream, destination, repeated, width, size);
}

static xhal_result_t fill_rounds_down(xhal_stream_t stream, void* destination, uint64_t pattern,
                                      uint32_t width, uint64_t size) {
  return g_base.memory_fill(stream, destination, pattern, width, width == 0 ? size : size - size % width);
}

/* ---- Allocations ---- */

enum { kShift = 8 };

static xhal_result_t allocate_unaligned(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  if (desc == NULL || out == NULL || desc->struct_size != sizeof(*desc) || desc->size == 0 ||
      desc->size > UINT64_MAX - kShift)
    return g_base.memory_allocate(device, desc, out);
  xhal_memory_desc_t larger = *desc;
  larger.size += kShift;
  void* pointer = NULL;
  const xhal_result_t result = g_base.memory_allocate(device, &larger, &pointer);
  if (result == XHAL_SUCCESS) *out = (char*)pointer + kShift;
  return result;
}

static xhal_result_t free_unaligned(xhal_device_t device, void* pointer) {
  return g_base.memory_free(device, pointer == NULL ? NULL : (char*)pointer - kShift);
}

static xhal_result_t free_anything(xhal_device_t device, void* pointer) {
  const xhal_result_t result = g_base.memory_free(device, pointer);
  return result == XHAL_ERROR_INVALID_POINTER ? XHAL_SUCCESS : result;
}

static xhal_result_t refusal_writes_the_result(xhal_device_t device, const xhal_memory_desc_t* desc,
                                               void** out) {
  const xhal_result_t result = g_base.memory_allocate(device, desc, out);
  if (result != XHAL_SUCCESS && out != NULL) *out = NULL;
  return result;
}

static xhal_result_t attributes_with_the_pointer_as_base(xhal_driver_t driver, const void* pointer,
                                                         xhal_pointer_attributes_t* out) {
  const xhal_result_t result = g_base.driver_get_pointer_attributes(driver, pointer, out);
  if (result == XHAL_SUCCESS && out->base != NULL) out->base = (void*)(uintptr_t)pointer;
  return result;
}

static xhal_result_t attributes_with_rounded_size(xhal_driver_t driver, const void* pointer,
                                                  xhal_pointer_attributes_t* out) {
  const xhal_result_t result = g_base.driver_get_pointer_attributes(driver, pointer, out);
  if (result == XHAL_SUCCESS) out->size = (out->size + 255) / 256 * 256;
  return result;
}

static xhal_result_t memory_info_stands_still(xhal_device_t device, xhal_memory_info_t* out) {
  const xhal_result_t result = g_base.device_get_memory_info(device, out);
  if (result == XHAL_SUCCESS) out->free_bytes = out->total_bytes;
  return result;
}

/* ---- Structs and null pointers ---- */

static xhal_result_t allocate_ignoring_the_tail(xhal_device_t device, const xhal_memory_desc_t* desc,
                                                void** out) {
  if (desc == NULL || desc->struct_size <= sizeof(*desc)) return g_base.memory_allocate(device, desc, out);
  xhal_memory_desc_t known = *desc;
  known.struct_size = sizeof(known);
  return g_base.memory_allocate(device, &known, out);
}

static xhal_result_t stream_create_of_any_size(xhal_device_t device, const xhal_stream_desc_t* desc,
                                               xhal_stream_t* out) {
  if (desc == NULL || desc->struct_size >= sizeof(*desc)) return g_base.stream_create(device, desc, out);
  const xhal_stream_desc_t none = {.struct_size = sizeof(none)};
  return g_base.stream_create(device, &none, out);
}

static xhal_result_t fault_size_is_ours(xhal_device_t device, xhal_fault_t* out) {
  const xhal_result_t result = g_base.device_get_fault(device, out);
  if (result == XHAL_SUCCESS) out->struct_size = sizeof(*out);
  return result;
}

static xhal_result_t null_is_a_bad_pointer(xhal_device_t device, uint32_t* out) {
  return out == NULL ? XHAL_ERROR_INVALID_POINTER : g_base.device_is_active(device, out);
}

static xhal_result_t event_create_ignoring_flags(xhal_device_t device, const xhal_event_desc_t* desc,
                                                 xhal_event_t* out) {
  if (desc == NULL || desc->struct_size != sizeof(*desc)) return g_base.event_create(device, desc, out);
  xhal_event_desc_t known = *desc;
  known.flags &= XHAL_EVENT_TIMING | XHAL_EVENT_BLOCKING | XHAL_EVENT_IPC;
  return g_base.event_create(device, &known, out);
}

/* ---- Devices and handles ---- */

static xhal_result_t every_feature_is_claimed(xhal_device_t device, uint32_t feature, uint32_t* out) {
  const xhal_result_t result = g_base.device_has_feature(device, feature, out);
  if (result == XHAL_SUCCESS) *out = 1;
  return result;
}

static xhal_result_t uuid_is_the_processes(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = g_base.device_get_properties(device, out);
  const pid_t process = getpid();
  if (result == XHAL_SUCCESS) memcpy(out->uuid, &process, sizeof(process));
  return result;
}

static xhal_result_t stream_stays(xhal_stream_t stream) {
  (void)stream;
  return XHAL_SUCCESS;
}

static xhal_result_t event_stays(xhal_event_t event) {
  (void)event;
  return XHAL_SUCCESS;
}

static xhal_result_t stream_ids_are_equal(xhal_stream_t stream, xhal_stream_info_t* out) {
  const xhal_result_t result = g_base.stream_get_info(stream, out);
  if (result == XHAL_SUCCESS) out->id = 1;
  return result;
}

/* ---- Order and waiting ---- */

static xhal_result_t event_is_done_at_once(xhal_event_t event) {
  const xhal_result_t result = g_base.event_query(event);
  return result == XHAL_NOT_READY ? XHAL_SUCCESS : result;
}

/* The stream whose latest wait was ignored. */
static _Atomic(xhal_stream_t) g_unordered;

static xhal_result_t event_wait_is_ignored(xhal_stream_t stream, xhal_event_t event, uint32_t flags) {
  (void)event;
  atomic_store(&g_unordered, stream);
  return flags == 0 ? XHAL_SUCCESS : XHAL_ERROR_INVALID_ARGUMENT;
}

static xhal_result_t fill_behind_an_ignored_wait(xhal_stream_t stream, void* destination, uint64_t pattern,
                                                 uint32_t width, uint64_t size) {
  const xhal_result_t result = g_base.memory_fill(stream, destination, pattern, width, size);
  if (result == XHAL_SUCCESS && atomic_load(&g_unordered) == stream)
    g_base.stream_synchronize(stream, kLongEnough);
  return result;
}

/* The events that were recorded since they were made; the oldest are forgotten. */
static _Atomic(xhal_event_t) g_recorded[256];
static atomic_uint g_next_recorded;

static int was_recorded(xhal_event_t event) {
  for (size_t i = 0; i < sizeof(g_recorded) / sizeof(g_recorded[0]); ++i) {
    if (atomic_load(&g_recorded[i]) == event) return 1;
  }
  return 0;
}

static xhal_result_t first_record_only(xhal_event_t event, xhal_stream_t stream, uint32_t flags) {
  if (was_recorded(event)) return XHAL_SUCCESS;
  atomic_store(&g_recorded[atomic_fetch_add(&g_next_recorded, 1) % 256], event);
  return g_base.event_record(event, stream, flags);
}

static xhal_result_t event_create_unrecorded(xhal_device_t device, const xhal_event_desc_t* desc,
                                             xhal_event_t* out) {
  const xhal_result_t result = g_base.event_create(device, desc, out);
  for (size_t i = 0; result == XHAL_SUCCESS && i < sizeof(g_recorded) / sizeof(g_recorded[0]); ++i) {
    xhal_event_t former = *out;
    atomic_compare_exchange_strong(&g_recorded[i], &former, NULL);
  }
  return result;
}

static xhal_result_t stream_is_always_idle(xhal_stream_t stream) {
  const xhal_result_t result = g_base.stream_query(stream);
  return result == XHAL_NOT_READY ? XHAL_SUCCESS : result;
}

static xhal_result_t synchronize_does_not_wait(xhal_stream_t stream, uint64_t timeout_ns) {
  const xhal_result_t result = g_base.stream_synchronize(stream, 0);
  (void)timeout_ns;
  return result == XHAL_TIMEOUT ? XHAL_SUCCESS : result;
}

static xhal_result_t host_function_comes_first(xhal_stream_t stream, xhal_host_fn function, void* user) {
  if (function == NULL) return g_base.stream_host_function(stream, function, user);
  function(user, XHAL_SUCCESS);
  return XHAL_SUCCESS;
}

static xhal_result_t host_function_runs_twice(xhal_stream_t stream, xhal_host_fn function, void* user) {
  const xhal_result_t result = g_base.stream_host_function(stream, function, user);
  return result == XHAL_SUCCESS ? g_base.stream_host_function(stream, function, user) : result;
}

static xhal_result_t launch_drops_a_group(xhal_stream_t stream, xhal_kernel_t kernel,
                                          const xhal_launch_t* launch) {
  if (launch == NULL || launch->struct_size != sizeof(*launch) || launch->group_count[0] < 2)
    return g_base.kernel_launch(stream, kernel, launch);
  xhal_launch_t fewer = *launch;
  --fewer.group_count[0];
  return g_base.kernel_launch(stream, kernel, &fewer);
}

/* ---- The table ---- */

static const mutant_t kMutants[] = {
#define MUTANT(name, base, test, ...) {#name, {__VA_ARGS__}},
#include "../mutants.def"
};

const mutant_t* find_mutant(const char* name) {
  for (size_t i = 0; i < sizeof(kMutants) / sizeof(kMutants[0]); ++i) {
    if (strcmp(kMutants[i].name, name) == 0) return &kMutants[i];
  }
  return find_feature_mutant(name);
}
