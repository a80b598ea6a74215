// SPDX-License-Identifier: Apache-2.0
// Elements that an index names, as they are. One that does not exist is read as 0 and not written.
#include "op_index_walk.h"

#define OP_INDEX_MOVE(bytes, T)                                                                      \
  kernel void xhal_index_get_##bytes(global T* y, global const T* a, global const uchar* index,      \
                                     xhal_op_places places) {                                        \
    if (get_global_id(0) >= places.items) return;                                                    \
    op_walk walk = op_walk_of(&places, get_global_id(0));                                            \
    for (ulong turn = 0; turn < places.turns; ++turn, op_walk_on(&places, &walk)) {                  \
      const long place = op_place_of(&places, index, &walk);                                         \
      y[walk.values / bytes] = place < 0 ? 0 : a[place / bytes];                                     \
    }                                                                                                \
  }                                                                                                  \
  kernel void xhal_index_set_##bytes(global T* y, global const T* values, global const uchar* index, \
                                     xhal_op_places places) {                                        \
    if (get_global_id(0) >= places.items) return;                                                    \
    op_walk walk = op_walk_of(&places, get_global_id(0));                                            \
    for (ulong turn = 0; turn < places.turns; ++turn, op_walk_on(&places, &walk)) {                  \
      const long place = op_place_of(&places, index, &walk);                                         \
      if (place >= 0) y[place / bytes] = values[walk.values / bytes];                                \
    }                                                                                                \
  }
OP_INDEX_MOVE(1, uchar)
OP_INDEX_MOVE(2, ushort)
OP_INDEX_MOVE(4, uint)
OP_INDEX_MOVE(8, ulong)

// Several indices become one, in bytes: each adds what it is away from the first element. -1 stays where any of them leads nowhere.
kernel void xhal_index_offsets(global long* y, global const uchar* index, ulong is_first, long count,
                               long stride, xhal_op_shape shape) {
  if (!op_is_inside(&shape)) return;
  global long* out = y + op_offset(&shape, 0) / 8;
  long asked = op_index_at(index, op_offset(&shape, 1), shape.types[1]);
  if (asked < 0) asked += count;
  const long before = is_first != 0 ? 0 : *out;
  *out = before < 0 || asked < 0 || asked >= count ? -1 : before + asked * stride;
}

// Whole rows of [outer, count, words] that lie densely, as [outer, n, words]: `lanes` items share each.
#define OP_INDEX_ROWS(bytes, T)                                                                            \
  kernel void xhal_index_rows_##bytes(global T* restrict y, global const T* restrict a,                    \
                                      global const uchar* restrict index, ulong rows, ulong n, long count, \
                                      ulong words, ulong lanes, uint index_type) {                         \
    const ulong row = get_global_id(0) / lanes;                                                            \
    const ulong lane = get_global_id(0) - row * lanes;                                                     \
    if (row >= rows) return;                                                                               \
    const ulong outer = row / n;                                                                           \
    const long asked =                                                                                     \
        op_index_at(index, (long)(row - outer * n) * (index_type == OP_I32 ? 4 : 8), index_type);          \
    const int exists = asked >= 0 && asked < count;                                                        \
    global T* restrict to = y + row * words;                                                               \
    global const T* restrict from = a + (exists ? (outer * (ulong)count + (ulong)asked) * words : 0);      \
    if (!exists) {                                                                                         \
      for (ulong i = lane; i < words; i += lanes) to[i] = 0;                                               \
    } else if (lanes == 1) {                                                                               \
      for (ulong i = 0; i < words; ++i) to[i] = from[i];                                                   \
    } else {                                                                                               \
      for (ulong i = lane; i < words; i += lanes) to[i] = from[i];                                         \
    }                                                                                                      \
  }
OP_INDEX_ROWS(1, uchar)
OP_INDEX_ROWS(4, uint)

// Rows of `words` one behind the other, to rows that lie `stride` words apart.
#define OP_JOIN_ROWS(bytes, T)                                                                     \
  kernel void xhal_join_rows_##bytes(global T* restrict y, global const T* restrict a, ulong rows, \
                                     ulong words, ulong stride, ulong lanes) {                     \
    const ulong row = get_global_id(0) / lanes;                                                    \
    const ulong lane = get_global_id(0) - row * lanes;                                             \
    if (row >= rows) return;                                                                       \
    global T* restrict to = y + row * stride;                                                      \
    global const T* restrict from = a + row * words;                                               \
    if (lanes == 1) {                                                                              \
      for (ulong i = 0; i < words; ++i) to[i] = from[i];                                           \
    } else {                                                                                       \
      for (ulong i = lane; i < words; i += lanes) to[i] = from[i];                                 \
    }                                                                                              \
  }
OP_JOIN_ROWS(1, uchar)
OP_JOIN_ROWS(4, uint)

// An index is an embedding's row: its gradients are added in the order of the index, so that sums are the same each time. An item has
// `width` columns.
kernel void xhal_index_add_rows_f32(global float* restrict y, global const float* restrict a,
                                    global const uchar* restrict index, ulong n, long count, ulong columns,
                                    ulong width, uint index_type) {
  const ulong first = get_global_id(0) * width;
  if (first >= columns) return;
  const ulong some = columns - first < width ? columns - first : width;
  for (ulong i = 0; i < n; ++i) {
    const long asked = op_index_at(index, (long)i * (index_type == OP_I32 ? 4 : 8), index_type);
    if (asked < 0 || asked >= count) continue;
    global float* restrict to = y + (ulong)asked * columns + first;
    global const float* restrict from = a + i * columns + first;
    for (ulong c = 0; c < some; ++c) to[c] += from[c];
  }
}
