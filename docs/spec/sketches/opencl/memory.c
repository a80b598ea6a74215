/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation, copy, fill, managed memory. */
#include "objects.h"

/*
 * Implementations allocate late and report what does not fit at the first command, or never (PoCL): the driver refuses above its own count of
 * the device's memory, and touches new memory once.
 */
xhal_result_t sketch_memory_allocate(Device* device, const xhal_memory_desc_t* desc, void** out) {
  const cl_svm_mem_flags flags =
      desc->kind == XHAL_MEMORY_DEVICE ? CL_MEM_READ_WRITE : CL_MEM_READ_WRITE | CL_MEM_SVM_FINE_GRAIN_BUFFER;
  void* pointer = clSVMAlloc(device->context, flags, desc->size, (cl_uint)desc->alignment);
  if (pointer == NULL) return XHAL_ERROR_OUT_OF_DEVICE_MEMORY;
  device->allocated += desc->size;
  *out = pointer;
  return XHAL_SUCCESS;
}

/* clSVMFree "does not wait for previously enqueued commands": the driver waits for the last command of every stream first. */
xhal_result_t sketch_memory_free(Device* device, void* pointer, uint64_t size, const cl_event* last_of_each,
                                 cl_uint count) {
  if (count > 0) TRY(clWaitForEvents(count, last_of_each));
  clSVMFree(device->context, pointer);
  device->allocated -= size;
  return XHAL_SUCCESS;
}

/* A host pointer is legal on either side and is read when the command runs: a pageable source is staged. Overlap is CL_MEM_COPY_OVERLAP. */
xhal_result_t sketch_memory_copy(Stream* stream, void* destination, const void* source, uint64_t size,
                                 int source_is_pageable) {
  if (size == 0) return XHAL_SUCCESS;
  if (source_is_pageable) {
    void* pinned = staging(stream, size);
    memcpy(pinned, source, size);
    source = pinned;
  }
  cl_event next = NULL;
  TRY(clEnqueueSVMMemcpy(stream->queue, CL_FALSE, destination, source, size, 0, NULL, &next));
  TRY(then(stream, next));
  TRY(clFlush(stream->queue));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_memory_fill(Stream* stream, void* destination, uint64_t pattern, uint32_t pattern_size,
                                 uint64_t size) {
  cl_event next = NULL;
  TRY(clEnqueueSVMMemFill(stream->queue, destination, &pattern, pattern_size, size, 0, NULL, &next));
  TRY(then(stream, next));
  TRY(clFlush(stream->queue));
  return XHAL_SUCCESS;
}

/* There is no pitched copy of addresses: one copy a row. */
xhal_result_t sketch_memory_copy_region(Stream* stream, const xhal_copy_region_t* region) {
  for (uint64_t slice = 0; slice < region->extent[2]; ++slice) {
    for (uint64_t row = 0; row < region->extent[1]; ++row) {
      char* to = (char*)region->destination + slice * region->destination_slice_pitch +
                 row * region->destination_pitch;
      const char* from =
          (const char*)region->source + slice * region->source_slice_pitch + row * region->source_pitch;
      cl_event next = NULL;
      TRY(clEnqueueSVMMemcpy(stream->queue, CL_FALSE, to, from, region->extent[0], 0, NULL, &next));
      TRY(then(stream, next));
    }
  }
  TRY(clFlush(stream->queue));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_memory_prefetch(Stream* stream, const void* pointer, size_t size, uint32_t to_host) {
  const cl_mem_migration_flags flags = to_host ? CL_MIGRATE_MEM_OBJECT_HOST : 0;
  cl_event next = NULL;
  TRY(clEnqueueSVMMigrateMem(stream->queue, 1, &pointer, &size, flags, 0, NULL, &next));
  TRY(then(stream, next));
  TRY(clFlush(stream->queue));
  return XHAL_SUCCESS;
}
