/* SPDX-License-Identifier: Apache-2.0 */
/* Driver, device, errors. */
#include "objects.h"

/* In a helper process: the first HIP call opens /dev/kfd and starts threads, which do not survive a fork. [XHAL-ABI-24] */
xhal_result_t sketch_driver_get_devices(uint32_t* out_count) {
  int count = 0;
  const hipError_t code = hipGetDeviceCount(&count);
  if (code != hipErrorNoDevice) TRY(code);
  *out_count = (uint32_t)count;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_driver_get_properties(int* out_driver, int* out_runtime) {
  TRY(hipDriverGetVersion(out_driver));
  TRY(hipRuntimeGetVersion(out_runtime));
  return XHAL_SUCCESS;
}

/* An unknown pointer is hipErrorInvalidValue, which also becomes the thread's last error: the own map is asked first, HIP for the rest. */
xhal_result_t sketch_driver_get_pointer_attributes(const Device* device, const void* pointer,
                                                   xhal_pointer_attributes_t* out) {
  hipPointerAttribute_t attributes;
  const Thread thread = enter(device);
  const hipError_t code = leave(device, thread, hipPointerGetAttributes(&attributes, pointer));
  if (code == hipErrorInvalidValue) {
    out->kind = XHAL_MEMORY_UNMANAGED;
    return XHAL_SUCCESS;
  }
  TRY(code);
  hipDeviceptr_t base = NULL;
  size_t size = 0;
  TRY(hipMemGetAddressRange(&base, &size, (hipDeviceptr_t)(uintptr_t)pointer));
  out->kind = attributes.isManaged                         ? XHAL_MEMORY_MANAGED
              : attributes.memoryType == hipMemoryTypeHost ? XHAL_MEMORY_PINNED
                                                           : XHAL_MEMORY_DEVICE;
  out->device_index = (uint32_t)attributes.device;
  out->host_pointer = attributes.hostPointer;
  out->base = base;
  out->size = size;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_device_get_properties(const Device* device, xhal_device_properties_t* out) {
  hipDeviceProp_t properties;
  hipUUID uuid;
  TRY(hipGetDeviceProperties(&properties, device->ordinal));
  TRY(hipDeviceGetUuid(&uuid, device->ordinal));
  memcpy(out->uuid, uuid.bytes, sizeof out->uuid);
  strncpy(out->name, properties.name, sizeof out->name - 1);
  strncpy(out->architecture, properties.gcnArchName, sizeof out->architecture - 1);
  out->memory_bytes = properties.totalGlobalMem;
  out->unit_count = (uint32_t)properties.multiProcessorCount;
  out->pci_domain = (uint32_t)properties.pciDomainID;
  out->pci_bus = (uint32_t)properties.pciBusID;
  out->pci_device = (uint32_t)properties.pciDeviceID;
  TRY(hipDeviceGetStreamPriorityRange(&out->priority_least, &out->priority_greatest));
  /* A memory fault of the GPU aborts the process. */
  out->fault_scope = XHAL_FAULT_SCOPE_PROCESS;
  out->fault_recovery = XHAL_RECOVERY_NONE;
  out->free_waits = XHAL_FREE_WAITS_MAYBE;
  out->event_resolution_ns = 1000;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_device_get_image_formats(const Device* device, xhal_image_format_t* out) {
  hipDeviceProp_t properties;
  TRY(hipGetDeviceProperties(&properties, device->ordinal));
  strncpy(out->format, "hsaco", sizeof out->format);
  strncpy(out->target, properties.gcnArchName, sizeof out->target - 1); /* "gfx90a:sramecc+:xnack-" */
  return XHAL_SUCCESS;
}

xhal_result_t sketch_device_get_memory_info(const Device* device, xhal_memory_info_t* out) {
  size_t free_bytes = 0;
  size_t total_bytes = 0;
  ON_DEVICE(device, hipMemGetInfo(&free_bytes, &total_bytes));
  out->free_bytes = free_bytes;
  out->total_bytes = total_bytes;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_device_get_link(const Device* device, const Device* peer, xhal_link_t* out) {
  int can = 0;
  uint32_t type = 0;
  uint32_t hops = 0;
  TRY(hipDeviceCanAccessPeer(&can, device->ordinal, peer->ordinal));
  TRY(hipExtGetLinkTypeAndHopCount(device->ordinal, peer->ordinal, &type, &hops));
  out->peer_access = (uint32_t)can;
  out->direct_copy = (uint32_t)can;
  out->kind = type == 4 ? XHAL_LINK_FABRIC : XHAL_LINK_PCI; /* 4: HSA_AMD_LINK_INFO_TYPE_XGMI */
  out->hops = hops;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_device_synchronize(const Device* device, Stream* const* streams, uint32_t count,
                                        uint64_t timeout_ns) {
  if (timeout_ns == XHAL_WAIT_FOREVER) {
    ON_DEVICE(device, hipDeviceSynchronize());
    return XHAL_SUCCESS;
  }
  const uint64_t deadline = deadline_of(timeout_ns);
  for (uint32_t i = 0; i < count; ++i) {
    for (uint32_t round = 0;; ++round) {
      const Thread thread = enter(device);
      const hipError_t code = leave(device, thread, hipStreamQuery(streams[i]->stream));
      if (code == hipSuccess) break;
      if (code != hipErrorNotReady) return result(code);
      if (!pause_until(deadline, round)) return XHAL_TIMEOUT;
    }
  }
  return XHAL_SUCCESS;
}

/* One of our own, not the null stream: that one waits for all blocking streams of the application. */
xhal_result_t sketch_device_get_default_stream(Device* device) {
  ON_DEVICE(device, hipStreamCreateWithFlags(&device->default_stream, hipStreamNonBlocking));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_device_get_fault(hipError_t first, xhal_fault_t* out) {
  out->native_code = first;
  strncpy(out->text, hipGetErrorString(first), sizeof out->text - 1);
  return XHAL_SUCCESS;
}

xhal_result_t sketch_device_is_active(const Device* device, uint32_t* out_active) {
  unsigned int flags = 0;
  int active = 0;
  TRY(hipDevicePrimaryCtxGetState(device->ordinal, &flags, &active));
  *out_active = (uint32_t)active;
  return XHAL_SUCCESS;
}
