// SPDX-License-Identifier: Apache-2.0
// How an item goes through its elements of xhal_op_places, and where an index leads.
#ifndef XHAL_OP_INDEX_WALK_H_
#define XHAL_OP_INDEX_WALK_H_

#include "op_element.h"

// In bytes from each operand's first element.
typedef struct op_walk {
  long self;
  long values;
  long index;
  ulong at[XHAL_OP_DIMS];
} op_walk;

static inline op_walk op_walk_of(const xhal_op_places* places, ulong item) {
  op_walk walk = {0, 0, 0, {0, 0, 0, 0, 0, 0, 0, 0}};
  for (uint d = 0; d < places->kept; ++d) {
    const ulong outer = item / places->sizes[d];
    const long at = (long)(item - outer * places->sizes[d]);
    walk.self += at * places->self[d];
    walk.values += at * places->values[d];
    walk.index += at * places->index[d];
    item = outer;
  }
  return walk;
}

static inline void op_walk_on(const xhal_op_places* places, op_walk* walk) {
  for (uint d = places->kept; d < places->dims; ++d) {
    walk->self += places->self[d];
    walk->values += places->values[d];
    walk->index += places->index[d];
    if (++walk->at[d] < places->sizes[d]) return;
    walk->at[d] = 0;
    walk->self -= (long)places->sizes[d] * places->self[d];
    walk->values -= (long)places->sizes[d] * places->values[d];
    walk->index -= (long)places->sizes[d] * places->index[d];
  }
}

static inline long op_index_at(global const uchar* index, long at, uint type) {
  return type == OP_I32 ? (long)*(global const int*)(index + at) : *(global const long*)(index + at);
}

// Where the element lies that the index asks for, in bytes; negative where there is none.
static inline long op_place_of(const xhal_op_places* places, global const uchar* index, const op_walk* walk) {
  long asked = op_index_at(index, walk->index, places->index_type);
  if (asked < 0 && places->wraps != 0) asked += places->count;
  return asked < 0 || asked >= places->count ? -1 : walk->self + asked * places->stride;
}

#endif
