/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "work_group.h"

#include <sys/mman.h>

static void free_items(void* scratch) {
  xhal_native_items* const items = scratch;
  munmap(items, items->mapped_bytes);
}

static xhal_native_items* map_items(uint64_t frame_bytes) {
  const uint64_t bytes = sizeof(xhal_native_items) + frame_bytes;
  xhal_native_items* const items = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (items == MAP_FAILED) return 0;
  items->mapped_bytes = bytes;
  return items;
}

xhal_native_items* xhal_native_make_room(xhal_native_items** items, uint64_t bytes) {
  xhal_native_items* now = *items;
  const uint64_t stride = (bytes + 63) & ~(uint64_t)63;
  if (now->mapped_bytes - sizeof *now < stride * now->count) {
    /* The items may move: no frame is in use yet. */
    xhal_native_items* const larger = map_items(stride * now->count);
    if (!larger) return 0;
    larger->count = now->count;
    free_items(now);
    *items = now = larger;
  }
  now->frame_stride = stride;
  return now;
}

void xhal_native_run_items(const xhal_native_item* group, const void* arguments,
                           xhal_native_start_item start) {
  xhal_native_frame* const frame = group->frame;
  /* Another image's scratch has a layout of its own. */
  if (*frame->scratch && *frame->scratch_free != free_items) {
    (*frame->scratch_free)(*frame->scratch);
    *frame->scratch = 0;
  }
  if (!*frame->scratch) {
    *frame->scratch = map_items(0);
    *frame->scratch_free = free_items;
  }
  xhal_native_items** const items = (xhal_native_items**)frame->scratch;
  if (!*items) {
    frame->trapped = 1;
    return;
  }
  (*items)->count = group->group_size[0] * group->group_size[1] * group->group_size[2];
  (*items)->started = 0;

  xhal_native_item item = *group;
  XHAL_NATIVE_FOR_EACH_ITEM(item) {
    const uint32_t started = (*items)->started;
    start(items, &item, arguments);
    if ((*items)->started == started) {
      frame->trapped = 1;
      return;
    }
  }
  const uint32_t count = (*items)->count;
  xhal_native_coroutine* const* const coroutines = (*items)->coroutines;
  for (int running = 1; running;) {
    running = 0;
    for (uint32_t i = 0; i < count; ++i) {
      if (coroutines[i]->resume) {
        coroutines[i]->resume(coroutines[i]);
        running = 1;
      }
    }
  }
}
