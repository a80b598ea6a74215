// SPDX-License-Identifier: Apache-2.0
// Bags of embeddings: sums, means and largest values of rows that indices name, and gradients, in the order of the indices. An index that
// names no row stands for one of zeros.
#include "op_element.h"

static inline long op_bag_index(global const uchar* indices, ulong at, const xhal_op_bag* bag) {
  return bag->index_type == OP_I32 ? ((global const int*)indices)[at] : ((global const long*)indices)[at];
}
static inline void op_bag_put(global uchar* indices, ulong at, const xhal_op_bag* bag, long value) {
  if (bag->index_type == OP_I32)
    ((global int*)indices)[at] = (int)value;
  else
    ((global long*)indices)[at] = value;
}

// The stretch of indices that a bag has; offsets may be anything.
static inline void op_bag_stretch(global const uchar* offsets, ulong number, const xhal_op_bag* bag,
                                  ulong* first, ulong* end) {
  const long from = op_bag_index(offsets, number, bag);
  const long to = number + 1 < bag->bags ? op_bag_index(offsets, number + 1, bag) : (long)bag->indices;
  *first = from < 0 ? 0 : (ulong)from < bag->indices ? (ulong)from : bag->indices;
  *end = to < 0 ? 0 : (ulong)to < bag->indices ? (ulong)to : bag->indices;
}

// In which bag each index is, and how many each bag has without its padding. An item a bag. An index before the first bag is in that one.
kernel void xhal_bag_members(global uchar* bag_of_index, global uchar* sizes, global const uchar* indices,
                             global const uchar* offsets, xhal_op_bag bag) {
  const ulong number = get_global_id(0);
  if (number >= bag.bags) return;
  ulong first, end;
  op_bag_stretch(offsets, number, &bag, &first, &end);
  if (number == 0) first = 0;
  long size = 0;
  for (ulong i = first; i < end; ++i) {
    op_bag_put(bag_of_index, i, &bag, (long)number);
    size += op_bag_index(indices, i, &bag) != bag.padding;
  }
  op_bag_put(sizes, number, &bag, bag.mode == XHAL_OP_BAG_SUM ? 0 : size);
}

// An item a column of a bag. `chosen`: of the largest values, the rows that they are of.
#define OP_BAG(name, T)                                                                                                                     \
  kernel void xhal_bag_##name(global uchar* y, global uchar* chosen, global const uchar* weight,                                            \
                              global const uchar* indices, global const uchar* offsets,                                                     \
                              global const uchar* factors, xhal_op_bag bag) {                                                               \
    const ulong item = get_global_id(0);                                                                                                    \
    if (item >= bag.bags * bag.columns) return;                                                                                             \
    const ulong number = item / bag.columns;                                                                                                \
    const ulong column = item - number * bag.columns;                                                                                       \
    ulong first, end;                                                                                                                       \
    op_bag_stretch(offsets, number, &bag, &first, &end);                                                                                    \
    T result = 0;                                                                                                                           \
    long row = 0;                                                                                                                           \
    ulong count = 0;                                                                                                                        \
    for (ulong i = first; i < end; ++i) {                                                                                                   \
      const long at = op_bag_index(indices, i, &bag);                                                                                       \
      if (at == bag.padding) continue;                                                                                                      \
      const T value =                                                                                                                       \
          at < 0 || at >= (long)bag.rows                                                                                                    \
              ? (T)0                                                                                                                        \
              : op_load_##name(weight, (long)(((ulong)at * bag.columns + column) * bag.bytes), bag.type);                                   \
      if (bag.mode == XHAL_OP_BAG_MAX) {                                                                                                    \
        if (count == 0 || value > result) {                                                                                                 \
          result = value;                                                                                                                   \
          row = at;                                                                                                                         \
        }                                                                                                                                   \
      } else if (bag.has_factors != 0) {                                                                                                    \
        result += value * op_load_##name(factors, (long)(i * bag.bytes), bag.type);                                                         \
      } else {                                                                                                                              \
        result += value;                                                                                                                    \
      }                                                                                                                                     \
      ++count;                                                                                                                              \
    }                                                                                                                                       \
    if (bag.mode == XHAL_OP_BAG_MEAN && count > 1) result /= (T)count;                                                                      \
    op_store_##name(y, (long)(item * bag.bytes), bag.type, result);                                                                         \
    if (bag.mode == XHAL_OP_BAG_MAX) op_bag_put(chosen, item, &bag, row);                                                                   \
  }                                                                                                                                         \
  /* Of sums and means: y [row, column] begins as 0. An item has `width` columns and goes through all indices, so that sums are the same */ \
  /* each time. */                                                                                                                          \
  kernel void xhal_bag_backward_##name(global T* restrict y, global const T* restrict gradient,                                             \
                                       global const uchar* indices, global const uchar* bag_of_index,                                       \
                                       global const uchar* sizes, global const T* factors,                                                  \
                                       global const long* counts, xhal_op_bag bag, ulong width) {                                           \
    const ulong first = get_global_id(0) * width;                                                                                           \
    if (first >= bag.columns) return;                                                                                                       \
    const ulong some = bag.columns - first < width ? bag.columns - first : width;                                                           \
    for (ulong i = 0; i < bag.indices; ++i) {                                                                                               \
      const long at = op_bag_index(indices, i, &bag);                                                                                       \
      const long number = op_bag_index(bag_of_index, i, &bag);                                                                              \
      if (at == bag.padding || at < 0 || at >= (long)bag.rows || number < 0 || number >= (long)bag.bags)                                    \
        continue;                                                                                                                           \
      T scale = bag.has_factors != 0 ? factors[i] : (T)1;                                                                                   \
      if (bag.has_counts != 0) scale /= (T)counts[at];                                                                                      \
      if (bag.mode == XHAL_OP_BAG_MEAN) {                                                                                                   \
        const long size = op_bag_index(sizes, (ulong)number, &bag);                                                                         \
        if (size != 0) scale /= (T)size;                                                                                                    \
      }                                                                                                                                     \
      global T* restrict to = y + (ulong)at * bag.columns + first;                                                                          \
      global const T* restrict from = gradient + (ulong)number * bag.columns + first;                                                       \
      for (ulong c = 0; c < some; ++c) to[c] += from[c] * scale;                                                                            \
    }                                                                                                                                       \
  }                                                                                                                                         \
  /* Of largest values; the same. */                                                                                                        \
  kernel void xhal_bag_backward_chosen_##name(global T* restrict y, global const T* restrict gradient,                                      \
                                              global const uchar* chosen, global const uchar* sizes,                                        \
                                              xhal_op_bag bag, ulong width) {                                                               \
    const ulong first = get_global_id(0) * width;                                                                                           \
    const ulong end = first + width < bag.columns ? first + width : bag.columns;                                                            \
    for (ulong number = 0; number < bag.bags; ++number) {                                                                                   \
      if (op_bag_index(sizes, number, &bag) == 0) continue;                                                                                 \
      for (ulong c = first; c < end; ++c) {                                                                                                 \
        const long at = op_bag_index(chosen, number * bag.columns + c, &bag);                                                               \
        if (at >= 0 && at < (long)bag.rows)                                                                                                 \
          y[(ulong)at * bag.columns + c] += gradient[number * bag.columns + c];                                                             \
      }                                                                                                                                     \
    }                                                                                                                                       \
  }                                                                                                                                         \
  /* Of each index' factor. */                                                                                                              \
  kernel void xhal_bag_factors_backward_##name(global uchar* y, global const uchar* gradient,                                               \
                                               global const uchar* weight, global const uchar* indices,                                     \
                                               global const uchar* bag_of_index, xhal_op_bag bag) {                                         \
    const ulong i = get_global_id(0);                                                                                                       \
    if (i >= bag.indices) return;                                                                                                           \
    const long at = op_bag_index(indices, i, &bag);                                                                                         \
    const long number = op_bag_index(bag_of_index, i, &bag);                                                                                \
    T sum = 0;                                                                                                                              \
    if (at != bag.padding && at >= 0 && at < (long)bag.rows && number >= 0 && number < (long)bag.bags) {                                    \
      const long row = (long)((ulong)at * bag.columns * bag.bytes);                                                                         \
      const long from = (long)((ulong)number * bag.columns * bag.bytes);                                                                    \
      for (ulong c = 0; c < bag.columns; ++c)                                                                                               \
        sum += op_load_##name(gradient, from + (long)(c * bag.bytes), bag.type) *                                                           \
               op_load_##name(weight, row + (long)(c * bag.bytes), bag.type);                                                               \
    }                                                                                                                                       \
    op_store_##name(y, (long)(i * bag.bytes), bag.type, sum);                                                                               \
  }
OP_BAG(f32, float)
#ifdef cl_khr_fp64
OP_BAG(f64, double)
#endif

// Sums and means of dense f32: an item has `width` columns of a bag.
kernel void xhal_bag_rows_f32(global float* restrict y, global const float* restrict weight,
                              global const uchar* indices, global const uchar* offsets,
                              global const float* factors, xhal_op_bag bag, ulong width) {
  const ulong first_column = get_global_id(0) * width;
  const ulong number = get_global_id(1);
  if (first_column >= bag.columns || number >= bag.bags) return;
  const ulong some = bag.columns - first_column < width ? bag.columns - first_column : width;
  ulong first, end;
  op_bag_stretch(offsets, number, &bag, &first, &end);
  global float* restrict to = y + number * bag.columns + first_column;
  for (ulong c = 0; c < some; ++c) to[c] = 0;
  ulong count = 0;
  for (ulong i = first; i < end; ++i) {
    const long at = op_bag_index(indices, i, &bag);
    if (at == bag.padding) continue;
    ++count;
    if (at < 0 || at >= (long)bag.rows) continue;
    const float factor = bag.has_factors != 0 ? factors[i] : 1;
    global const float* restrict from = weight + (ulong)at * bag.columns + first_column;
    for (ulong c = 0; c < some; ++c) to[c] += from[c] * factor;
  }
  if (bag.mode == XHAL_OP_BAG_MEAN && count > 1) {
    for (ulong c = 0; c < some; ++c) to[c] /= (float)count;
  }
}
