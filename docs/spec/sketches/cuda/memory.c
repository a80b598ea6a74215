/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation, copy, fill, registration, managed memory, peer access. */
#include "objects.h"

/* cuMemAlloc aligns to 256 bytes; a larger alignment is had by a larger allocation, and the map knows both addresses. */
xhal_result_t sketch_memory_allocate(Device* device, const xhal_memory_desc_t* desc, void** out) {
  CUdeviceptr pointer = 0;
  if (desc->kind == XHAL_MEMORY_PINNED) {
    /* Portable: every context of the process may use it. With unified addressing both sides use one address. */
    IN_CONTEXT(device, cuMemHostAlloc(out, desc->size, CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP));
    return XHAL_SUCCESS;
  }
  if (desc->kind == XHAL_MEMORY_MANAGED) {
    IN_CONTEXT(device, cuMemAllocManaged(&pointer, desc->size, CU_MEM_ATTACH_GLOBAL));
  } else {
    IN_CONTEXT(device, cuMemAlloc(&pointer, desc->size));
  }
  *out = (void*)(uintptr_t)pointer;
  return XHAL_SUCCESS;
}

/* CUDA only says that a free "may" synchronise, so the driver does: memory is never reused early. */
xhal_result_t sketch_memory_free(Device* device, void* pointer, uint32_t kind) {
  IN_CONTEXT(device, cuCtxSynchronize());
  if (kind == XHAL_MEMORY_PINNED) {
    IN_CONTEXT(device, cuMemFreeHost(pointer));
  } else {
    IN_CONTEXT(device, cuMemFree(address(pointer)));
  }
  return XHAL_SUCCESS;
}

/*
 * The direction comes from the addresses, devices of different contexts included. A pageable source goes through staging memory:
 * "might be synchronous" is all that CUDA says of it. To pageable memory, and from host to host, the call waits: declared.
 */
xhal_result_t sketch_memory_copy(Stream* stream, void* destination, const void* source, uint64_t size,
                                 int source_is_pageable) {
  if (size == 0) return XHAL_SUCCESS;
  if (source_is_pageable) {
    void* pinned = staging(stream, size);
    memcpy(pinned, source, size);
    source = pinned;
  }
  TRY(cuMemcpyAsync(address(destination), address(source), size, stream->stream));
  return XHAL_SUCCESS;
}

/* There is no 64-bit fill. Unless both halves are equal, two 2-D fills of one word a row write the low and the high words. */
xhal_result_t sketch_memory_fill(Stream* stream, void* destination, uint64_t pattern, uint32_t pattern_size,
                                 uint64_t size) {
  const CUdeviceptr to = address(destination);
  switch (pattern_size) {
    case 1:
      TRY(cuMemsetD8Async(to, (unsigned char)pattern, size, stream->stream));
      break;
    case 2:
      TRY(cuMemsetD16Async(to, (unsigned short)pattern, size / 2, stream->stream));
      break;
    case 4:
      TRY(cuMemsetD32Async(to, (unsigned int)pattern, size / 4, stream->stream));
      break;
    default:
      TRY(cuMemsetD2D32Async(to, 8, (unsigned int)pattern, 1, size / 8, stream->stream));
      TRY(cuMemsetD2D32Async(to + 4, 8, (unsigned int)(pattern >> 32), 1, size / 8, stream->stream));
  }
  return XHAL_SUCCESS;
}

/* Slices are told as rows of a pitch, so a slice pitch that is no multiple of the pitch is copied slice by slice. */
xhal_result_t sketch_memory_copy_region(Stream* stream, const xhal_copy_region_t* region) {
  CUDA_MEMCPY3D copy;
  memset(&copy, 0, sizeof copy);
  copy.srcMemoryType = CU_MEMORYTYPE_UNIFIED;
  copy.srcDevice = address(region->source);
  copy.srcPitch = region->source_pitch;
  copy.srcHeight = region->source_slice_pitch / region->source_pitch;
  copy.dstMemoryType = CU_MEMORYTYPE_UNIFIED;
  copy.dstDevice = address(region->destination);
  copy.dstPitch = region->destination_pitch;
  copy.dstHeight = region->destination_slice_pitch / region->destination_pitch;
  copy.WidthInBytes = region->extent[0];
  copy.Height = region->extent[1];
  copy.Depth = region->extent[2];
  TRY(cuMemcpy3DAsync(&copy, stream->stream));
  return XHAL_SUCCESS;
}

/* Claimed where CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM is 1: then kernels use the host's address. */
xhal_result_t sketch_memory_register(Device* device, void* pointer, uint64_t size) {
  IN_CONTEXT(device,
             cuMemHostRegister(pointer, size, CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_memory_unregister(Device* device, void* pointer) {
  IN_CONTEXT(device, cuCtxSynchronize()); /* CUDA does not say that it waits */
  IN_CONTEXT(device, cuMemHostUnregister(pointer));
  return XHAL_SUCCESS;
}

#if CUDA_VERSION >= 13000
static CUmemLocation location(const Device* device) {
  const CUmemLocation place = {
      .type = device != NULL ? CU_MEM_LOCATION_TYPE_DEVICE : CU_MEM_LOCATION_TYPE_HOST,
      .id = device != NULL ? device->device : 0,
  };
  return place;
}
#define PREFETCH_TO(device) location(device), 0
#define ADVISE_FOR(device) location(device)
#else
#define PREFETCH_TO(device) ((device) != NULL ? ((const Device*)(device))->device : CU_DEVICE_CPU)
#define ADVISE_FOR(device) PREFETCH_TO(device)
#endif

xhal_result_t sketch_memory_prefetch(Stream* stream, const void* pointer, uint64_t size, uint32_t to_host) {
  const Device* to = to_host ? NULL : stream->device;
  TRY(cuMemPrefetchAsync(address(pointer), size, PREFETCH_TO(to), stream->stream));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_memory_advise(const Device* device, const void* pointer, uint64_t size,
                                   uint32_t advice) {
  static const CUmem_advise kAdvice[] = {
      (CUmem_advise)0,
      CU_MEM_ADVISE_SET_READ_MOSTLY,
      CU_MEM_ADVISE_UNSET_READ_MOSTLY,
      CU_MEM_ADVISE_SET_PREFERRED_LOCATION,
      CU_MEM_ADVISE_SET_PREFERRED_LOCATION,
      CU_MEM_ADVISE_UNSET_PREFERRED_LOCATION,
      CU_MEM_ADVISE_SET_ACCESSED_BY,
      CU_MEM_ADVISE_UNSET_ACCESSED_BY,
  };
  const Device* place = advice == XHAL_ADVICE_PREFER_HOST ? NULL : device;
  TRY(cuMemAdvise(address(pointer), size, kAdvice[advice], ADVISE_FOR(place)));
  return XHAL_SUCCESS;
}

/* Kernels of `device` reach the peer's memory: the peer's context is opened to the current one. */
xhal_result_t sketch_device_enable_peer(const Device* device, const Device* peer) {
  TRY(enter(device));
  const CUresult code = cuCtxEnablePeerAccess(peer->context, 0);
  leave();
  if (code == CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED) return XHAL_ERROR_ALREADY_DONE;
  return result(code);
}

xhal_result_t sketch_device_disable_peer(const Device* device, const Device* peer) {
  TRY(enter(device));
  const CUresult code = cuCtxDisablePeerAccess(peer->context);
  leave();
  if (code == CUDA_ERROR_PEER_ACCESS_NOT_ENABLED) return XHAL_ERROR_ALREADY_DONE;
  return result(code);
}
