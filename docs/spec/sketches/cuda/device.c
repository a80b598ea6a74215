/* SPDX-License-Identifier: Apache-2.0 */
/* Driver, device, errors. */
#include "objects.h"

/* In a helper process: cuInit starts threads and its state does not survive a fork, enumeration must. [XHAL-ABI-24] */
xhal_result_t sketch_driver_get_devices(uint32_t capacity, CUdevice* out_devices, uint32_t* out_count) {
  int count = 0;
  const CUresult code = cuInit(0);
  if (code == CUDA_ERROR_NO_DEVICE) {
    *out_count = 0;
    return XHAL_SUCCESS;
  }
  TRY(code);
  TRY(cuDeviceGetCount(&count));
  for (uint32_t i = 0; i < capacity && i < (uint32_t)count; ++i) TRY(cuDeviceGet(&out_devices[i], (int)i));
  *out_count = (uint32_t)count;
  return capacity < (uint32_t)count && out_devices != NULL ? XHAL_INCOMPLETE : XHAL_SUCCESS;
}

xhal_result_t sketch_driver_get_properties(xhal_driver_properties_t* out) {
  int version = 0;
  TRY(cuDriverGetVersion(
      &version)); /* the installed driver; the runtime's version is CUDA_VERSION of the headers built against */
  (void)out;
  return XHAL_SUCCESS;
}

/* Answers "no CUDA pointer" with zeros and success, where the singular form would return an error. The size comes from the own map. */
xhal_result_t sketch_driver_get_pointer_attributes(const void* pointer, xhal_pointer_attributes_t* out) {
  CUmemorytype type = (CUmemorytype)0;
  unsigned int is_managed = 0;
  int ordinal = -1;
  CUdeviceptr start = 0;
  size_t size = 0;
  void* host = NULL;
  CUpointer_attribute names[] = {CU_POINTER_ATTRIBUTE_MEMORY_TYPE,    CU_POINTER_ATTRIBUTE_IS_MANAGED,
                                 CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, CU_POINTER_ATTRIBUTE_RANGE_START_ADDR,
                                 CU_POINTER_ATTRIBUTE_RANGE_SIZE,     CU_POINTER_ATTRIBUTE_HOST_POINTER};
  void* values[] = {&type, &is_managed, &ordinal, &start, &size, &host};
  TRY(cuPointerGetAttributes(6, names, values, address(pointer)));
  out->kind = (uint32_t)(type == 0                    ? XHAL_MEMORY_UNMANAGED
                         : is_managed                 ? XHAL_MEMORY_MANAGED
                         : type == CU_MEMORYTYPE_HOST ? XHAL_MEMORY_PINNED
                                                      : XHAL_MEMORY_DEVICE);
  out->base = (void*)(uintptr_t)start;
  out->size = size;
  out->host_pointer = host;
  return XHAL_SUCCESS;
}

/* All of it without a context. The NUMA node comes from the PCI address by sysfs, the priority range from a helper process's context. */
xhal_result_t sketch_device_get_properties(const Device* device, xhal_device_properties_t* out) {
  CUuuid uuid;
  size_t bytes = 0;
  int major = 0;
  int minor = 0;
  int value = 0;
  TRY(cuDeviceGetUuid(&uuid, device->device)); /* of the MIG instance where there is one */
  memcpy(out->uuid, uuid.bytes, sizeof out->uuid);
  TRY(cuDeviceGetName(out->name, (int)sizeof out->name, device->device));
  TRY(cuDeviceTotalMem(&bytes, device->device));
  out->memory_bytes = bytes;
  TRY(cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device->device));
  TRY(cuDeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device->device));
  TRY(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, device->device));
  out->pci_bus = (uint32_t)value;
  TRY(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device->device));
  out->unit_count = (uint32_t)value;
  TRY(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, device->device));
  out->max_group_items = (uint32_t)value;
  /* A kernel's illegal address ends CUDA for the whole process, by its own documentation. */
  out->fault_scope = XHAL_FAULT_SCOPE_PROCESS;
  out->fault_recovery = XHAL_RECOVERY_NONE;
  out->free_waits = XHAL_FREE_WAITS_MAYBE;
  out->event_resolution_ns = 500;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_device_get_image_formats(const Device* device, int* out_major, int* out_minor) {
  /* "cubin" and "ptx" for sm_<major><minor>. */
  TRY(cuDeviceGetAttribute(out_major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device->device));
  TRY(cuDeviceGetAttribute(out_minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device->device));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_device_get_memory_info(const Device* device, xhal_memory_info_t* out) {
  size_t free_bytes = 0;
  size_t total_bytes = 0;
  IN_CONTEXT(device, cuMemGetInfo(&free_bytes, &total_bytes)); /* opens the context: it has no other form */
  out->free_bytes = free_bytes;
  out->total_bytes = total_bytes;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_device_get_link(const Device* device, const Device* peer, xhal_link_t* out) {
  int can = 0;
  int atomics = 0;
  TRY(cuDeviceCanAccessPeer(&can, device->device, peer->device));
  TRY(cuDeviceGetP2PAttribute(&atomics, CU_DEVICE_P2P_ATTRIBUTE_NATIVE_ATOMIC_SUPPORTED, device->device,
                              peer->device));
  out->peer_access = (uint32_t)can;
  out->direct_copy = (uint32_t)can;
  out->native_atomics = (uint32_t)atomics;
  return XHAL_SUCCESS;
}

/* cuCtxSynchronize takes no time: with a deadline each stream of the device is polled instead. */
xhal_result_t sketch_device_synchronize(const Device* device, Stream* const* streams, uint32_t count,
                                        uint64_t timeout_ns) {
  if (timeout_ns == XHAL_WAIT_FOREVER) {
    IN_CONTEXT(device, cuCtxSynchronize());
    return XHAL_SUCCESS;
  }
  const uint64_t deadline = deadline_of(timeout_ns);
  for (uint32_t i = 0; i < count; ++i) {
    for (uint32_t round = 0;; ++round) {
      const CUresult code = cuStreamQuery(streams[i]->stream);
      if (code == CUDA_SUCCESS) break;
      if (code != CUDA_ERROR_NOT_READY) {
        run_pending_host_calls(streams[i], result(code));
        return result(code);
      }
      if (!pause_until(deadline, round)) return XHAL_TIMEOUT;
    }
  }
  return XHAL_SUCCESS;
}

/* A stream of our own: the legacy default stream would wait for, and hold up, every other blocking stream of the application. */
xhal_result_t sketch_device_get_default_stream(Device* device) {
  IN_CONTEXT(device, cuStreamCreate(&device->default_stream, CU_STREAM_NON_BLOCKING));
  return XHAL_SUCCESS;
}

/* Sticky: any later call of the process repeats the code, so the first one is kept with its text. */
xhal_result_t sketch_device_get_fault(CUresult first, xhal_fault_t* out) {
  const char* text = "";
  TRY(cuGetErrorString(first, &text));
  out->native_code = first;
  strncpy(out->text, text, sizeof out->text - 1);
  return XHAL_SUCCESS;
}
