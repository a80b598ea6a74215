/* SPDX-License-Identifier: Apache-2.0 */
/* xhal/pool.h - stream-ordered allocation (feature pool). */
#ifndef XHAL_POOL_H_
#define XHAL_POOL_H_

#include "xhal/base.h"

XHAL_BEGIN_DECLS

/* ---- Types ------------------------------------------------------------------------------------------------------------------ */

typedef struct xhal_pool_desc {
  uint32_t struct_size;
  uint32_t flags;             /* none defined */
  uint64_t release_threshold; /* bytes kept for reuse when a synchronise finds them free */
  uint64_t max_bytes;         /* 0: the device's memory [XHAL-POOL-4] */
} xhal_pool_desc_t;

typedef struct xhal_pool_info {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t reserved_bytes; /* taken from the device */
  uint64_t used_bytes;     /* allocated and not freed, in stream order */
  uint64_t peak_reserved_bytes;
  uint64_t peak_used_bytes;
} xhal_pool_info_t;

/* ---- Calls ------------------------------------------------------------------------------------------------------------------- */

/* desc may be null. Errors: INVALID_ARGUMENT, OUT_OF_HOST_MEMORY. */
XHAL_EXPORT xhal_result_t xhal_pool_create(xhal_device_t device, const xhal_pool_desc_t* desc,
                                           xhal_pool_t* out_pool);
/* Never blocks. Memory still allocated lives on; xhal_memory_free frees it then, since the handle is gone. [XHAL-POOL-7] */
XHAL_EXPORT xhal_result_t xhal_pool_destroy(xhal_pool_t pool);
/*
 * The address is valid for work ordered behind this call on the stream. [XHAL-POOL-1] In a capture it becomes a node. [XHAL-POOL-10]
 * Errors: OUT_OF_DEVICE_MEMORY [XHAL-POOL-4]; INVALID_ARGUMENT (size 0, a stream of another device [XHAL-POOL-11]).
 */
XHAL_EXPORT xhal_result_t xhal_pool_allocate(xhal_pool_t pool, xhal_stream_t stream, uint64_t size,
                                             void** out_pointer);
/*
 * Does not wait [XHAL-POOL-3]; reused only by work that is ordered behind this call. [XHAL-POOL-2] Any stream of the device.
 * Errors: INVALID_POINTER (no live base of this pool [XHAL-POOL-8]), INVALID_ARGUMENT. [XHAL-POOL-11]
 */
XHAL_EXPORT xhal_result_t xhal_pool_free(xhal_pool_t pool, xhal_stream_t stream, void* pointer);
/* [XHAL-POOL-5] Pointer attributes tell its memory as device memory. [XHAL-POOL-9] */
XHAL_EXPORT xhal_result_t xhal_pool_get_info(xhal_pool_t pool, xhal_pool_info_t* out_info);
/* Gives memory that is free back to the device until at most keep_bytes are reserved; never touches live memory. [XHAL-POOL-6] */
XHAL_EXPORT xhal_result_t xhal_pool_trim(xhal_pool_t pool, uint64_t keep_bytes);

XHAL_END_DECLS

#endif
