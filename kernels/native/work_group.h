/* SPDX-License-Identifier: Apache-2.0 */
/* What the wrapper that xhal-kernelgen writes for each kernel is made of. */
#ifndef XHAL_NATIVE_WORK_GROUP_H_
#define XHAL_NATIVE_WORK_GROUP_H_

#include "barriers.h"
#include "native_item.h"

XHAL_NATIVE_INLINE void xhal_native_set_memory(xhal_native_item* item, xhal_native_frame* frame) {
  item->frame = frame;
  item->window_base = frame->window_base;
  item->window_size = frame->window_size;
  item->backing_distance = frame->backing_distance;
  item->globals = frame->globals;
  item->static_local = 0;
}

/* All items of the row in dimension 0. The compiler must learn their bound from a comparison of this very value, as it looks for no
 * other reason why a loop's count does not wrap, so it is kept from deriving the bound itself. */
XHAL_NATIVE_INLINE int xhal_native_set_row_items(xhal_native_item* item, xhal_native_frame* frame) {
  uint32_t items = frame->row_groups * frame->group_size[0];
  __asm__("" : "+r"(items));
  if (items > XHAL_NATIVE_MAX_ROW_GROUPS * XHAL_NATIVE_MAX_GROUP_SIZE) {
    frame->trapped = 1;
    return 0;
  }
  item->row_items = items;
  return 1;
}

/* The first group of the row. False, with the launch marked as failed, for a group that no driver should ask for. */
XHAL_NATIVE_INLINE int xhal_native_enter(xhal_native_item* item, xhal_native_frame* frame) {
  const uint64_t x = frame->group_size[0];
  const uint64_t y = frame->group_size[1];
  const uint64_t z = frame->group_size[2];
  /* Each factor is small once the first test passed, so that the product cannot wrap. */
  if ((x | y | z) > 2 * XHAL_NATIVE_MAX_GROUP_SIZE - 1 || x * y * z - 1 >= XHAL_NATIVE_MAX_GROUP_SIZE ||
      frame->row_groups > XHAL_NATIVE_MAX_ROW_GROUPS) {
    frame->trapped = 1;
    return 0;
  }
#pragma clang loop unroll(full)
  for (int d = 0; d < 3; ++d) {
    item->group_id[d] = frame->group_id[d];
    item->group_count[d] = frame->group_count[d];
    item->group_size[d] = frame->group_size[d];
    item->first_id[d] = item->global_id[d] = (uint64_t)frame->group_id[d] * frame->group_size[d];
  }
  xhal_native_set_memory(item, frame);
  return xhal_native_set_row_items(item, frame);
}

/* A launch of one dimension: most are, and the constants make entering the group several times cheaper. */
XHAL_NATIVE_INLINE int xhal_native_is_row(const xhal_native_frame* frame) {
  return ((frame->group_size[1] ^ 1) | (frame->group_size[2] ^ 1) | (frame->group_count[1] ^ 1) |
          (frame->group_count[2] ^ 1)) == 0;
}

/* As xhal_native_enter, for a row; one without items passes and runs none. (A single comparison with both bounds would hide from
 * the compiler that the loop over the items is entered with one item at least, and the guard `i < n` would stay in the loop.) */
XHAL_NATIVE_INLINE int xhal_native_enter_row(xhal_native_item* item, xhal_native_frame* frame) {
  const uint32_t items = frame->group_size[0];
  if (items > XHAL_NATIVE_MAX_GROUP_SIZE || frame->row_groups > XHAL_NATIVE_MAX_ROW_GROUPS) {
    frame->trapped = 1;
    return 0;
  }
  /* The mask tells the compiler that ids never look negative, which spares it a loop for those that do. */
  const uint64_t first_id = (uint64_t)frame->group_id[0] * (items & (2 * XHAL_NATIVE_MAX_GROUP_SIZE - 1));
  *item = (xhal_native_item){
      .group_id = {frame->group_id[0], 0, 0},
      .group_count = {frame->group_count[0], 1, 1},
      .group_size = {items, 1, 1},
      .first_id = {first_id, 0, 0},
      .global_id = {first_id, 0, 0},
  };
  xhal_native_set_memory(item, frame);
  return xhal_native_set_row_items(item, frame);
}

XHAL_NATIVE_INLINE void* xhal_native_global_argument(const xhal_native_item* item, const void* argument) {
  uint64_t word;
  __builtin_memcpy(&word, argument, sizeof word);
  return xhal_native_item_resolve(item, word);
}

/* The count and the id are two variables, as the compiler must see both: how often the loop runs, and an id that it can step
 * by itself. */
#define XHAL_NATIVE_FOR_EACH_ID(item, d, count)                                                          \
  for (__typeof__(count) xhal_n##d = ((item).global_id[d] = (item).first_id[d], 0); xhal_n##d < (count); \
       ++xhal_n##d, ++(item).global_id[d])
/* `count` items in dimension 0: those of the group, or of a row of groups that the kernel cannot tell apart. */
#define XHAL_NATIVE_FOR_EACH_ITEM(item, count)           \
  XHAL_NATIVE_FOR_EACH_ID(item, 2, (item).group_size[2]) \
  XHAL_NATIVE_FOR_EACH_ID(item, 1, (item).group_size[1]) XHAL_NATIVE_FOR_EACH_ID(item, 0, count)

/* Group after group of the row, `group` being the first. */
#define XHAL_NATIVE_FOR_EACH_GROUP(group, frame)                    \
  for (uint32_t xhal_groups = (frame)->row_groups; xhal_groups > 0; \
       --xhal_groups, ++(group).group_id[0], (group).first_id[0] += (group).group_size[0])

/* Whether the group has trapped: then the frame says which it was. */
XHAL_NATIVE_INLINE int xhal_native_trapped(const xhal_native_item* group, xhal_native_frame* frame) {
  if (!frame->trapped) return 0;
  frame->group_id[0] = group->group_id[0];
  return 1;
}

/* What an item of a row knows without asking. */
XHAL_NATIVE_INLINE void xhal_native_assume_row(xhal_native_item* item) {
#pragma clang loop unroll(full)
  for (int d = 1; d < 3; ++d) {
    item->group_id[d] = 0;
    item->first_id[d] = item->global_id[d] = 0;
    item->group_count[d] = item->group_size[d] = 1;
  }
}

#endif
