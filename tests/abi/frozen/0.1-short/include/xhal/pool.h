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
  uint64_t max_bytes;         /* 0: the device's memory */
} xhal_pool_desc_t;

typedef struct xhal_pool_info {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t reserved_bytes;    /* taken from the device */
  uint64_t used_bytes;        /* allocated and not freed, in stream order */
  uint64_t peak_reserved_bytes;
  uint64_t peak_used_bytes;
} xhal_pool_info_t;

/* ---- Calls ------------------------------------------------------------------------------------------------------------------- */

XHAL_EXPORT xhal_result_t xhal_pool_create(xhal_device_t device, const xhal_pool_desc_t* desc, xhal_pool_t* out_pool);
/* Memory still allocated lives on until it is freed. Never blocks. */
XHAL_EXPORT xhal_result_t xhal_pool_destroy(xhal_pool_t pool);
/* The address is valid for work ordered behind this call on the stream. */
XHAL_EXPORT xhal_result_t xhal_pool_allocate(xhal_pool_t pool, xhal_stream_t stream, uint64_t size, void** out_pointer);
/* Reused only by work that is ordered behind this call. Any stream of the device. */
XHAL_EXPORT xhal_result_t xhal_pool_free(xhal_pool_t pool, xhal_stream_t stream, void* pointer);
XHAL_EXPORT xhal_result_t xhal_pool_get_info(xhal_pool_t pool, xhal_pool_info_t* out_info);
/* Gives memory that is free back to the device until at most keep_bytes are reserved. */
XHAL_EXPORT xhal_result_t xhal_pool_trim(xhal_pool_t pool, uint64_t keep_bytes);

XHAL_END_DECLS

#endif
