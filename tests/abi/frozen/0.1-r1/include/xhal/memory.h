/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xhal/memory.h - allocation, copies, fills, pointer attributes; registration, managed memory, peer access.
 *
 * Memory is plain pointers, unique among all drivers of the process: a driver takes device addresses only from ranges that it, or its
 * vendor's runtime, has reserved in the process's address space [XHAL-INSTANCE-10]. The host need not be able to reach a device pointer.
 */
#ifndef XHAL_MEMORY_H_
#define XHAL_MEMORY_H_

#include "xhal/base.h"

XHAL_BEGIN_DECLS

/* ---- Types ------------------------------------------------------------------------------------------------------------------ */

enum {
  XHAL_MEMORY_UNMANAGED = 0, /* not known to any driver: malloc, stack, freed, null */
  XHAL_MEMORY_DEVICE = 1,
  XHAL_MEMORY_PINNED = 2,     /* host memory that the device reaches at the same address */
  XHAL_MEMORY_MANAGED = 3,    /* feature managed */
  XHAL_MEMORY_REGISTERED = 4, /* the application's host memory, registered (feature register) */
  XHAL_MEMORY_RESERVED = 5    /* a reserved range of addresses with nothing mapped (feature vmm) */
};

typedef struct xhal_memory_desc {
  uint32_t struct_size;
  uint32_t kind;      /* DEVICE, PINNED or MANAGED; 0 is refused */
  uint64_t size;      /* bytes, not 0; told exactly by the attributes [XHAL-MEMORY-1] */
  uint64_t alignment; /* a power of two, or 0 for the device's default */
  uint32_t flags;     /* none defined */
  uint32_t reserved;
} xhal_memory_desc_t;

typedef struct xhal_pointer_attributes {
  uint32_t struct_size;
  uint32_t kind;            /* XHAL_MEMORY_x */
  uint32_t device_index;    /* among the driver's devices; 0 for unmanaged */
  uint32_t host_accessible; /* the host may read and write at this address */
  uint64_t size;            /* of the whole allocation, as asked for; 0 for unmanaged */
  void* base;               /* null for unmanaged */
  void*
      device_pointer; /* what a kernel of the device uses for this address; null when the device cannot reach it */
  void* host_pointer;     /* what the host uses; null when it cannot reach it */
  uint64_t allocation_id; /* never used again in this process; 0 for unmanaged */
  uint32_t is_imported;   /* came from another process or a foreign handle */
  uint32_t reserved;
} xhal_pointer_attributes_t;

/* One side of a region copy: rows of `pitch` bytes, slices of `slice_pitch` bytes. */
typedef struct xhal_copy_region {
  uint32_t struct_size;
  uint32_t flags; /* none defined */
  void* destination;
  const void* source;
  uint64_t destination_pitch, destination_slice_pitch; /* slice pitches are read only when extent[2] > 1 */
  uint64_t source_pitch, source_slice_pitch;
  uint64_t extent[3]; /* bytes, rows, slices */
} xhal_copy_region_t;

enum {
  XHAL_ADVICE_READ_MOSTLY = 1,
  XHAL_ADVICE_UNSET_READ_MOSTLY = 2,
  XHAL_ADVICE_PREFER_DEVICE = 3,
  XHAL_ADVICE_PREFER_HOST = 4,
  XHAL_ADVICE_UNSET_PREFERENCE = 5,
  XHAL_ADVICE_ACCESSED_BY = 6,
  XHAL_ADVICE_UNSET_ACCESSED_BY = 7
};

/* ---- Allocation -------------------------------------------------------------------------------------------------------------- */

/*
 * Errors: OUT_OF_DEVICE_MEMORY (device, managed) and OUT_OF_HOST_MEMORY (pinned), which a caching allocator answers by freeing and trying
 * again; INVALID_ARGUMENT; UNSUPPORTED (a kind the device does not offer). [XHAL-MEMORY-1..4] [XHAL-ERROR-13]
 */
XHAL_EXPORT xhal_result_t xhal_memory_allocate(xhal_device_t device, const xhal_memory_desc_t* desc,
                                               void** out_pointer);
/*
 * The device that allocated it, and the base. Null does nothing. May wait for the device where free_waits says so; memory is never
 * reused while submitted work may touch it. [XHAL-MEMORY-5] [XHAL-MEMORY-6]
 */
XHAL_EXPORT xhal_result_t xhal_memory_free(xhal_device_t device, void* pointer);

/* ---- Copy and fill ----------------------------------------------------------------------------------------------------------- */

/*
 * Any reachable address of the stream's driver to any other; the direction is what the pointers are. A pageable source is consumed before
 * the call returns; pinned memory belongs to the operation until it is done. It may block only where copy_blocks says so.
 * Between two devices it works with and without peer access. [XHAL-MEMORY-7..13] [XHAL-MEMORY-17]
 */
XHAL_EXPORT xhal_result_t xhal_memory_copy(xhal_stream_t stream, void* destination, const void* source,
                                           uint64_t size);
/* Feature copy_region. [XHAL-REGION-1] */
XHAL_EXPORT xhal_result_t xhal_memory_copy_region(xhal_stream_t stream, const xhal_copy_region_t* region);
/* Repeats the low pattern_size bytes (1, 2, 4, 8) of pattern over size bytes. Not for pageable memory. [XHAL-MEMORY-14] */
XHAL_EXPORT xhal_result_t xhal_memory_fill(xhal_stream_t stream, void* destination, uint64_t pattern,
                                           uint32_t pattern_size, uint64_t size);

/* ---- Questions about pointers ------------------------------------------------------------------------------------------------ */

/* Any address inside an allocation of this driver; all others are UNMANAGED, without an error. [XHAL-MEMORY-15] */
XHAL_EXPORT xhal_result_t xhal_driver_get_pointer_attributes(xhal_driver_t driver, const void* pointer,
                                                             xhal_pointer_attributes_t* out_attributes);
/* The same over all drivers of the instance; out_device (may be null) gets the owner, or null. [XHAL-INSTANCE-11] */
XHAL_EXPORT xhal_result_t xhal_instance_get_pointer_attributes(xhal_instance_t instance, const void* pointer,
                                                               xhal_pointer_attributes_t* out_attributes,
                                                               xhal_device_t* out_device);

/* ---- Registration (feature register) ------------------------------------------------------------------------------------------ */

/* Kernels then use the same address. Errors: INVALID_POINTER (overlaps a known range), OUT_OF_HOST_MEMORY, PERMISSION. [XHAL-REGISTER-1..3] */
XHAL_EXPORT xhal_result_t xhal_memory_register(xhal_device_t device, void* pointer, uint64_t size,
                                               uint32_t flags);
XHAL_EXPORT xhal_result_t xhal_memory_unregister(xhal_device_t device, void* pointer);

/* ---- Managed memory (feature managed) ------------------------------------------------------------------------------------------ */

/* to_host 1: towards the host; 0: towards the stream's device. Contents never change. [XHAL-MANAGED-2] */
XHAL_EXPORT xhal_result_t xhal_memory_prefetch(xhal_stream_t stream, const void* pointer, uint64_t size,
                                               uint32_t to_host);
XHAL_EXPORT xhal_result_t xhal_memory_advise(xhal_device_t device, const void* pointer, uint64_t size,
                                             uint32_t advice);

/* ---- Peer access (feature peer) ------------------------------------------------------------------------------------------------ */

/* Lets kernels of device reach memory of peer. Whether a pair can: xhal_device_get_link. [XHAL-PEER-1] [XHAL-PEER-2] */
XHAL_EXPORT xhal_result_t xhal_device_enable_peer(xhal_device_t device, xhal_device_t peer);
XHAL_EXPORT xhal_result_t xhal_device_disable_peer(xhal_device_t device, xhal_device_t peer);

XHAL_END_DECLS

#endif
