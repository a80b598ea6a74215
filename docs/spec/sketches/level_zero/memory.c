/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation, copy, fill, managed memory. */
#include "objects.h"

xhal_result_t sketch_memory_allocate(Device* device, const xhal_memory_desc_t* desc, void** out) {
  ze_device_mem_alloc_desc_t on_device = {.stype = ZE_STRUCTURE_TYPE_DEVICE_MEM_ALLOC_DESC};
  ze_host_mem_alloc_desc_t on_host = {.stype = ZE_STRUCTURE_TYPE_HOST_MEM_ALLOC_DESC};
  /* Above maxMemAllocSize the allocation and each module that touches it need the relaxed limits extension. */
  ze_relaxed_allocation_limits_exp_desc_t relaxed = {
      .stype = ZE_STRUCTURE_TYPE_RELAXED_ALLOCATION_LIMITS_EXP_DESC};
  relaxed.flags = ZE_RELAXED_ALLOCATION_LIMITS_EXP_FLAG_MAX_SIZE;
  on_device.pNext = &relaxed;
  if (desc->kind == XHAL_MEMORY_PINNED) {
    TRY(zeMemAllocHost(device->context, &on_host, desc->size, desc->alignment, out));
  } else if (desc->kind == XHAL_MEMORY_MANAGED) {
    TRY(zeMemAllocShared(device->context, &on_device, &on_host, desc->size, desc->alignment, device->device,
                         out));
  } else {
    TRY(zeMemAllocDevice(device->context, &on_device, desc->size, desc->alignment, device->device, out));
  }
  return XHAL_SUCCESS;
}

/* zeMemFree may not be called while the device refers to the memory; this one waits for it. */
xhal_result_t sketch_memory_free(Device* device, void* pointer) {
  ze_memory_free_ext_desc_t policy = {.stype = ZE_STRUCTURE_TYPE_MEMORY_FREE_EXT_DESC};
  policy.freePolicy = ZE_DRIVER_MEMORY_FREE_POLICY_EXT_FLAG_BLOCKING_FREE;
  TRY(zeMemFreeExt(device->context, &policy, pointer));
  return XHAL_SUCCESS;
}

/*
 * "Free to be modified until execution": the source is read late, whatever it is, so a pageable one is staged. A pageable destination is
 * written by a host function behind a copy to staging memory. Between devices without peer access the copy goes through pinned memory in two steps.
 */
xhal_result_t sketch_memory_copy(Stream* stream, void* destination, const void* source, uint64_t size,
                                 int source_is_pageable) {
  if (size == 0) return XHAL_SUCCESS;
  if (source_is_pageable) {
    void* pinned = staging(stream, size);
    memcpy(pinned, source, size);
    source = pinned;
  }
  ze_event_handle_t next = fresh_event(stream->device, 0);
  TRY(zeCommandListAppendMemoryCopy(stream->list, destination, source, size, next, waits(stream),
                                    wait_list(stream)));
  stream->last = next;
  return XHAL_SUCCESS;
}

/* On a compute group: maxMemoryFillPatternSize of a copy-only group may be 1. */
xhal_result_t sketch_memory_fill(Stream* stream, void* destination, uint64_t pattern, uint32_t pattern_size,
                                 uint64_t size) {
  ze_event_handle_t next = fresh_event(stream->device, 0);
  TRY(zeCommandListAppendMemoryFill(stream->list, destination, &pattern, pattern_size, size, next,
                                    waits(stream), wait_list(stream)));
  stream->last = next;
  return XHAL_SUCCESS;
}

/* Region offsets are 32 bits wide: larger extents are cut into several copies. */
xhal_result_t sketch_memory_copy_region(Stream* stream, const xhal_copy_region_t* region) {
  ze_copy_region_t box = {
      0, 0, 0, (uint32_t)region->extent[0], (uint32_t)region->extent[1], (uint32_t)region->extent[2]};
  ze_event_handle_t next = fresh_event(stream->device, 0);
  TRY(zeCommandListAppendMemoryCopyRegion(
      stream->list, region->destination, &box, (uint32_t)region->destination_pitch,
      (uint32_t)region->destination_slice_pitch, region->source, &box, (uint32_t)region->source_pitch,
      (uint32_t)region->source_slice_pitch, next, waits(stream), wait_list(stream)));
  stream->last = next;
  return XHAL_SUCCESS;
}

/* Towards the host there is no call: a prefetch is a hint, and none is given. */
xhal_result_t sketch_memory_prefetch(Stream* stream, const void* pointer, uint64_t size, uint32_t to_host) {
  if (to_host) return XHAL_SUCCESS;
  ze_event_handle_t next = fresh_event(stream->device, 0);
  if (waits(stream)) TRY(zeCommandListAppendWaitOnEvents(stream->list, 1, wait_list(stream)));
  TRY(zeCommandListAppendMemoryPrefetch(stream->list, pointer, size));
  TRY(zeCommandListAppendSignalEvent(stream->list, next));
  stream->last = next;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_memory_advise(Stream* internal, const Device* device, const void* pointer, uint64_t size,
                                   uint32_t advice) {
  static const ze_memory_advice_t kAdvice[] = {
      (ze_memory_advice_t)0,
      ZE_MEMORY_ADVICE_SET_READ_MOSTLY,
      ZE_MEMORY_ADVICE_CLEAR_READ_MOSTLY,
      ZE_MEMORY_ADVICE_SET_PREFERRED_LOCATION,
      ZE_MEMORY_ADVICE_CLEAR_PREFERRED_LOCATION, /* the host is where it lives otherwise */
      ZE_MEMORY_ADVICE_CLEAR_PREFERRED_LOCATION,
      ZE_MEMORY_ADVICE_BIAS_CACHED,
      ZE_MEMORY_ADVICE_BIAS_UNCACHED,
  };
  TRY(zeCommandListAppendMemAdvise(internal->list, device->device, pointer, size, kAdvice[advice]));
  return XHAL_SUCCESS;
}
