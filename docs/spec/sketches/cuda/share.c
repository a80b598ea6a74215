/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual memory, other processes, native handles, external memory and semaphores. */
#include <unistd.h>

#include "objects.h"

static CUmemAllocationProp physical_on(const Device* device) {
  CUmemAllocationProp prop;
  memset(&prop, 0, sizeof prop);
  prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  prop.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  prop.location.id = device->device;
  prop.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
  return prop;
}

xhal_result_t sketch_vmm_get_granularity(const Device* device, xhal_vmm_granularity_t* out) {
  const CUmemAllocationProp prop = physical_on(device);
  size_t size = 0;
  TRY(cuMemGetAllocationGranularity(&size, &prop, CU_MEM_ALLOC_GRANULARITY_MINIMUM));
  out->minimum = size;
  TRY(cuMemGetAllocationGranularity(&size, &prop, CU_MEM_ALLOC_GRANULARITY_RECOMMENDED));
  out->recommended = size;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_vmm_reserve(uint64_t size, uint64_t alignment, void* hint, void** out) {
  CUdeviceptr pointer = 0;
  TRY(cuMemAddressReserve(&pointer, size, alignment, address(hint), 0));
  *out = (void*)(uintptr_t)pointer;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_vmm_release(void* pointer, uint64_t size) {
  TRY(cuMemAddressFree(address(pointer), size));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_physical_create(const Device* device, uint64_t size, Physical* out) {
  const CUmemAllocationProp prop = physical_on(device);
  TRY(cuMemCreate(&out->handle, size, &prop, 0));
  return XHAL_SUCCESS;
}

/* The memory lives while it is mapped, by CUDA's documentation. */
xhal_result_t sketch_physical_destroy(Physical* physical) {
  TRY(cuMemRelease(physical->handle));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_vmm_map(void* pointer, uint64_t size, const Physical* physical, uint64_t offset) {
  TRY(cuMemMap(address(pointer), size, offset, physical->handle, 0));
  return XHAL_SUCCESS;
}

/* Only what was mapped, as a whole; may synchronise. */
xhal_result_t sketch_vmm_unmap(void* pointer, uint64_t size) {
  TRY(cuMemUnmap(address(pointer), size));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_vmm_set_access(void* pointer, uint64_t size, const Device* accessor, uint32_t access) {
  CUmemAccessDesc desc;
  memset(&desc, 0, sizeof desc);
  desc.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  desc.location.id = accessor->device;
  desc.flags = access == XHAL_ACCESS_NONE   ? CU_MEM_ACCESS_FLAGS_PROT_NONE
               : access == XHAL_ACCESS_READ ? CU_MEM_ACCESS_FLAGS_PROT_READ
                                            : CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  TRY(cuMemSetAccess(address(pointer), size, &desc, 1));
  return XHAL_SUCCESS;
}

/*
 * Not by cuIpcGetMemHandle: a free before the last close is undefined there, the exporting process cannot open its own handle, and a handle
 * shares the whole 2 MiB block with its neighbours. A driver that claims ipc_memory backs its device memory by cuMemCreate and shares
 * that: physical memory lives while anyone holds it. The bytes tell where the descriptor is (process, number, checksum); the importer
 * gets it from the exporter's socket or by pidfd_getfd. [XHAL-IPC-4..7]
 */
xhal_result_t sketch_ipc_export_memory(const void* base, int* out_fd) {
  CUmemGenericAllocationHandle handle = 0;
  TRY(cuMemRetainAllocationHandle(&handle, (void*)(uintptr_t)base));
  const CUresult code =
      cuMemExportToShareableHandle(out_fd, handle, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0);
  TRY(cuMemRelease(handle));
  return result(code);
}

xhal_result_t sketch_ipc_import_memory(const Device* device, int fd, uint64_t size, void** out) {
  CUmemGenericAllocationHandle handle = 0;
  TRY(cuMemImportFromShareableHandle(&handle, (void*)(uintptr_t)fd,
                                     CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR));
  CUdeviceptr pointer = 0;
  TRY(cuMemAddressReserve(&pointer, size, 0, 0, 0));
  TRY(cuMemMap(pointer, size, 0, handle, 0));
  TRY(cuMemRelease(handle)); /* the mapping keeps it */
  CUmemAccessDesc desc = {.location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = device->device},
                          .flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
  TRY(cuMemSetAccess(pointer, size, &desc, 1));
  *out = (void*)(uintptr_t)pointer;
  return XHAL_SUCCESS;
}

/* The last close, behind the work that may use it. */
xhal_result_t sketch_ipc_close_memory(Device* device, void* pointer, uint64_t size) {
  IN_CONTEXT(device, cuCtxSynchronize());
  TRY(cuMemUnmap(address(pointer), size));
  TRY(cuMemAddressFree(address(pointer), size));
  return XHAL_SUCCESS;
}

/* CUDA says nothing of a recorder's death: claimed only with a watch on the exporter's pidfd that ends the waits. [XHAL-IPC-11] */
xhal_result_t sketch_ipc_export_event(const Event* event, CUipcEventHandle* out) {
  TRY(cuIpcGetEventHandle(out, event->event));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_ipc_import_event(Device* device, CUipcEventHandle handle, Event* out) {
  IN_CONTEXT(device, cuIpcOpenEventHandle(&out->event, handle));
  out->device = device;
  return XHAL_SUCCESS;
}

/* The application's context must be current to it, not primary: from now on the driver pushes this one. */
xhal_result_t sketch_device_set_native_context(Device* device, const xhal_native_t* context) {
  CUdevice owner = 0;
  CUcontext foreign = (CUcontext)(uintptr_t)context->value;
  TRY(cuCtxPushCurrent(foreign));
  const CUresult code = cuCtxGetDevice(&owner);
  leave();
  TRY(code);
  if (owner != device->device) return XHAL_ERROR_INVALID_ARGUMENT;
  device->context = foreign;
  device->is_foreign = 1;
  return XHAL_SUCCESS;
}

/* Opens the primary context, which the runtime API shares. */
xhal_result_t sketch_device_get_native_context(Device* device, xhal_native_t* out) {
  if (!device->is_foreign) TRY(cuDevicePrimaryCtxRetain(&device->context, device->device));
  out->value = (uint64_t)(uintptr_t)device->context;
  return XHAL_SUCCESS;
}

/* The kind decides, not the value: 0 means another stream with and without per-thread default streams. */
xhal_result_t sketch_stream_import_native(Device* device, const xhal_native_t* native, Stream* out) {
  CUstream stream = native->kind == XHAL_NATIVE_LEGACY_DEFAULT       ? CU_STREAM_LEGACY
                    : native->kind == XHAL_NATIVE_PER_THREAD_DEFAULT ? CU_STREAM_PER_THREAD
                                                                     : (CUstream)(uintptr_t)native->value;
  if (stream == NULL) return XHAL_ERROR_INVALID_ARGUMENT;
  CUcontext context = NULL;
  TRY(cuStreamGetCtx(stream, &context));
  if (context != device->context) return XHAL_ERROR_INVALID_ARGUMENT;
  out->device = device;
  out->stream = stream;
  out->is_foreign = 1;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_memory_import_native(void* pointer, uint64_t size) {
  CUdeviceptr base = 0;
  size_t bytes = 0;
  TRY(cuMemGetAddressRange(&base, &bytes, address(pointer)));
  return address(pointer) + size <= base + bytes ? XHAL_SUCCESS : XHAL_ERROR_OUT_OF_RANGE;
}

/* A successful import takes the descriptor over, and the caller keeps its own: a duplicate is given. */
xhal_result_t sketch_memory_import_external(const xhal_external_memory_desc_t* desc,
                                            CUexternalMemory* out_memory, void** out) {
  CUDA_EXTERNAL_MEMORY_HANDLE_DESC handle;
  memset(&handle, 0, sizeof handle);
#if CUDA_VERSION >= 13000
  handle.type = desc->type == XHAL_EXTERNAL_DMA_BUF ? CU_EXTERNAL_MEMORY_HANDLE_TYPE_DMABUF_FD
                                                    : CU_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD;
#else
  if (desc->type == XHAL_EXTERNAL_DMA_BUF) return XHAL_ERROR_INVALID_ARGUMENT;
  handle.type = CU_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD;
#endif
  handle.handle.fd = dup(desc->fd);
  handle.size = desc->size;
  const CUresult code = cuImportExternalMemory(out_memory, &handle);
  if (code != CUDA_SUCCESS) {
    close(handle.handle.fd);
    return result(code);
  }
  CUDA_EXTERNAL_MEMORY_BUFFER_DESC buffer;
  memset(&buffer, 0, sizeof buffer);
  buffer.offset = desc->offset;
  buffer.size = desc->size - desc->offset;
  CUdeviceptr pointer = 0;
  TRY(cuExternalMemoryGetMappedBuffer(&pointer, *out_memory, &buffer));
  *out = (void*)(uintptr_t)pointer;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_memory_release_external(Device* device, CUexternalMemory memory, void* pointer) {
  IN_CONTEXT(device, cuCtxSynchronize());
  IN_CONTEXT(device, cuMemFree(address(pointer)));
  TRY(cuDestroyExternalMemory(memory));
  return XHAL_SUCCESS;
}

/* A dma-buf covers whole pages: base and size are widened to them, and the offset tells where the allocation begins. */
xhal_result_t sketch_memory_export_external(const void* page, uint64_t size, int32_t* out_fd) {
  int fd = -1;
  TRY(cuMemGetHandleForAddressRange(&fd, address(page), size, CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD, 0));
  *out_fd = fd;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_semaphore_import(const xhal_external_semaphore_desc_t* desc, Semaphore* out) {
  CUDA_EXTERNAL_SEMAPHORE_HANDLE_DESC handle;
  memset(&handle, 0, sizeof handle);
  handle.type = desc->is_timeline ? CU_EXTERNAL_SEMAPHORE_HANDLE_TYPE_TIMELINE_SEMAPHORE_FD
                                  : CU_EXTERNAL_SEMAPHORE_HANDLE_TYPE_OPAQUE_FD;
  handle.handle.fd = dup(desc->fd);
  const CUresult code = cuImportExternalSemaphore(&out->semaphore, &handle);
  if (code != CUDA_SUCCESS) close(handle.handle.fd);
  out->is_timeline = (int)desc->is_timeline;
  return result(code);
}

/* CUDA forbids the destroy while work that names it is outstanding: graveyard. */
static void destroy_semaphore(void* semaphore) {
  (void)cuDestroyExternalSemaphore((CUexternalSemaphore)semaphore);
}
xhal_result_t sketch_semaphore_destroy(Device* device, Semaphore* semaphore) {
  bury(device, semaphore->semaphore, destroy_semaphore); /* cuDestroyExternalSemaphore, later */
  return XHAL_SUCCESS;
}

xhal_result_t sketch_stream_signal_semaphore(Stream* stream, const Semaphore* semaphore, uint64_t value) {
  CUDA_EXTERNAL_SEMAPHORE_SIGNAL_PARAMS params;
  memset(&params, 0, sizeof params);
  params.params.fence.value = value;
  TRY(cuSignalExternalSemaphoresAsync(&semaphore->semaphore, &params, 1, stream->stream));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_stream_wait_semaphore(Stream* stream, const Semaphore* semaphore, uint64_t value) {
  CUDA_EXTERNAL_SEMAPHORE_WAIT_PARAMS params;
  memset(&params, 0, sizeof params);
  params.params.fence.value = value;
  TRY(cuWaitExternalSemaphoresAsync(&semaphore->semaphore, &params, 1, stream->stream));
  return XHAL_SUCCESS;
}
