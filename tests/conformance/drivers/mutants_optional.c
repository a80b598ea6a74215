/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of mutants_optional.def: each does what the base driver does, but for one lie. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "mutant.h"

/* A wrong order shows only when what came too early is done before somebody looks: waiting for it is legal, and makes the kill sure. */
static const uint64_t kLongEnough = 10000000000;

static xhal_result_t ignoring(xhal_result_t result, xhal_result_t ignored) {
  return result == ignored ? XHAL_SUCCESS : result;
}

/* ---- Virtual memory ---- */

static uint64_t minimum_of(xhal_device_t device) {
  xhal_vmm_granularity_t granularity = {.struct_size = sizeof(granularity)};
  return g_base.vmm_get_granularity(device, &granularity) == XHAL_SUCCESS ? granularity.minimum : 1;
}

static xhal_result_t ranges_are_rounded(xhal_device_t device, uint64_t size, uint64_t alignment, void* hint,
                                        void** out) {
  const uint64_t granule = minimum_of(device);
  if (size != 0 && size < UINT64_MAX - granule) size = (size + granule - 1) / granule * granule;
  return g_base.vmm_reserve(device, size, alignment, hint, out);
}

/* One granule into a range that is aligned, so that the address is not. Nobody releases it, which the suite does not mind. */
static xhal_result_t alignment_is_ignored(xhal_device_t device, uint64_t size, uint64_t alignment, void* hint,
                                          void** out) {
  const uint64_t granule = minimum_of(device);
  if (alignment <= granule || out == NULL) return g_base.vmm_reserve(device, size, alignment, hint, out);
  void* pointer = NULL;
  const xhal_result_t result = g_base.vmm_reserve(device, size + granule, alignment, hint, &pointer);
  if (result == XHAL_SUCCESS) *out = (char*)pointer + granule;
  return result;
}

static xhal_result_t hints_are_orders(xhal_device_t device, uint64_t size, uint64_t alignment, void* hint,
                                      void** out) {
  void* pointer = NULL;
  const xhal_result_t result =
      g_base.vmm_reserve(device, size, alignment, hint, out == NULL ? NULL : &pointer);
  if (result != XHAL_SUCCESS) return result;
  if (hint != NULL && hint != pointer) {
    g_base.vmm_release(device, pointer, size);
    return XHAL_ERROR_INVALID_POINTER;
  }
  *out = pointer;
  return XHAL_SUCCESS;
}

static xhal_result_t access_is_never_taken_away(xhal_device_t device, void* pointer, uint64_t size,
                                                xhal_device_t accessor, uint32_t access) {
  const int is_known = access == XHAL_ACCESS_NONE || access == XHAL_ACCESS_READ;
  return g_base.vmm_set_access(device, pointer, size, accessor, is_known ? XHAL_ACCESS_READ_WRITE : access);
}

static xhal_result_t map_ignores_its_offset(xhal_device_t device, void* pointer, uint64_t size,
                                            xhal_physical_t physical, uint64_t offset) {
  return g_base.vmm_map(device, pointer, size, physical, offset % minimum_of(device));
}

static xhal_result_t map_maps_new_memory(xhal_device_t device, void* pointer, uint64_t size,
                                         xhal_physical_t physical, uint64_t offset) {
  xhal_physical_t other = NULL;
  if (offset != 0 || g_base.physical_create(device, size, 0, &other) != XHAL_SUCCESS)
    return g_base.vmm_map(device, pointer, size, physical, offset);
  const xhal_result_t result = g_base.vmm_map(device, pointer, size, other, 0);
  g_base.physical_destroy(other);
  return result;
}

static xhal_result_t physical_memory_stays(xhal_physical_t physical) {
  (void)physical;
  return XHAL_SUCCESS;
}

static xhal_result_t busy_is_a_bad_pointer(xhal_device_t device, void* pointer, uint64_t size) {
  const xhal_result_t result = g_base.vmm_release(device, pointer, size);
  return result == XHAL_ERROR_BUSY ? XHAL_ERROR_INVALID_POINTER : result;
}

static xhal_result_t no_memory_is_a_limit(xhal_device_t device, uint64_t size, uint32_t flags,
                                          xhal_physical_t* out) {
  const xhal_result_t result = g_base.physical_create(device, size, flags, out);
  return result == XHAL_ERROR_OUT_OF_DEVICE_MEMORY ? XHAL_ERROR_LIMIT_EXCEEDED : result;
}

/* What the base tells of a pointer, where it tells that; null where the lie has nothing to say. */
static xhal_pointer_attributes_t* told(xhal_result_t result, xhal_pointer_attributes_t* attributes) {
  return result == XHAL_SUCCESS && attributes->struct_size >= sizeof(*attributes) ? attributes : NULL;
}

static xhal_result_t reserved_is_device_memory(xhal_driver_t driver, const void* pointer,
                                               xhal_pointer_attributes_t* out) {
  const xhal_result_t result = g_base.driver_get_pointer_attributes(driver, pointer, out);
  xhal_pointer_attributes_t* attributes = told(result, out);
  if (attributes != NULL && attributes->kind == XHAL_MEMORY_RESERVED) attributes->kind = XHAL_MEMORY_DEVICE;
  return result;
}

/* ---- Managed memory and peers ---- */

static xhal_result_t prefetch_clears(xhal_stream_t stream, const void* pointer, uint64_t size,
                                     uint32_t to_host) {
  const xhal_result_t result = g_base.memory_prefetch(stream, pointer, size, to_host);
  return result == XHAL_SUCCESS ? g_base.memory_fill(stream, (void*)(uintptr_t)pointer, 0, 1, size) : result;
}

static xhal_result_t prefetch_waits(xhal_stream_t stream, const void* pointer, uint64_t size,
                                    uint32_t to_host) {
  const xhal_result_t result = g_base.memory_prefetch(stream, pointer, size, to_host);
  g_base.stream_synchronize(stream, kLongEnough);
  return result;
}

static xhal_result_t any_advice_is_taken(xhal_device_t device, const void* pointer, uint64_t size,
                                         uint32_t advice) {
  return ignoring(g_base.memory_advise(device, pointer, size, advice), XHAL_ERROR_INVALID_ARGUMENT);
}

static xhal_result_t managed_is_pinned(xhal_driver_t driver, const void* pointer,
                                       xhal_pointer_attributes_t* out) {
  const xhal_result_t result = g_base.driver_get_pointer_attributes(driver, pointer, out);
  xhal_pointer_attributes_t* attributes = told(result, out);
  if (attributes != NULL && attributes->kind == XHAL_MEMORY_MANAGED) attributes->kind = XHAL_MEMORY_PINNED;
  return result;
}

static xhal_result_t peers_are_enabled_twice(xhal_device_t device, xhal_device_t peer) {
  return ignoring(g_base.device_enable_peer(device, peer), XHAL_ERROR_ALREADY_DONE);
}

static xhal_result_t everybody_is_a_peer(xhal_device_t device, xhal_device_t peer) {
  const xhal_result_t result = g_base.device_enable_peer(device, peer);
  return result == XHAL_ERROR_ALREADY_DONE ? result : XHAL_SUCCESS;
}

/* ---- Other processes ---- */

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char g_exported[4096]; /* the latest bytes that were given out */
static uint64_t g_exported_size;
static void* g_imported; /* the one import that is counted */
static xhal_event_t g_imported_event;

static xhal_result_t interior_is_exported(xhal_device_t device, const void* pointer, uint64_t capacity,
                                          void* out) {
  /* Any pointer that is known has a base; the driver's handle is not at hand here, so steps back lead there. */
  for (uintptr_t back = 0; back <= 4096; ++back) {
    const xhal_result_t result =
        g_base.ipc_export_memory(device, (const void*)((uintptr_t)pointer - back), capacity, out);
    if (result != XHAL_ERROR_INVALID_POINTER) return result;
  }
  return XHAL_ERROR_INVALID_POINTER;
}

static uint32_t handle_bytes_of(xhal_device_t device) {
  xhal_device_properties_t properties = {.struct_size = sizeof(properties)};
  return g_base.device_get_properties(device, &properties) == XHAL_SUCCESS ? properties.ipc_handle_bytes : 0;
}

static xhal_result_t capacity_is_ignored(xhal_device_t device, const void* pointer, uint64_t capacity,
                                         void* out) {
  (void)capacity;
  return g_base.ipc_export_memory(device, pointer, UINT64_MAX, out);
}

static xhal_result_t remember_export(xhal_device_t device, const void* pointer, uint64_t capacity,
                                     void* out) {
  const xhal_result_t result = g_base.ipc_export_memory(device, pointer, capacity, out);
  const uint32_t size = handle_bytes_of(device);
  if (result == XHAL_SUCCESS && size <= sizeof(g_exported)) {
    pthread_mutex_lock(&g_lock);
    memcpy(g_exported, out, size);
    g_exported_size = size;
    pthread_mutex_unlock(&g_lock);
  }
  return result;
}

/* Bytes of the right size that open nothing open what was exported last. */
static xhal_result_t spoilt_bytes_are_mended(xhal_device_t device, const void* bytes, uint64_t size,
                                             void** out) {
  const xhal_result_t result = g_base.ipc_import_memory(device, bytes, size, out);
  if (result != XHAL_ERROR_INVALID_ARGUMENT || out == NULL || size != g_exported_size) return result;
  return g_base.ipc_import_memory(device, g_exported, g_exported_size, out);
}

static xhal_result_t imports_do_not_count(xhal_device_t device, const void* bytes, uint64_t size,
                                          void** out) {
  const xhal_result_t result = g_base.ipc_import_memory(device, bytes, size, out);
  if (result != XHAL_SUCCESS) return result;
  pthread_mutex_lock(&g_lock);
  const int again = g_imported == *out;
  g_imported = *out;
  pthread_mutex_unlock(&g_lock);
  if (again) g_base.ipc_close_memory(device, *out);
  return result;
}

static xhal_result_t close_forgets_its_import(xhal_device_t device, void* pointer) {
  const xhal_result_t result = g_base.ipc_close_memory(device, pointer);
  pthread_mutex_lock(&g_lock);
  if (result == XHAL_SUCCESS && g_imported == pointer) g_imported = NULL;
  pthread_mutex_unlock(&g_lock);
  return result;
}

static xhal_result_t free_closes_imports(xhal_device_t device, void* pointer) {
  const xhal_result_t result = g_base.memory_free(device, pointer);
  if (result == XHAL_SUCCESS && pointer != NULL && pointer == g_imported)
    close_forgets_its_import(device, pointer);
  return result;
}

static xhal_result_t imports_are_not_told(xhal_driver_t driver, const void* pointer,
                                          xhal_pointer_attributes_t* out) {
  const xhal_result_t result = g_base.driver_get_pointer_attributes(driver, pointer, out);
  xhal_pointer_attributes_t* attributes = told(result, out);
  if (attributes != NULL) attributes->is_imported = 0;
  return result;
}

static xhal_result_t remember_imported_event(xhal_device_t device, const void* bytes, uint64_t size,
                                             xhal_event_t* out) {
  const xhal_result_t result = g_base.ipc_import_event(device, bytes, size, out);
  if (result == XHAL_SUCCESS) g_imported_event = *out;
  return result;
}

static xhal_result_t other_processes_hold_nobody(xhal_stream_t stream, xhal_event_t event, uint32_t flags) {
  if (event == g_imported_event) return XHAL_SUCCESS;
  return g_base.stream_wait_event(stream, event, flags);
}

static xhal_result_t every_event_is_exported(xhal_event_t event, uint64_t capacity, void* out) {
  return ignoring(g_base.ipc_export_event(event, capacity, out), XHAL_ERROR_INVALID_ARGUMENT);
}

/* ---- Somebody else's objects ---- */

static xhal_result_t any_api_is_ours(xhal_device_t device, const xhal_native_t* native, xhal_stream_t* out) {
  xhal_native_t ours = {.struct_size = sizeof(ours)};
  if (native == NULL || native->struct_size < sizeof(*native) ||
      g_base.device_get_native(device, &ours) != XHAL_SUCCESS)
    return g_base.stream_import_native(device, native, out);
  ours.kind = native->kind;
  ours.value = native->value;
  return g_base.stream_import_native(device, &ours, out);
}

static xhal_result_t any_kind_is_a_handle(xhal_device_t device, const xhal_native_t* native,
                                          xhal_stream_t* out) {
  if (native == NULL || native->struct_size < sizeof(*native) ||
      native->kind <= XHAL_NATIVE_PER_THREAD_DEFAULT)
    return g_base.stream_import_native(device, native, out);
  xhal_native_t known = *native;
  known.kind = XHAL_NATIVE_HANDLE;
  return g_base.stream_import_native(device, &known, out);
}

static xhal_result_t wrapper_is_a_stream_of_its_own(xhal_device_t device, const xhal_native_t* native,
                                                    xhal_stream_t* out) {
  xhal_stream_t wrapper = NULL;
  const xhal_result_t result = g_base.stream_import_native(device, native, out == NULL ? NULL : &wrapper);
  if (result != XHAL_SUCCESS) return result;
  g_base.stream_destroy(wrapper);
  return g_base.stream_create(device, NULL, out);
}

static xhal_result_t contexts_are_taken_late(xhal_device_t device, const xhal_native_t* context) {
  return ignoring(g_base.device_set_native_context(device, context), XHAL_ERROR_BUSY);
}

static xhal_result_t streams_share_a_handle(xhal_stream_t stream, xhal_native_t* out) {
  const xhal_result_t result = g_base.stream_get_native(stream, out);
  if (result == XHAL_SUCCESS && out->kind == XHAL_NATIVE_HANDLE) out->value = 64;
  return result;
}

static xhal_result_t import_takes_the_descriptor(xhal_device_t device,
                                                 const xhal_external_memory_desc_t* desc, void** out) {
  const xhal_result_t result = g_base.memory_import_external(device, desc, out);
  if (result == XHAL_SUCCESS) close(desc->fd);
  return result;
}

static xhal_result_t offset_is_ignored(xhal_device_t device, const xhal_external_memory_desc_t* desc,
                                       void** out) {
  if (desc == NULL || desc->struct_size != sizeof(*desc) || desc->offset >= desc->size)
    return g_base.memory_import_external(device, desc, out);
  xhal_external_memory_desc_t whole = *desc;
  whole.offset = 0;
  return g_base.memory_import_external(device, &whole, out);
}

static xhal_result_t external_flags_are_ignored(xhal_device_t device, const xhal_external_memory_desc_t* desc,
                                                void** out) {
  if (desc == NULL || desc->struct_size != sizeof(*desc))
    return g_base.memory_import_external(device, desc, out);
  xhal_external_memory_desc_t plain = *desc;
  plain.flags = 0;
  return g_base.memory_import_external(device, &plain, out);
}

/* ---- Telemetry ---- */

/* The elements of a call that the base accepted. */
static xhal_metric_t* metric_at(xhal_metric_t* metrics, uint32_t stride, uint32_t i) {
  return (xhal_metric_t*)(void*)((char*)metrics + (size_t)stride * i);
}

static xhal_result_t an_unknown_metric_fails_all(xhal_device_t device, uint32_t count, uint32_t stride,
                                                 xhal_metric_t* metrics) {
  const xhal_result_t result = g_base.device_read_metrics(device, count, stride, metrics);
  for (uint32_t i = 0; result == XHAL_SUCCESS && i < count; ++i) {
    if (metric_at(metrics, stride, i)->status == XHAL_ERROR_UNSUPPORTED) return XHAL_ERROR_NOT_FOUND;
  }
  return result;
}

static xhal_result_t made_up_numbers_are_real(xhal_device_t device, uint32_t count, uint32_t stride,
                                              xhal_metric_t* metrics) {
  const xhal_result_t result = g_base.device_read_metrics(device, count, stride, metrics);
  for (uint32_t i = 0; result == XHAL_SUCCESS && i < count; ++i) metric_at(metrics, stride, i)->simulated = 0;
  return result;
}

static xhal_result_t readings_wait(xhal_device_t device, uint32_t count, uint32_t stride,
                                   xhal_metric_t* metrics) {
  g_base.device_synchronize(device, kLongEnough);
  return g_base.device_read_metrics(device, count, stride, metrics);
}

static xhal_result_t readings_come_from_the_future(xhal_device_t device, uint32_t count, uint32_t stride,
                                                   xhal_metric_t* metrics) {
  const xhal_result_t result = g_base.device_read_metrics(device, count, stride, metrics);
  for (uint32_t i = 0; result == XHAL_SUCCESS && i < count; ++i)
    metric_at(metrics, stride, i)->timestamp_ns += UINT64_C(3600000000000);
  return result;
}

static xhal_result_t readings_open_the_device(xhal_device_t device, uint32_t count, uint32_t stride,
                                              xhal_metric_t* metrics) {
  xhal_stream_t stream = NULL;
  if (g_base.stream_create(device, NULL, &stream) == XHAL_SUCCESS) g_base.stream_destroy(stream);
  return g_base.device_read_metrics(device, count, stride, metrics);
}

/* ---- The table ---- */

static const mutant_t kMutants[] = {
#define MUTANT_OF(feature, name, base, test, ...) {#name, {__VA_ARGS__}},
#include "../mutants_optional.def"
};

const mutant_t* find_optional_mutant(const char* name) {
  for (size_t i = 0; i < sizeof(kMutants) / sizeof(kMutants[0]); ++i) {
    if (strcmp(kMutants[i].name, name) == 0) return &kMutants[i];
  }
  return NULL;
}
