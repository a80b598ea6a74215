/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work-items of kernels with barriers. Each item is a coroutine of LLVM's: a barrier suspends it, what it still needs is kept in a
 * small frame, and the next item runs. All items of a group run on the thread that entered the group, on its one stack.
 *
 * The four functions named xhal_native_coroutine_* do not exist: xhal-kernelgen (suspend.cpp) puts the compiler's coroutine
 * intrinsics in their place, once all is inlined.
 */
#ifndef XHAL_NATIVE_BARRIERS_H_
#define XHAL_NATIVE_BARRIERS_H_

#include "native_item.h"

uint64_t xhal_native_coroutine_bytes(void);      /* size of the frame; its address must be aligned to 64 */
void* xhal_native_coroutine_begin(void* memory); /* returns the frame */
void xhal_native_coroutine_suspend(void); /* the caller of the item goes on; a resume comes back here */
void xhal_native_coroutine_end(void);     /* suspends for ever */

/* How LLVM lays out the start of a frame: `resume` is null once the item has ended. */
typedef struct xhal_native_coroutine {
  void (*resume)(struct xhal_native_coroutine* self);
  void (*destroy)(struct xhal_native_coroutine* self); /* not needed: a frame owns nothing but its memory */
} xhal_native_coroutine;

/* What a worker keeps between groups, for its memory: local memory and the items of one group. */
typedef struct xhal_native_items {
  uint64_t mapped_bytes;
  char* static_local;
  uint64_t static_local_bytes;
  uint64_t frame_stride;
  uint32_t count; /* of the group at work */
  uint32_t started;
  xhal_native_coroutine* coroutines[XHAL_NATIVE_MAX_GROUP_SIZE];
  _Alignas(64) unsigned char frames[];
} xhal_native_items;

/* Runs one item up to its first barrier or its end. `items` is the worker's pointer, as growing moves them. */
typedef void (*xhal_native_start_item)(xhal_native_items** items, const xhal_native_item* item,
                                       const void* arguments);

#define XHAL_NATIVE_HIDDEN __attribute__((visibility("hidden")))

/* Makes room for the frames of a group, all of one size; null if there is no memory. */
XHAL_NATIVE_HIDDEN xhal_native_items* xhal_native_make_room(xhal_native_items** items, uint64_t bytes);

/* Memory of the next frame, null if there is none. */
XHAL_NATIVE_INLINE void* xhal_native_frame_memory(xhal_native_items** items, uint64_t bytes) {
  xhal_native_items* const now = (*items)->started == 0 ? xhal_native_make_room(items, bytes) : *items;
  return now ? now->frames + now->frame_stride * now->started : 0;
}

/* Keeps the frame of an item that starts, so that it can be resumed. */
XHAL_NATIVE_INLINE void xhal_native_started(xhal_native_items** items, void* frame) {
  (*items)->coroutines[(*items)->started++] = frame;
}

/* Local memory of `bytes` for the group that the worker enters; null, with frame->trapped set, if there is none. */
XHAL_NATIVE_HIDDEN char* xhal_native_static_local(xhal_native_frame* frame, uint64_t bytes);

/* Runs all items of the group; sets frame->trapped when there is no memory for them. */
XHAL_NATIVE_HIDDEN void xhal_native_run_items(const xhal_native_item* group, const void* arguments,
                                              xhal_native_start_item start);

#endif
