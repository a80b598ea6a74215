/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual memory, other processes, native handles, external memory and semaphores. */
#include <unistd.h>

#include "objects.h"

static hipMemAllocationProp physical_on(const Device* device) {
  hipMemAllocationProp prop;
  memset(&prop, 0, sizeof prop);
  prop.type = hipMemAllocationTypePinned;
  prop.location.type = hipMemLocationTypeDevice;
  prop.location.id = device->ordinal;
  prop.requestedHandleType = hipMemHandleTypePosixFileDescriptor;
  return prop;
}

xhal_result_t sketch_vmm_get_granularity(const Device* device, xhal_vmm_granularity_t* out) {
  const hipMemAllocationProp prop = physical_on(device);
  size_t size = 0;
  TRY(hipMemGetAllocationGranularity(&size, &prop, hipMemAllocationGranularityMinimum));
  out->minimum = size;
  TRY(hipMemGetAllocationGranularity(&size, &prop, hipMemAllocationGranularityRecommended));
  out->recommended = size;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_vmm_reserve(uint64_t size, uint64_t alignment, void* hint, void** out) {
  TRY(hipMemAddressReserve(out, size, alignment, hint, 0));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_vmm_release(void* pointer, uint64_t size) {
  TRY(hipMemAddressFree(pointer, size));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_physical_create(const Device* device, uint64_t size, Physical* out) {
  const hipMemAllocationProp prop = physical_on(device);
  TRY(hipMemCreate(&out->handle, size, &prop, 0));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_physical_destroy(Physical* physical) {
  TRY(hipMemRelease(physical->handle));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_vmm_map(void* pointer, uint64_t size, const Physical* physical, uint64_t offset) {
  TRY(hipMemMap(pointer, size, offset, physical->handle, 0));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_vmm_unmap(void* pointer, uint64_t size) {
  TRY(hipMemUnmap(pointer, size));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_vmm_set_access(void* pointer, uint64_t size, const Device* accessor, uint32_t access) {
  hipMemAccessDesc desc;
  memset(&desc, 0, sizeof desc);
  desc.location.type = hipMemLocationTypeDevice;
  desc.location.id = accessor->ordinal;
  desc.flags = access == XHAL_ACCESS_NONE   ? hipMemAccessFlagsProtNone
               : access == XHAL_ACCESS_READ ? hipMemAccessFlagsProtRead
                                            : hipMemAccessFlagsProtReadWrite;
  TRY(hipMemSetAccess(pointer, size, &desc, 1));
  return XHAL_SUCCESS;
}

/* Not by hipIpcGetMemHandle, for the reasons of the CUDA sketch: a free before the last close is undefined there. */
xhal_result_t sketch_ipc_export_memory(const void* base, int* out_fd) {
  hipMemGenericAllocationHandle_t handle;
  TRY(hipMemRetainAllocationHandle(&handle, (void*)(uintptr_t)base));
  const hipError_t code =
      hipMemExportToShareableHandle(out_fd, handle, hipMemHandleTypePosixFileDescriptor, 0);
  TRY(hipMemRelease(handle));
  return result(code);
}

xhal_result_t sketch_ipc_import_memory(const Device* device, int fd, uint64_t size, void** out) {
  hipMemGenericAllocationHandle_t handle;
  TRY(hipMemImportFromShareableHandle(&handle, (void*)(uintptr_t)fd, hipMemHandleTypePosixFileDescriptor));
  TRY(hipMemAddressReserve(out, size, 0, NULL, 0));
  TRY(hipMemMap(*out, size, 0, handle, 0));
  TRY(hipMemRelease(handle));
  hipMemAccessDesc desc = {.location = {.type = hipMemLocationTypeDevice, .id = device->ordinal},
                           .flags = hipMemAccessFlagsProtReadWrite};
  TRY(hipMemSetAccess(*out, size, &desc, 1));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_ipc_close_memory(const Device* device, void* pointer, uint64_t size) {
  ON_DEVICE(device, hipDeviceSynchronize());
  TRY(hipMemUnmap(pointer, size));
  TRY(hipMemAddressFree(pointer, size));
  return XHAL_SUCCESS;
}

/* HIP works in the primary context of a device; contexts as such are deprecated. */
xhal_result_t sketch_device_get_native_context(const Device* device, xhal_native_t* out) {
  hipCtx_t context = NULL;
  TRY(hipDevicePrimaryCtxRetain(&context, device->ordinal));
  out->value = (uint64_t)(uintptr_t)context;
  return XHAL_SUCCESS;
}

/* Only the primary context is accepted: it is the one that HIP uses whatever is set. */
xhal_result_t sketch_device_set_native_context(const Device* device, const xhal_native_t* context) {
  hipCtx_t primary = NULL;
  TRY(hipDevicePrimaryCtxRetain(&primary, device->ordinal));
  TRY(hipDevicePrimaryCtxRelease(device->ordinal));
  return context->value == (uint64_t)(uintptr_t)primary ? XHAL_SUCCESS : XHAL_ERROR_INVALID_ARGUMENT;
}

/* HIP's legacy default stream is the null handle, and a valid one: only the kind tells. */
xhal_result_t sketch_stream_import_native(Device* device, const xhal_native_t* native, Stream* out) {
  unsigned int flags = 0;
  hipStream_t stream = native->kind == XHAL_NATIVE_LEGACY_DEFAULT ? NULL
                       : native->kind == XHAL_NATIVE_PER_THREAD_DEFAULT
                           ? hipStreamPerThread
                           : (hipStream_t)(uintptr_t)native->value;
  if (stream == NULL && native->kind == XHAL_NATIVE_HANDLE) return XHAL_ERROR_INVALID_ARGUMENT;
  ON_DEVICE(device, hipStreamGetFlags(stream, &flags));
  out->device = device;
  out->stream = stream;
  out->is_foreign = 1;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_memory_import_native(void* pointer, uint64_t size) {
  hipDeviceptr_t base = NULL;
  size_t bytes = 0;
  TRY(hipMemGetAddressRange(&base, &bytes, pointer));
  return (char*)pointer + size <= (char*)base + bytes ? XHAL_SUCCESS : XHAL_ERROR_OUT_OF_RANGE;
}

xhal_result_t sketch_memory_import_external(const Device* device, const xhal_external_memory_desc_t* desc,
                                            hipExternalMemory_t* out_memory, void** out) {
  if (desc->type == XHAL_EXTERNAL_DMA_BUF) return XHAL_ERROR_INVALID_ARGUMENT;
  hipExternalMemoryHandleDesc handle;
  memset(&handle, 0, sizeof handle);
  handle.type = hipExternalMemoryHandleTypeOpaqueFd;
  handle.handle.fd = dup(desc->fd);
  handle.size = desc->size;
  const Thread thread = enter(device);
  const hipError_t code = leave(device, thread, hipImportExternalMemory(out_memory, &handle));
  if (code != hipSuccess) close(handle.handle.fd);
  TRY(code);
  hipExternalMemoryBufferDesc buffer;
  memset(&buffer, 0, sizeof buffer);
  buffer.offset = desc->offset;
  buffer.size = desc->size - desc->offset;
  ON_DEVICE(device, hipExternalMemoryGetMappedBuffer(out, *out_memory, &buffer));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_memory_release_external(const Device* device, hipExternalMemory_t memory) {
  ON_DEVICE(device, hipDeviceSynchronize());
  ON_DEVICE(device, hipDestroyExternalMemory(memory));
  return XHAL_SUCCESS;
}

/* Of memory from hipMemCreate; a dma-buf of any other needs the HSA runtime's hsa_amd_portable_export_dmabuf. */
xhal_result_t sketch_memory_export_external(const void* base, int32_t* out_fd) {
  hipMemGenericAllocationHandle_t handle;
  int fd = -1;
  TRY(hipMemRetainAllocationHandle(&handle, (void*)(uintptr_t)base));
  const hipError_t code = hipMemExportToShareableHandle(&fd, handle, hipMemHandleTypePosixFileDescriptor, 0);
  TRY(hipMemRelease(handle));
  *out_fd = fd;
  return result(code);
}

xhal_result_t sketch_semaphore_import(const Device* device, const xhal_external_semaphore_desc_t* desc,
                                      Semaphore* out) {
  hipExternalSemaphoreHandleDesc handle;
  memset(&handle, 0, sizeof handle);
  handle.type = hipExternalSemaphoreHandleTypeOpaqueFd;
  handle.handle.fd = dup(desc->fd);
  const Thread thread = enter(device);
  const hipError_t code = leave(device, thread, hipImportExternalSemaphore(&out->semaphore, &handle));
  if (code != hipSuccess) close(handle.handle.fd);
  return result(code);
}

static void destroy_semaphore(void* semaphore) {
  (void)hipDestroyExternalSemaphore((hipExternalSemaphore_t)semaphore);
}
xhal_result_t sketch_semaphore_destroy(Device* device, Semaphore* semaphore) {
  bury(device, semaphore->semaphore, destroy_semaphore); /* hipDestroyExternalSemaphore, later */
  return XHAL_SUCCESS;
}

xhal_result_t sketch_stream_signal_semaphore(Stream* stream, const Semaphore* semaphore, uint64_t value) {
  hipExternalSemaphoreSignalParams params;
  memset(&params, 0, sizeof params);
  params.params.fence.value = value;
  ON_DEVICE(stream->device,
            hipSignalExternalSemaphoresAsync(&semaphore->semaphore, &params, 1, stream->stream));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_stream_wait_semaphore(Stream* stream, const Semaphore* semaphore, uint64_t value) {
  hipExternalSemaphoreWaitParams params;
  memset(&params, 0, sizeof params);
  params.params.fence.value = value;
  ON_DEVICE(stream->device,
            hipWaitExternalSemaphoresAsync(&semaphore->semaphore, &params, 1, stream->stream));
  return XHAL_SUCCESS;
}
