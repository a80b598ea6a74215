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

/* Value 0 is a valid stream in some vendor APIs, so what it means is said by the kind, never guessed from the value. [XHAL-INTEROP-2] */
enum { XHAL_NATIVE_HANDLE = 0, XHAL_NATIVE_LEGACY_DEFAULT = 1, XHAL_NATIVE_PER_THREAD_DEFAULT = 2 };

typedef struct xhal_native {
  uint32_t struct_size;
  uint32_t kind;
  uint64_t value;
  char api[32]; /* "cuda", "hip", "level_zero", "opencl", "sim" */
} xhal_native_t;

enum { XHAL_EXTERNAL_DMA_BUF = 1, XHAL_EXTERNAL_OPAQUE_FD = 2 };

typedef struct xhal_external_memory_desc {
  uint32_t struct_size;
  uint32_t type;
  int32_t fd; /* duplicated; stays the caller's */
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

/* Each names its API and kind, stays the driver's and is valid as long as the object. [XHAL-INTEROP-1] */
XHAL_EXPORT xhal_result_t xhal_device_get_native(xhal_device_t device, xhal_native_t* out_native);
/* The vendor context in which the driver works on this device. Opens it. */
XHAL_EXPORT xhal_result_t xhal_device_get_native_context(xhal_device_t device, xhal_native_t* out_native);
XHAL_EXPORT xhal_result_t xhal_stream_get_native(xhal_stream_t stream, xhal_native_t* out_native);
XHAL_EXPORT xhal_result_t xhal_event_get_native(xhal_event_t event, xhal_native_t* out_native);
XHAL_EXPORT xhal_result_t xhal_module_get_native(xhal_module_t module, xhal_native_t* out_native);
/* Makes the driver work in a context that the application owns. Only before the device is active, else BUSY. [XHAL-INTEROP-6] */
XHAL_EXPORT xhal_result_t xhal_device_set_native_context(xhal_device_t device, const xhal_native_t* context);
/*
 * Wraps a native stream, whose order and natively submitted work count [XHAL-INTEROP-3]; destroying the wrapper leaves it alone.
 * [XHAL-INTEROP-4] What a default stream synchronises with is declared. [XHAL-INTEROP-8] Errors: INVALID_ARGUMENT (another api, a kind or
 * value that the API does not have). [XHAL-INTEROP-2] [XHAL-INTEROP-5]
 */
XHAL_EXPORT xhal_result_t xhal_stream_import_native(xhal_device_t device, const xhal_native_t* native,
                                                    xhal_stream_t* out_stream);
/* Makes memory of the vendor's own allocator known; unknown pointers that the vendor's API recognises are answered for anyway. [XHAL-INTEROP-7] */
XHAL_EXPORT xhal_result_t xhal_memory_import_native(xhal_device_t device, void* pointer, uint64_t size);

/* ---- External memory and semaphores --------------------------------------------------------------------------------------------- */

/* Shows the exporter's bytes. [XHAL-INTEROP-9] Errors: INVALID_ARGUMENT, IO. [XHAL-INTEROP-10] */
XHAL_EXPORT xhal_result_t xhal_memory_import_external(xhal_device_t device,
                                                      const xhal_external_memory_desc_t* desc,
                                                      void** out_pointer);
XHAL_EXPORT xhal_result_t xhal_memory_release_external(xhal_device_t device, void* pointer);
/* The caller closes the descriptor; the memory lives while either side holds it. [XHAL-INTEROP-11] */
XHAL_EXPORT xhal_result_t xhal_memory_export_external(xhal_device_t device, const void* pointer,
                                                      uint32_t type, int32_t* out_fd, uint64_t* out_offset);
XHAL_EXPORT xhal_result_t xhal_semaphore_import(xhal_device_t device,
                                                const xhal_external_semaphore_desc_t* desc,
                                                xhal_semaphore_t* out_semaphore);
/* Never blocks; signals and waits in flight go on. [XHAL-INTEROP-13] */
XHAL_EXPORT xhal_result_t xhal_semaphore_destroy(xhal_semaphore_t semaphore);
/* Behind all earlier work of the stream. A wait holds the stream until the semaphore has reached the value. [XHAL-INTEROP-12] */
XHAL_EXPORT xhal_result_t xhal_stream_signal_semaphore(xhal_stream_t stream, xhal_semaphore_t semaphore,
                                                       uint64_t value);
XHAL_EXPORT xhal_result_t xhal_stream_wait_semaphore(xhal_stream_t stream, xhal_semaphore_t semaphore,
                                                     uint64_t value);

XHAL_END_DECLS

#endif
