/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xhal/graph.h - capture, instantiate, launch, update (feature graph).
 *
 * While a stream captures, its submissions become nodes instead of running. Waiting for an event that was recorded in the capture
 * brings the waiting stream into it (a fork); the fork must be joined back before the capture ends.
 */
#ifndef XHAL_GRAPH_H_
#define XHAL_GRAPH_H_

#include "xhal/base.h"

XHAL_BEGIN_DECLS

/* ---- Types ------------------------------------------------------------------------------------------------------------------ */

/*
 * [XHAL-GRAPH-7] Which calls that could break a capture (allocations, synchronises) are refused while one is under way:
 * GLOBAL: of all threads; THREAD: of the capturing thread; RELAXED: none. A thread may lower its own mode for a while by
 * xhal_driver_exchange_capture_mode, as a caching allocator must.
 */
enum { XHAL_CAPTURE_GLOBAL = 0, XHAL_CAPTURE_THREAD = 1, XHAL_CAPTURE_RELAXED = 2 };
enum { XHAL_CAPTURE_STATE_NONE = 0, XHAL_CAPTURE_STATE_ACTIVE = 1, XHAL_CAPTURE_STATE_INVALIDATED = 2 };

typedef struct xhal_capture_info {
  uint32_t struct_size;
  uint32_t state;
  uint64_t id; /* of the capture, unique in the process; 0: none */
} xhal_capture_info_t;

typedef struct xhal_graph_info {
  uint32_t struct_size;
  uint32_t node_count;
  uint32_t edge_count;
  uint32_t root_count;
} xhal_graph_info_t;

typedef struct xhal_graph_update_info {
  uint32_t struct_size;
  uint32_t node; /* the first node that differs too much */
  char text[256];
} xhal_graph_update_info_t;

/* Called with successive pieces of the dump's text; returning non-zero stops it. */
typedef int32_t (*xhal_text_sink_fn)(void* user, const char* text, uint64_t length);

/* ---- Calls ------------------------------------------------------------------------------------------------------------------- */

/*
 * From now on submissions become nodes. [XHAL-GRAPH-1] [XHAL-GRAPH-3] Other streams and threads are unaffected. [XHAL-GRAPH-8] Query and
 * synchronise invalidate the capture [XHAL-GRAPH-5] [XHAL-GRAPH-6]; pageable memory cannot be captured. [XHAL-GRAPH-16]
 * Errors: CAPTURE_MISMATCH when it captures already. [XHAL-GRAPH-10]
 */
XHAL_EXPORT xhal_result_t xhal_stream_begin_capture(xhal_stream_t stream, uint32_t mode);
/*
 * Errors: CAPTURE_MISMATCH (not capturing here, another thread's), CAPTURE_UNJOINED, CAPTURE_INVALIDATED; the capture has ended in each case
 * but the first. [XHAL-GRAPH-4] [XHAL-GRAPH-6] [XHAL-GRAPH-10] Destroying the stream, or a reset, ends it too. [XHAL-GRAPH-18]
 */
XHAL_EXPORT xhal_result_t xhal_stream_end_capture(xhal_stream_t stream, xhal_graph_t* out_graph);
/* Cheap enough for an allocator's hot path; allowed during any capture, and never invalidates one. [XHAL-GRAPH-9] */
XHAL_EXPORT xhal_result_t xhal_stream_get_capture_info(xhal_stream_t stream, xhal_capture_info_t* out_info);
/* Sets the calling thread's mode and gives back the former one; it relaxes calls of this thread alone. [XHAL-GRAPH-7] */
XHAL_EXPORT xhal_result_t xhal_driver_exchange_capture_mode(xhal_driver_t driver, uint32_t mode,
                                                            uint32_t* out_former);

/* Counts of what was captured. [XHAL-GRAPH-17] */
XHAL_EXPORT xhal_result_t xhal_graph_get_info(xhal_graph_t graph, xhal_graph_info_t* out_info);
/* Text in the DOT language, with one node for each that info counts. [XHAL-GRAPH-17] */
XHAL_EXPORT xhal_result_t xhal_graph_dump(xhal_graph_t graph, xhal_text_sink_fn sink, void* user);
/* Executables made from it work on. Never blocks. [XHAL-GRAPH-11] [XHAL-GRAPH-14] */
XHAL_EXPORT xhal_result_t xhal_graph_destroy(xhal_graph_t graph);
/* flags: none defined. The executable holds what it needs: the graph may go. [XHAL-GRAPH-11] */
XHAL_EXPORT xhal_result_t xhal_graph_instantiate(xhal_graph_t graph, uint32_t flags,
                                                 xhal_graph_exec_t* out_exec);
/*
 * One operation of the stream [XHAL-GRAPH-2]; launches of one executable run one after the other, also from different streams.
 * [XHAL-GRAPH-12] External waits bind the generation that is current now. [XHAL-GRAPH-15]
 */
XHAL_EXPORT xhal_result_t xhal_graph_exec_launch(xhal_graph_exec_t exec, xhal_stream_t stream);
/* Takes parameters of an equally shaped graph; launches already submitted keep theirs. GRAPH_UPDATE_FAILED changes nothing. [XHAL-GRAPH-13] */
XHAL_EXPORT xhal_result_t xhal_graph_exec_update(xhal_graph_exec_t exec, xhal_graph_t graph,
                                                 xhal_graph_update_info_t* out_info);
/* Never blocks; launches in flight complete. [XHAL-GRAPH-14] */
XHAL_EXPORT xhal_result_t xhal_graph_exec_destroy(xhal_graph_exec_t exec);

XHAL_END_DECLS

#endif
