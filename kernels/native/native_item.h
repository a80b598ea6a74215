/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a work-item knows. Every function of a lifted kernel module (see kernelgen/lift.cpp) takes a pointer to its item as
 * the first parameter. After inlining the item lives in registers, so that two groups or two threads share nothing
 * and the loop over the items of a group vectorises.
 */
#ifndef XHAL_NATIVE_ITEM_H_
#define XHAL_NATIVE_ITEM_H_

#include "native_image.h"

enum { XHAL_NATIVE_MAX_GROUP_SIZE = 1024 };

typedef struct xhal_native_item {
  xhal_native_frame* frame;
  /* Copies: the frame itself could change behind any store of the kernel, as far as the compiler knows. */
  uint64_t window_base;
  uint64_t window_size;
  uint64_t backing_distance;
  const uint64_t* globals; /* where the module's global variables are */
  char* static_local;      /* what the kernel declares `local`: the worker's, one group at a time */
  uint32_t group_id[3];
  uint32_t group_count[3];
  uint32_t group_size[3];
  uint32_t row_items; /* of all groups of the row in dimension 0 */
  /* Global ids of the group's first item and of this one. Loops count global ids, not local ones: what a kernel makes of its
   * global id then is an induction variable itself, which the vectoriser handles far better than a sum of one and a base. */
  uint64_t first_id[3];
  uint64_t global_id[3];
} xhal_native_item;

#define XHAL_NATIVE_INLINE static inline __attribute__((always_inline))

/* No such function exists. Between the steps of a group (XHAL_EACH_ITEM) there is no item, and ids are what this returns. The compiler
 * drops the call where nobody asks for one, and where a kernel does, its image does not link. */
uint64_t xhal_item_id_asked_for_outside_of_XHAL_EACH_ITEM(void) __attribute__((const, nothrow));

XHAL_NATIVE_INLINE void xhal_native_outside_of_steps(xhal_native_item* item) {
#pragma clang loop unroll(full)
  for (int d = 0; d < 3; ++d) item->global_id[d] = xhal_item_id_asked_for_outside_of_XHAL_EACH_ITEM();
}

XHAL_NATIVE_INLINE void* xhal_native_item_resolve(const xhal_native_item* item, uint64_t word) {
  const uint64_t distance = word - item->window_base < item->window_size ? item->backing_distance : 0;
  return (char*)word + distance;
}

#endif
