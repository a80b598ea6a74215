/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xhal/stream.h - streams, host functions, value wait and write.
 *
 * A stream is a queue of operations that take effect in order. Streams are independent unless an event, a value or the host links them.
 */
#ifndef XHAL_STREAM_H_
#define XHAL_STREAM_H_

#include "xhal/base.h"

XHAL_BEGIN_DECLS

/* ---- Types ------------------------------------------------------------------------------------------------------------------ */

typedef struct xhal_stream_desc {
  uint32_t struct_size;
  uint32_t flags;   /* none defined */
  int32_t priority; /* within the device's range; 0 is always legal */
  uint32_t reserved;
} xhal_stream_desc_t;

typedef struct xhal_stream_info {
  uint32_t struct_size;
  uint32_t flags;
  int32_t priority;
  uint32_t is_default; /* 1: the device's default stream */
  uint32_t is_foreign; /* 1: wraps a native stream that the application owns */
  uint32_t device_index;
  uint64_t id; /* never used again in this process; not zero [XHAL-STREAM-9] */
} xhal_stream_info_t;

/*
 * Runs on a thread of the driver, in stream order, exactly once an execution, also behind a failure (status tells) and when work is
 * dropped (CANCELLED). It may block. It may call xhal_result_name, xhal_result_text, xhal_error_get_last, xhal_error_clear and
 * xhal_get_version. Every call on the objects of the driver that runs it which submits, waits, creates, destroys, allocates, frees,
 * registers, loads or resets returns CALL_FORBIDDEN, whatever its other arguments, and so does destroying its instance, which changes
 * nothing; queries answer or return the same, and programs should not count on either. None hangs. [XHAL-HOSTFN-1..5]
 */
typedef void (*xhal_host_fn)(void* user, xhal_result_t status);

/*
 * EQUAL: word == value. AND_NOT_ZERO: (word & value) != 0. NOR_NOT_ZERO: ~(word | value) != 0. GREATER_EQUAL: word >= value, where both are
 * less than half of the width's range: above it some vendors compare as unsigned and some by the sign of the difference.
 */
enum {
  XHAL_COMPARE_EQUAL = 0,
  XHAL_COMPARE_GREATER_EQUAL = 1,
  XHAL_COMPARE_AND_NOT_ZERO = 2,
  XHAL_COMPARE_NOR_NOT_ZERO = 3
};

/* ---- Calls ------------------------------------------------------------------------------------------------------------------- */

/* desc may be null. Errors: INVALID_ARGUMENT (priority outside of the range, flags), OUT_OF_HOST_MEMORY, LIMIT_EXCEEDED. */
XHAL_EXPORT xhal_result_t xhal_stream_create(xhal_device_t device, const xhal_stream_desc_t* desc,
                                             xhal_stream_t* out_stream);
/* Never blocks; submitted work still completes. [XHAL-STREAM-6] */
XHAL_EXPORT xhal_result_t xhal_stream_destroy(xhal_stream_t stream);
XHAL_EXPORT xhal_result_t xhal_stream_get_info(xhal_stream_t stream, xhal_stream_info_t* out_info);
XHAL_EXPORT xhal_result_t xhal_stream_get_device(xhal_stream_t stream, xhal_device_t* out_device);
/* SUCCESS: all submitted work is done; NOT_READY; or the failure's code. Never blocks. [XHAL-STREAM-4] */
XHAL_EXPORT xhal_result_t xhal_stream_query(xhal_stream_t stream);
/* SUCCESS, TIMEOUT, or the failure's code. [XHAL-STREAM-5] */
XHAL_EXPORT xhal_result_t xhal_stream_synchronize(xhal_stream_t stream, uint64_t timeout_ns);
/* Later work of the stream waits for the event's current generation; the caller does not wait. [XHAL-EVENT-3] [XHAL-EVENT-7] */
XHAL_EXPORT xhal_result_t xhal_stream_wait_event(xhal_stream_t stream, xhal_event_t event, uint32_t flags);
XHAL_EXPORT xhal_result_t xhal_stream_host_function(xhal_stream_t stream, xhal_host_fn function, void* user);

/* Feature value_wait. width is 4 or 8 bytes; address is aligned to it and reachable by the device. [XHAL-VALUE-1..3] */
XHAL_EXPORT xhal_result_t xhal_stream_wait_value(xhal_stream_t stream, const void* address, uint64_t value,
                                                 uint32_t comparison, uint32_t width);
XHAL_EXPORT xhal_result_t xhal_stream_write_value(xhal_stream_t stream, void* address, uint64_t value,
                                                  uint32_t width);

XHAL_END_DECLS

#endif
