// SPDX-License-Identifier: Apache-2.0
// What a mask selects. Positions are found in three steps: each item counts in its block, one item adds the counts up, and each item
// writes from its start on, so that the order is that of the elements.
#include "op_element.h"

// An item has `width` neighbours in dimension 0.
#define OP_MASKED_FILL(bytes, T)                                                                        \
  kernel void xhal_masked_fill_##bytes(global T* y, global const uchar* mask, ulong value, ulong width, \
                                       xhal_op_shape shape) {                                           \
    const ulong first = get_global_id(0) * width;                                                       \
    if (first >= shape.sizes[0] || get_global_id(1) >= shape.sizes[1]) return;                          \
    const ulong some = shape.sizes[0] - first < width ? shape.sizes[0] - first : width;                 \
    long to = (long)get_global_id(1) * shape.strides[0][1];                                             \
    long from = (long)get_global_id(1) * shape.strides[1][1];                                           \
    ulong rest = get_global_id(2);                                                                      \
    for (uint d = 2; d < shape.dims; ++d) {                                                             \
      const ulong outer = rest / shape.sizes[d];                                                        \
      to += (long)(rest - outer * shape.sizes[d]) * shape.strides[0][d];                                \
      from += (long)(rest - outer * shape.sizes[d]) * shape.strides[1][d];                              \
      rest = outer;                                                                                     \
    }                                                                                                   \
    if (rest != 0) return;                                                                              \
    global T* restrict row = y + (to + (long)first * shape.strides[0][0]) / bytes;                      \
    global const uchar* restrict selected = mask + from + (long)first * shape.strides[1][0];            \
    if (shape.strides[0][0] == bytes && shape.strides[1][0] == 1) {                                     \
      for (ulong i = 0; i < some; ++i) row[i] = selected[i] != 0 ? (T)value : row[i];                   \
    } else {                                                                                            \
      const long step = shape.strides[0][0] / bytes;                                                    \
      for (ulong i = 0; i < some; ++i)                                                                  \
        if (selected[(long)i * shape.strides[1][0]] != 0) row[(long)i * step] = (T)value;               \
    }                                                                                                   \
  }
OP_MASKED_FILL(1, uchar)
OP_MASKED_FILL(2, ushort)
OP_MASKED_FILL(4, uint)
OP_MASKED_FILL(8, ulong)

// Of a number of floating point the sign does not matter: `significant` has all bits but that.
static inline int op_is_set(global const uchar* a, ulong i, uint bytes, ulong significant) {
  switch (bytes) {
    case 1:
      return a[i] != 0;
    case 2:
      return (((global const ushort*)a)[i] & (ushort)significant) != 0;
    case 4:
      return (((global const uint*)a)[i] & (uint)significant) != 0;
    default:
      return (((global const ulong*)a)[i] & significant) != 0;
  }
}

// How many of each block's elements are not zero.
kernel void xhal_mask_counts(global long* restrict counts, global const uchar* restrict a, ulong n,
                             ulong block, uint bytes, ulong significant) {
  const ulong first = get_global_id(0) * block;
  if (first >= n) return;
  const ulong end = n - first < block ? n : first + block;
  long count = 0;
  if (bytes == 1)
    for (ulong i = first; i < end; ++i) count += a[i] != 0;
  else
    for (ulong i = first; i < end; ++i) count += op_is_set(a, i, bytes, significant);
  counts[get_global_id(0)] = count;
}

// Counts become the sums of those before; the last is the sum of all. What is below 0 counts as 0.
kernel void xhal_mask_starts(global long* counts, ulong blocks) {
  if (get_global_id(0) != 0) return;
  long sum = 0;
  for (ulong i = 0; i < blocks; ++i) {
    const long count = counts[i];
    counts[i] = sum;
    sum += count > 0 ? count : 0;
  }
  counts[blocks] = sum;
}

// The positions themselves, as of the elements one behind the other.
kernel void xhal_mask_positions(global long* y, global const long* starts, global const uchar* a, ulong n,
                                ulong block, uint bytes, ulong significant, ulong stride) {
  const ulong first = get_global_id(0) * block;
  if (first >= n) return;
  const ulong end = n - first < block ? n : first + block;
  ulong to = (ulong)starts[get_global_id(0)];
  for (ulong i = first; i < end; ++i)
    if (op_is_set(a, i, bytes, significant)) y[to++ * stride] = (long)i;
}

// A position's place in one dimension.
kernel void xhal_mask_coordinates(global long* y, global const long* positions, ulong n, ulong stride,
                                  long inner, long size) {
  const ulong i = get_global_id(0);
  if (i < n) y[i * stride] = positions[i] / inner % size;
}

#define OP_MASK_MOVE(bytes, T)                                                                          \
  kernel void xhal_mask_take_##bytes(global T* y, global const T* a, global const uchar* mask,          \
                                     global const long* starts, ulong n, ulong block) {                 \
    const ulong first = get_global_id(0) * block;                                                       \
    if (first >= n) return;                                                                             \
    const ulong end = n - first < block ? n : first + block;                                            \
    ulong to = (ulong)starts[get_global_id(0)];                                                         \
    for (ulong i = first; i < end; ++i)                                                                 \
      if (mask[i] != 0) y[to++] = a[i];                                                                 \
  }                                                                                                     \
  kernel void xhal_mask_put_##bytes(global T* y, global const T* values, global const uchar* mask,      \
                                    global const long* starts, ulong n, ulong block, ulong available) { \
    const ulong first = get_global_id(0) * block;                                                       \
    if (first >= n) return;                                                                             \
    const ulong end = n - first < block ? n : first + block;                                            \
    ulong from = (ulong)starts[get_global_id(0)];                                                       \
    for (ulong i = first; i < end; ++i)                                                                 \
      if (mask[i] != 0 && from < available) y[i] = values[from++];                                      \
  }
OP_MASK_MOVE(1, uchar)
OP_MASK_MOVE(2, ushort)
OP_MASK_MOVE(4, uint)
OP_MASK_MOVE(8, ulong)

// Each number as often as its count says, from its start on.
kernel void xhal_mask_repeat(global uchar* y, global const long* starts, ulong blocks, ulong available,
                             uint type) {
  const ulong block = get_global_id(0);
  if (block >= blocks) return;
  const ulong end = (ulong)starts[block + 1] < available ? (ulong)starts[block + 1] : available;
  for (ulong i = (ulong)starts[block]; i < end; ++i) {
    if (type == OP_I32)
      ((global int*)y)[i] = (int)block;
    else
      ((global long*)y)[i] = (long)block;
  }
}
