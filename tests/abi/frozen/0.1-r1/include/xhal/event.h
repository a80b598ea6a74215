/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xhal/event.h - events.
 *
 * An event has generations. Generation 0 is "never recorded" and counts as done; each record starts the next one and snapshots the
 * stream at that point. A wait binds the generation that is current when the wait is called.
 */
#ifndef XHAL_EVENT_H_
#define XHAL_EVENT_H_

#include "xhal/base.h"

XHAL_BEGIN_DECLS

/* ---- Types ------------------------------------------------------------------------------------------------------------------ */

enum {
  XHAL_EVENT_TIMING = 1u << 0, /* feature event_timing, else UNSUPPORTED [XHAL-EVENT-13] */
  XHAL_EVENT_BLOCKING =
      1u << 1, /* host waits on it may sleep rather than spin: a hint about cost, never about meaning */
  XHAL_EVENT_IPC =
      1u
      << 2 /* feature ipc_event, else UNSUPPORTED; together with TIMING it may be UNSUPPORTED [XHAL-EVENT-13] */
};

typedef struct xhal_event_desc {
  uint32_t struct_size;
  uint32_t flags;
} xhal_event_desc_t;

/* Flags of record and wait: inside a capture, make an external node instead of an edge of the graph. Outside: INVALID_ARGUMENT. */
enum { XHAL_EVENT_EXTERNAL = 1u << 0 };

/* ---- Calls ------------------------------------------------------------------------------------------------------------------- */

/* desc may be null: no timing. */
XHAL_EXPORT xhal_result_t xhal_event_create(xhal_device_t device, const xhal_event_desc_t* desc,
                                            xhal_event_t* out_event);
/* Never blocks; records and waits in flight are unaffected. [XHAL-EVENT-9] */
XHAL_EXPORT xhal_result_t xhal_event_destroy(xhal_event_t event);
/* The stream must be of the event's device. [XHAL-EVENT-2] [XHAL-EVENT-12] */
XHAL_EXPORT xhal_result_t xhal_event_record(xhal_event_t event, xhal_stream_t stream, uint32_t flags);
/* SUCCESS: never recorded, or the latest generation is done; NOT_READY; or the failure's code. Never blocks. [XHAL-EVENT-1] [XHAL-EVENT-6] */
XHAL_EXPORT xhal_result_t xhal_event_query(xhal_event_t event);
XHAL_EXPORT xhal_result_t xhal_event_synchronize(xhal_event_t event, uint64_t timeout_ns);
/* Nanoseconds on the device from start's to end's completion; NOT_READY while one is pending. [XHAL-EVENT-10] [XHAL-EVENT-11] */
XHAL_EXPORT xhal_result_t xhal_event_get_elapsed(xhal_event_t start, xhal_event_t end,
                                                 int64_t* out_nanoseconds);

XHAL_END_DECLS

#endif
