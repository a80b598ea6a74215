/* SPDX-License-Identifier: Apache-2.0 */
/* Driver, device, errors. */
#include "objects.h"

/* In a helper process: zeInit opens the render node and may start threads. Only GPUs and NPUs with a compute queue group are listed. */
xhal_result_t sketch_driver_get_devices(ze_driver_handle_t* driver, uint32_t capacity,
                                        ze_device_handle_t* out_devices, uint32_t* out_count) {
  uint32_t drivers = 1;
  TRY(zeInit(0));
  TRY(zeDriverGet(&drivers, driver));
  *out_count = 0;
  TRY(zeDeviceGet(*driver, out_count, NULL));
  uint32_t wanted = capacity < *out_count ? capacity : *out_count;
  TRY(zeDeviceGet(*driver, &wanted, out_devices));
  return wanted < *out_count ? XHAL_INCOMPLETE : XHAL_SUCCESS;
}

xhal_result_t sketch_driver_get_properties(ze_driver_handle_t driver, uint32_t* out_version,
                                           ze_api_version_t* out_api) {
  ze_driver_properties_t properties = {.stype = ZE_STRUCTURE_TYPE_DRIVER_PROPERTIES};
  TRY(zeDriverGetProperties(driver, &properties));
  TRY(zeDriverGetApiVersion(driver, out_api));
  *out_version = properties.driverVersion;
  return XHAL_SUCCESS;
}

/* Sizes come back rounded up to pages: the own map has the exact ones. */
xhal_result_t sketch_driver_get_pointer_attributes(const Device* device, const void* pointer,
                                                   xhal_pointer_attributes_t* out) {
  ze_memory_allocation_properties_t properties = {.stype = ZE_STRUCTURE_TYPE_MEMORY_ALLOCATION_PROPERTIES};
  ze_device_handle_t owner = NULL;
  void* base = NULL;
  size_t size = 0;
  TRY(zeMemGetAllocProperties(device->context, pointer, &properties, &owner));
  out->kind = properties.type == ZE_MEMORY_TYPE_DEVICE   ? XHAL_MEMORY_DEVICE
              : properties.type == ZE_MEMORY_TYPE_HOST   ? XHAL_MEMORY_PINNED
              : properties.type == ZE_MEMORY_TYPE_SHARED ? XHAL_MEMORY_MANAGED
                                                         : XHAL_MEMORY_UNMANAGED;
  if (out->kind == XHAL_MEMORY_UNMANAGED) return XHAL_SUCCESS;
  TRY(zeMemGetAddressRange(device->context, pointer, &base, &size));
  out->base = base;
  out->size = size;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_device_get_properties(const Device* device, xhal_device_properties_t* out) {
  ze_device_properties_t properties = {
      .stype = ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES_1_2}; /* timerResolution in cycles a second */
  ze_device_compute_properties_t compute = {.stype = ZE_STRUCTURE_TYPE_DEVICE_COMPUTE_PROPERTIES};
  ze_device_module_properties_t module = {.stype = ZE_STRUCTURE_TYPE_DEVICE_MODULE_PROPERTIES};
  ze_pci_ext_properties_t pci = {.stype = ZE_STRUCTURE_TYPE_PCI_EXT_PROPERTIES};
  ze_device_memory_properties_t memory = {.stype = ZE_STRUCTURE_TYPE_DEVICE_MEMORY_PROPERTIES};
  uint32_t memories = 1;
  TRY(zeDeviceGetProperties(device->device, &properties));
  TRY(zeDeviceGetComputeProperties(device->device, &compute));
  TRY(zeDeviceGetModuleProperties(device->device, &module)); /* fp16, fp64, SPIR-V version, argument bytes */
  TRY(zeDevicePciGetPropertiesExt(device->device, &pci));
  TRY(zeDeviceGetMemoryProperties(device->device, &memories, &memory));
  memcpy(out->uuid, properties.uuid.id, sizeof out->uuid);
  strncpy(out->name, properties.name, sizeof out->name - 1);
  out->memory_bytes = memory.totalSize;
  out->pci_bus = pci.address.bus;
  out->max_group_items = compute.maxTotalGroupSize;
  out->max_local_bytes = compute.maxSharedLocalMemory;
  out->max_argument_bytes = module.maxArgumentsSize;
  /* A kernel's wild store may be seen as a lost device or not at all. */
  out->fault_scope = XHAL_FAULT_SCOPE_PROCESS;
  out->fault_recovery = XHAL_RECOVERY_NONE;
  out->free_waits = XHAL_FREE_WAITS_MAYBE;
  out->event_resolution_ns = (uint32_t)(1000000000u / properties.timerResolution);
  const uint32_t bits = properties.kernelTimestampValidBits;
  out->event_wrap_ns = bits < 64 ? (1ull << bits) * out->event_resolution_ns : 0;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_device_get_image_formats(const Device* device, uint32_t* out_spirv_version) {
  ze_device_module_properties_t module = {.stype = ZE_STRUCTURE_TYPE_DEVICE_MODULE_PROPERTIES};
  TRY(zeDeviceGetModuleProperties(device->device, &module));
  *out_spirv_version = module.spirvVersionSupported; /* 0: no SPIR-V; then "native" alone */
  return XHAL_SUCCESS;
}

/* Sysman alone knows; where it may not be asked, the total less the own allocations. */
xhal_result_t sketch_device_get_memory_info(const Device* device, xhal_memory_info_t* out) {
  zes_mem_handle_t modules[8];
  uint32_t count = 8;
  TRY(zesDeviceEnumMemoryModules((zes_device_handle_t)device->device, &count, modules));
  for (uint32_t i = 0; i < count; ++i) {
    zes_mem_state_t state = {.stype = ZES_STRUCTURE_TYPE_MEM_STATE};
    TRY(zesMemoryGetState(modules[i], &state));
    out->free_bytes += state.free;
    out->total_bytes += state.size;
  }
  return XHAL_SUCCESS;
}

xhal_result_t sketch_device_get_link(const Device* device, const Device* peer, xhal_link_t* out) {
  ze_bool_t can = 0;
  ze_device_p2p_properties_t p2p = {.stype = ZE_STRUCTURE_TYPE_DEVICE_P2P_PROPERTIES};
  TRY(zeDeviceCanAccessPeer(device->device, peer->device, &can));
  TRY(zeDeviceGetP2PProperties(device->device, peer->device, &p2p));
  out->peer_access = can && (p2p.flags & ZE_DEVICE_P2P_PROPERTY_FLAG_ACCESS);
  out->direct_copy = out->peer_access;
  out->native_atomics = (p2p.flags & ZE_DEVICE_P2P_PROPERTY_FLAG_ATOMICS) != 0;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_device_synchronize(Stream* const* streams, uint32_t count, uint64_t timeout_ns) {
  const uint64_t deadline = deadline_of(timeout_ns);
  for (uint32_t i = 0; i < count; ++i) {
    if (streams[i]->last == NULL) continue;
    const ze_result_t code = zeEventHostSynchronize(streams[i]->last, time_left(deadline));
    if (code == ZE_RESULT_NOT_READY) return XHAL_TIMEOUT;
    TRY(code);
  }
  return XHAL_SUCCESS;
}

xhal_result_t sketch_device_get_fault(const Device* device, xhal_fault_t* out) {
  const ze_result_t code = zeDeviceGetStatus(device->device);
  out->code = code == ZE_RESULT_ERROR_DEVICE_LOST ? XHAL_ERROR_DEVICE_LOST : result(code);
  out->native_code = code;
  return XHAL_SUCCESS;
}
