/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xhal/interop.h - native handles out, foreign streams and contexts in (feature native_handles); external memory
 * (external_memory) and semaphores (external_semaphore).
 *
 * What is borrowed stays its owner's: a native handle got from here is never destroyed by the caller, and a foreign one that was
 * wrapped is never destroyed by the driver.
 */
#ifndef XHAL_INTEROP_H_
#define XHAL_INTEROP_H_

#include "xhal/base.h"

XHAL_BEGIN_DECLS

/* ---- Types ------------------------------------------------------------------------------------------------------------------ */

/* Value 0 is a valid stream in some vendor APIs, so what it means is said by the kind, never guessed from the value. */
enum { XHAL_NATIVE_HANDLE = 0, XHAL_NATIVE_LEGACY_DEFAULT = 1, XHAL_NATIVE_PER_THREAD_DEFAULT = 2 };

typedef struct xhal_native {
  uint32_t struct_size;
  uint32_t kind;
  uint64_t value;
  char api[32];     /* "cuda", "hip", "level_zero", "opencl", "sim" */
} xhal_native_t;

enum { XHAL_EXTERNAL_DMA_BUF = 1, XHAL_EXTERNAL_OPAQUE_FD = 2 };

typedef struct xhal_external_memory_desc {
  uint32_t struct_size;
  uint32_t type;
  int32_t fd;       /* duplicated; stays the caller's */
  uint32_t flags;
  uint64_t size;
  uint64_t offset;
} xhal_external_memory_desc_t;

typedef struct xhal_external_semaphore_desc {
  uint32_t struct_size;
  uint32_t type;
  int32_t fd;
  uint32_t is_timeline;
} xhal_external_semaphore_desc_t;

/* ---- Native handles ----------------------------------------------------------------------------------------------------------- */

XHAL_EXPORT xhal_result_t xhal_device_get_native(xhal_device_t device, xhal_native_t* out_native);
/* The vendor context in which the driver works on this device. */
XHAL_EXPORT xhal_result_t xhal_device_get_native_context(xhal_device_t device, xhal_native_t* out_native);
XHAL_EXPORT xhal_result_t xhal_stream_get_native(xhal_stream_t stream, xhal_native_t* out_native);
XHAL_EXPORT xhal_result_t xhal_event_get_native(xhal_event_t event, xhal_native_t* out_native);
XHAL_EXPORT xhal_result_t xhal_module_get_native(xhal_module_t module, xhal_native_t* out_native);
/* Makes the driver work in a context that the application owns. Only before the device is active, else BUSY. */
XHAL_EXPORT xhal_result_t xhal_device_set_native_context(xhal_device_t device, const xhal_native_t* context);
/* Wraps a native stream; destroying the wrapper leaves it alone. */
XHAL_EXPORT xhal_result_t xhal_stream_import_native(xhal_device_t device, const xhal_native_t* native, xhal_stream_t* out_stream);
/* Makes memory of the vendor's own allocator known; unknown pointers that the vendor's API recognises are answered for anyway. */
XHAL_EXPORT xhal_result_t xhal_memory_import_native(xhal_device_t device, void* pointer, uint64_t size);

/* ---- External memory and semaphores --------------------------------------------------------------------------------------------- */

XHAL_EXPORT xhal_result_t xhal_memory_import_external(xhal_device_t device, const xhal_external_memory_desc_t* desc, void** out_pointer);
XHAL_EXPORT xhal_result_t xhal_memory_release_external(xhal_device_t device, void* pointer);
/* The caller closes the descriptor. */
XHAL_EXPORT xhal_result_t xhal_memory_export_external(xhal_device_t device, const void* pointer, uint32_t type, int32_t* out_fd,
                                                      uint64_t* out_offset);

XHAL_END_DECLS

#endif
