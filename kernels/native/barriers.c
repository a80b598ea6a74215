/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "work_group.h"

#include <sys/mman.h>

static void* map_bytes(uint64_t bytes) {
  void* const address = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return address == MAP_FAILED ? 0 : address;
}

static void free_items(void* scratch) {
  xhal_native_items* const items = scratch;
  if (items->static_local) munmap(items->static_local, items->static_local_bytes);
  munmap(items, items->mapped_bytes);
}

static xhal_native_items* map_items(uint64_t frame_bytes) {
  const uint64_t bytes = sizeof(xhal_native_items) + frame_bytes;
  xhal_native_items* const items = map_bytes(bytes);
  if (items) items->mapped_bytes = bytes;
  return items;
}

/* The worker's own, made where it has none; null, with frame->trapped set, if there is no memory. */
static xhal_native_items** items_of(xhal_native_frame* frame) {
  /* Another image's scratch has a layout of its own. */
  if (*frame->scratch && *frame->scratch_free != free_items) {
    (*frame->scratch_free)(*frame->scratch);
    *frame->scratch = 0;
  }
  if (!*frame->scratch) {
    *frame->scratch = map_items(0);
    *frame->scratch_free = free_items;
  }
  if (!*frame->scratch) {
    frame->trapped = 1;
    return 0;
  }
  return (xhal_native_items**)frame->scratch;
}

char* xhal_native_static_local(xhal_native_frame* frame, uint64_t bytes) {
  xhal_native_items** const items = items_of(frame);
  if (!items) return 0;
  if ((*items)->static_local_bytes < bytes) {
    char* const larger = map_bytes(bytes);
    if (!larger) {
      frame->trapped = 1;
      return 0;
    }
    if ((*items)->static_local) munmap((*items)->static_local, (*items)->static_local_bytes);
    (*items)->static_local = larger;
    (*items)->static_local_bytes = bytes;
  }
  return (*items)->static_local;
}

xhal_native_items* xhal_native_make_room(xhal_native_items** items, uint64_t bytes) {
  xhal_native_items* now = *items;
  const uint64_t stride = (bytes + 63) & ~(uint64_t)63;
  if (now->mapped_bytes - sizeof *now < stride * now->count) {
    /* The items may move: no frame is in use yet. */
    xhal_native_items* const larger = map_items(stride * now->count);
    if (!larger) return 0;
    larger->count = now->count;
    larger->static_local = now->static_local;
    larger->static_local_bytes = now->static_local_bytes;
    now->static_local = 0;
    free_items(now);
    *items = now = larger;
  }
  now->frame_stride = stride;
  return now;
}

void xhal_native_run_items(const xhal_native_item* group, const void* arguments,
                           xhal_native_start_item start) {
  xhal_native_frame* const frame = group->frame;
  xhal_native_items** const items = items_of(frame);
  if (!items) return;
  (*items)->count = group->group_size[0] * group->group_size[1] * group->group_size[2];
  (*items)->started = 0;

  xhal_native_item item = *group;
  XHAL_NATIVE_FOR_EACH_ITEM(item, item.group_size[0]) {
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
