/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation, copy, fill, registration, managed memory, peer access, pools. */
#include "objects.h"

xhal_result_t sketch_memory_allocate(Device* device, const xhal_memory_desc_t* desc, void** out) {
  if (desc->kind == XHAL_MEMORY_PINNED) {
    ON_DEVICE(device, hipHostMalloc(out, desc->size,
                                    hipHostMallocPortable | hipHostMallocMapped | hipHostMallocCoherent));
  } else if (desc->kind == XHAL_MEMORY_MANAGED) {
    ON_DEVICE(device, hipMallocManaged(out, desc->size, hipMemAttachGlobal));
  } else {
    ON_DEVICE(device, hipMalloc(out, desc->size));
  }
  return XHAL_SUCCESS;
}

/* hipFree "performs an implicit hipDeviceSynchronize"; hipHostFree does not say so. */
xhal_result_t sketch_memory_free(Device* device, void* pointer, uint32_t kind) {
  if (kind == XHAL_MEMORY_PINNED) {
    ON_DEVICE(device, hipDeviceSynchronize());
    ON_DEVICE(device, hipHostFree(pointer));
  } else {
    ON_DEVICE(device, hipFree(pointer));
  }
  return XHAL_SUCCESS;
}

/* With pageable memory HIP copies synchronously, behind all earlier work of the stream: a source goes through staging memory instead. */
xhal_result_t sketch_memory_copy(Stream* stream, void* destination, const void* source, uint64_t size,
                                 int source_is_pageable) {
  if (size == 0) return XHAL_SUCCESS;
  if (source_is_pageable) {
    void* pinned = staging(stream, size);
    memcpy(pinned, source, size);
    source = pinned;
  }
  ON_DEVICE(stream->device, hipMemcpyAsync(destination, source, size, hipMemcpyDefault, stream->stream));
  return XHAL_SUCCESS;
}

/* 8 bytes: equal halves by hipMemsetD32Async, else one 2-D byte fill for each byte of the pattern, eight bytes a row. */
xhal_result_t sketch_memory_fill(Stream* stream, void* destination, uint64_t pattern, uint32_t pattern_size,
                                 uint64_t size) {
  const Device* device = stream->device;
  switch (pattern_size) {
    case 1:
      ON_DEVICE(device, hipMemsetD8Async(destination, (unsigned char)pattern, size, stream->stream));
      break;
    case 2:
      ON_DEVICE(device, hipMemsetD16Async(destination, (unsigned short)pattern, size / 2, stream->stream));
      break;
    case 4:
      ON_DEVICE(device, hipMemsetD32Async(destination, (int)pattern, size / 4, stream->stream));
      break;
    default:
      for (int byte = 0; byte < 8; ++byte) {
        const int value = (int)(pattern >> (8 * byte) & 0xff);
        ON_DEVICE(device, hipMemset2DAsync((char*)destination + byte, 8, value, 1, size / 8, stream->stream));
      }
  }
  return XHAL_SUCCESS;
}

xhal_result_t sketch_memory_copy_region(Stream* stream, const xhal_copy_region_t* region) {
  for (uint64_t slice = 0; slice < region->extent[2]; ++slice) {
    char* to = (char*)region->destination + slice * region->destination_slice_pitch;
    const char* from = (const char*)region->source + slice * region->source_slice_pitch;
    ON_DEVICE(stream->device,
              hipMemcpy2DAsync(to, region->destination_pitch, from, region->source_pitch, region->extent[0],
                               region->extent[1], hipMemcpyDefault, stream->stream));
  }
  return XHAL_SUCCESS;
}

/* Claimed only where the device's address of registered memory is the host's; HIP 5.2 tells by trying. [XHAL-REGISTER-1] */
xhal_result_t sketch_memory_register(Device* device, void* pointer, uint64_t size) {
  void* on_device = NULL;
  ON_DEVICE(device, hipHostRegister(pointer, size, hipHostRegisterPortable | hipHostRegisterMapped));
  ON_DEVICE(device, hipHostGetDevicePointer(&on_device, pointer, 0));
  return on_device == pointer ? XHAL_SUCCESS : XHAL_ERROR_UNSUPPORTED;
}

xhal_result_t sketch_memory_unregister(Device* device, void* pointer) {
  ON_DEVICE(device, hipDeviceSynchronize());
  ON_DEVICE(device, hipHostUnregister(pointer));
  return XHAL_SUCCESS;
}

/* Managed memory is claimed where hipDeviceAttributeConcurrentManagedAccess is 1. */
xhal_result_t sketch_memory_prefetch(Stream* stream, const void* pointer, uint64_t size, uint32_t to_host) {
  const int to = to_host ? hipCpuDeviceId : stream->device->ordinal;
  ON_DEVICE(stream->device, hipMemPrefetchAsync(pointer, size, to, stream->stream));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_memory_advise(const Device* device, const void* pointer, uint64_t size,
                                   uint32_t advice) {
  static const hipMemoryAdvise kAdvice[] = {
      (hipMemoryAdvise)0,
      hipMemAdviseSetReadMostly,
      hipMemAdviseUnsetReadMostly,
      hipMemAdviseSetPreferredLocation,
      hipMemAdviseSetPreferredLocation,
      hipMemAdviseUnsetPreferredLocation,
      hipMemAdviseSetAccessedBy,
      hipMemAdviseUnsetAccessedBy,
  };
  const int place = advice == XHAL_ADVICE_PREFER_HOST ? hipCpuDeviceId : device->ordinal;
  ON_DEVICE(device, hipMemAdvise(pointer, size, kAdvice[advice], place));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_device_enable_peer(const Device* device, const Device* peer) {
  const Thread thread = enter(device);
  const hipError_t code = leave(device, thread, hipDeviceEnablePeerAccess(peer->ordinal, 0));
  return code == hipErrorPeerAccessAlreadyEnabled ? XHAL_ERROR_ALREADY_DONE : result(code);
}

xhal_result_t sketch_device_disable_peer(const Device* device, const Device* peer) {
  const Thread thread = enter(device);
  const hipError_t code = leave(device, thread, hipDeviceDisablePeerAccess(peer->ordinal));
  return code == hipErrorPeerAccessNotEnabled ? XHAL_ERROR_ALREADY_DONE : result(code);
}

/* Claimed where hipDeviceAttributeMemoryPoolsSupported is 1 and, with graphs, from the release whose captures take allocations. */
xhal_result_t sketch_pool_create(const Device* device, const xhal_pool_desc_t* desc, Pool* out) {
  hipMemPoolProps props;
  memset(&props, 0, sizeof props);
  props.allocType = hipMemAllocationTypePinned;
  props.location.type = hipMemLocationTypeDevice;
  props.location.id = device->ordinal;
  ON_DEVICE(device, hipMemPoolCreate(&out->pool, &props));
  uint64_t threshold = desc->release_threshold; /* max_bytes has no HIP field: kept by the own map */
  ON_DEVICE(device, hipMemPoolSetAttribute(out->pool, hipMemPoolAttrReleaseThreshold, &threshold));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_pool_destroy(const Device* device, Pool* pool) {
  ON_DEVICE(device, hipMemPoolDestroy(pool->pool)); /* returns at once while allocations live */
  return XHAL_SUCCESS;
}

xhal_result_t sketch_pool_allocate(Pool* pool, Stream* stream, uint64_t size, void** out) {
  ON_DEVICE(stream->device, hipMallocFromPoolAsync(out, size, pool->pool, stream->stream));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_pool_free(Stream* stream, void* pointer) {
  ON_DEVICE(stream->device, hipFreeAsync(pointer, stream->stream));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_pool_get_info(const Device* device, const Pool* pool, xhal_pool_info_t* out) {
  ON_DEVICE(device,
            hipMemPoolGetAttribute(pool->pool, hipMemPoolAttrReservedMemCurrent, &out->reserved_bytes));
  ON_DEVICE(device,
            hipMemPoolGetAttribute(pool->pool, hipMemPoolAttrReservedMemHigh, &out->peak_reserved_bytes));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_pool_trim(const Device* device, Pool* pool, uint64_t keep_bytes) {
  ON_DEVICE(device, hipMemPoolTrimTo(pool->pool, keep_bytes));
  return XHAL_SUCCESS;
}
