/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual memory, other processes, native handles, external memory, telemetry, activity. */
#include <unistd.h>

#include "objects.h"

xhal_result_t sketch_vmm_get_granularity(const Device* device, xhal_vmm_granularity_t* out) {
  size_t page = 0;
  TRY(zeVirtualMemQueryPageSize(device->context, device->device, 1, &page));
  out->minimum = page;
  TRY(zeVirtualMemQueryPageSize(device->context, device->device, 1u << 26,
                                &page)); /* depends on the size that is asked for */
  out->recommended = page;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_vmm_reserve(const Device* device, uint64_t size, void* hint, void** out) {
  TRY(zeVirtualMemReserve(device->context, hint, size, out));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_vmm_release(const Device* device, void* pointer, uint64_t size) {
  TRY(zeVirtualMemFree(device->context, pointer, size));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_physical_create(const Device* device, uint64_t size, Physical* out) {
  ze_physical_mem_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_PHYSICAL_MEM_DESC, .size = size};
  TRY(zePhysicalMemCreate(device->context, device->device, &desc, &out->physical));
  return XHAL_SUCCESS;
}

/* Not while the device refers to it: destroyed with the last mapping, which the driver counts. [XHAL-VMM-7] */
xhal_result_t sketch_physical_destroy(const Device* device, Physical* physical, uint32_t mappings) {
  if (mappings == 0) TRY(zePhysicalMemDestroy(device->context, physical->physical));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_vmm_map(const Device* device, void* pointer, uint64_t size, const Physical* physical,
                             uint64_t offset) {
  TRY(zeVirtualMemMap(device->context, pointer, size, physical->physical, offset,
                      ZE_MEMORY_ACCESS_ATTRIBUTE_NONE));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_vmm_unmap(const Device* device, void* pointer, uint64_t size) {
  TRY(zeVirtualMemUnmap(device->context, pointer, size));
  return XHAL_SUCCESS;
}

/* Access is the context's, not a device's: `accessor` must be the device that the memory is on, another one is UNSUPPORTED. */
xhal_result_t sketch_vmm_set_access(const Device* device, void* pointer, uint64_t size,
                                    const Device* accessor, uint32_t access) {
  if (accessor != device) return XHAL_ERROR_UNSUPPORTED;
  const ze_memory_access_attribute_t native = access == XHAL_ACCESS_NONE ? ZE_MEMORY_ACCESS_ATTRIBUTE_NONE
                                              : access == XHAL_ACCESS_READ
                                                  ? ZE_MEMORY_ACCESS_ATTRIBUTE_READONLY
                                                  : ZE_MEMORY_ACCESS_ATTRIBUTE_READWRITE;
  TRY(zeVirtualMemSetAccessAttribute(device->context, pointer, size, native));
  return XHAL_SUCCESS;
}

/*
 * The first word of a ze_ipc_mem_handle_t is a file descriptor of this process, no position-independent bytes: the driver's bytes tell the
 * process and its number, and the importer takes the descriptor from the exporter's socket or by pidfd_getfd. [XHAL-IPC-2]
 */
xhal_result_t sketch_ipc_export_memory(const Device* device, const void* base, int* out_fd) {
  ze_ipc_mem_handle_t handle;
  TRY(zeMemGetIpcHandle(device->context, base, &handle));
  memcpy(out_fd, handle.data, sizeof *out_fd);
  return XHAL_SUCCESS;
}

/* "Multiple calls return unique pointers": the driver counts and opens once. [XHAL-IPC-5] */
xhal_result_t sketch_ipc_import_memory(const Device* device, int fd_in_this_process, void** out) {
  ze_ipc_mem_handle_t handle;
  memset(&handle, 0, sizeof handle);
  memcpy(handle.data, &fd_in_this_process, sizeof fd_in_this_process);
  TRY(zeMemOpenIpcHandle(device->context, device->device, handle, 0, out));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_ipc_close_memory(const Device* device, void* pointer) {
  TRY(zeMemCloseIpcHandle(device->context, pointer)); /* behind the work that uses it */
  return XHAL_SUCCESS;
}

/* A foreign context is taken as it is; what the driver makes from now on is made in it. */
xhal_result_t sketch_device_set_native_context(Device* device, const xhal_native_t* context) {
  ze_context_handle_t foreign = (ze_context_handle_t)(uintptr_t)context->value;
  TRY(zeContextGetStatus(foreign));
  device->context = foreign;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_device_get_native_context(Device* device, xhal_native_t* out) {
  if (device->context == NULL) {
    ze_context_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_CONTEXT_DESC};
    TRY(zeContextCreate(device->driver, &desc, &device->context));
  }
  out->value = (uint64_t)(uintptr_t)device->context;
  return XHAL_SUCCESS;
}

/* An immediate list of the application: a barrier without events is behind everything that it holds. No default streams exist. */
xhal_result_t sketch_stream_import_native(Device* device, const xhal_native_t* native, Stream* out) {
  if (native->kind != XHAL_NATIVE_HANDLE || native->value == 0) return XHAL_ERROR_INVALID_ARGUMENT;
  out->device = device;
  out->list = (ze_command_list_handle_t)(uintptr_t)native->value;
  out->last = fresh_event(device, 0);
  TRY(zeCommandListAppendBarrier(out->list, out->last, 0,
                                 NULL)); /* again before each query: natively submitted work counts */
  return XHAL_SUCCESS;
}

xhal_result_t sketch_memory_import_native(const Device* device, void* pointer, uint64_t size) {
  void* base = NULL;
  size_t bytes = 0;
  TRY(zeMemGetAddressRange(device->context, pointer, &base, &bytes));
  return (char*)pointer + size <= (char*)base + bytes ? XHAL_SUCCESS : XHAL_ERROR_OUT_OF_RANGE;
}

xhal_result_t sketch_memory_import_external(const Device* device, const xhal_external_memory_desc_t* desc,
                                            void** out) {
  ze_external_memory_import_fd_t import = {.stype = ZE_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMPORT_FD};
  import.flags = desc->type == XHAL_EXTERNAL_DMA_BUF ? ZE_EXTERNAL_MEMORY_TYPE_FLAG_DMA_BUF
                                                     : ZE_EXTERNAL_MEMORY_TYPE_FLAG_OPAQUE_FD;
  import.fd = dup(desc->fd);
  ze_device_mem_alloc_desc_t memory = {.stype = ZE_STRUCTURE_TYPE_DEVICE_MEM_ALLOC_DESC, .pNext = &import};
  void* base = NULL;
  TRY(zeMemAllocDevice(device->context, &memory, desc->size, 0, device->device, &base));
  *out = (char*)base + desc->offset;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_memory_release_external(const Device* device, void* base) {
  ze_memory_free_ext_desc_t policy = {.stype = ZE_STRUCTURE_TYPE_MEMORY_FREE_EXT_DESC};
  policy.freePolicy = ZE_DRIVER_MEMORY_FREE_POLICY_EXT_FLAG_BLOCKING_FREE;
  TRY(zeMemFreeExt(device->context, &policy, base));
  return XHAL_SUCCESS;
}

/* Only memory that was allocated for export: a driver that claims this allocates all device memory with ze_external_memory_export_desc_t. */
xhal_result_t sketch_memory_export_external(const Device* device, const void* base, uint32_t type,
                                            int32_t* out_fd) {
  ze_external_memory_export_fd_t fd = {.stype = ZE_STRUCTURE_TYPE_EXTERNAL_MEMORY_EXPORT_FD};
  fd.flags = type == XHAL_EXTERNAL_DMA_BUF ? ZE_EXTERNAL_MEMORY_TYPE_FLAG_DMA_BUF
                                           : ZE_EXTERNAL_MEMORY_TYPE_FLAG_OPAQUE_FD;
  ze_memory_allocation_properties_t properties = {.stype = ZE_STRUCTURE_TYPE_MEMORY_ALLOCATION_PROPERTIES,
                                                  .pNext = &fd};
  ze_device_handle_t owner = NULL;
  TRY(zeMemGetAllocProperties(device->context, base, &properties, &owner));
  *out_fd = fd.fd;
  return XHAL_SUCCESS;
}

/* Sysman. With API 1.4 it is there only if ZES_ENABLE_SYSMAN=1 was set before zeInit; later ones have zesInit. */
xhal_result_t sketch_device_read_metrics(const Device* device, xhal_metric_t* metric) {
  zes_device_handle_t sysman = (zes_device_handle_t)device->device;
  uint32_t count = 1;
  if (metric->metric == XHAL_METRIC_TEMPERATURE) {
    zes_temp_handle_t sensor = NULL;
    double celsius = 0;
    TRY(zesDeviceEnumTemperatureSensors(sysman, &count, &sensor));
    TRY(zesTemperatureGetState(sensor, &celsius));
    metric->value = (int64_t)(celsius * 1000);
  } else if (metric->metric == XHAL_METRIC_ENERGY) {
    zes_pwr_handle_t domain = NULL;
    zes_power_energy_counter_t counter;
    TRY(zesDeviceEnumPowerDomains(sysman, &count, &domain));
    TRY(zesPowerGetEnergyCounter(domain, &counter));
    metric->value = (int64_t)(counter.energy / 1000);
  } else if (metric->metric == XHAL_METRIC_UTILIZATION) {
    zes_engine_handle_t engine = NULL;
    zes_engine_stats_t stats;
    TRY(zesDeviceEnumEngineGroups(sysman, &count, &engine));
    TRY(zesEngineGetActivity(engine, &stats)); /* active time over time between two readings */
    metric->value = (int64_t)stats.activeTime;
  } else {
    metric->status = XHAL_ERROR_UNSUPPORTED;
  }
  return XHAL_SUCCESS;
}

/* While someone is subscribed each operation signals an event with timestamps; they are read here. */
xhal_result_t sketch_activity_flush(ze_event_handle_t finished, uint64_t* out_begin_ticks,
                                    uint64_t* out_end_ticks) {
  ze_kernel_timestamp_result_t times;
  TRY(zeEventQueryKernelTimestamp(finished, &times));
  *out_begin_ticks = times.global.kernelStart;
  *out_end_ticks = times.global.kernelEnd;
  return XHAL_SUCCESS;
}

/* One moment on both clocks, by one call; which host clock it is, CLOCK_MONOTONIC or its raw form, depends on the system. */
xhal_result_t sketch_device_get_clocks(const Device* device, double ns_per_tick, xhal_clocks_t* out) {
  uint64_t host = 0;
  uint64_t ticks = 0;
  TRY(zeDeviceGetGlobalTimestamps(device->device, &host, &ticks));
  out->host_ns = host;
  out->device_ns = (uint64_t)((double)ticks * ns_per_tick);
  return XHAL_SUCCESS;
}
