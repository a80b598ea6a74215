// SPDX-License-Identifier: Apache-2.0
// Where values stand among sorted ones, which values are among others, and cross products.
#include "op_element.h"

#define OP_SEARCH(name, T)                                                                                                                 \
  /* For each value the first boundary of its row that is not below it, or that is above it (`is_right`). `values` of each row, or, */     \
  /* where rows share their boundaries, all of them. A sorter says in which order boundaries are to be taken: what it names beyond them */ \
  /* stands for 0. */                                                                                                                      \
  kernel void xhal_search_##name(global uchar* y, global const uchar* boundaries, global const uchar* a,                                   \
                                 global const long* sorter, ulong count, ulong values, ulong n,                                            \
                                 uint is_right, uint has_sorter, uint type, uint bytes, uint y_type) {                                     \
    const ulong item = get_global_id(0);                                                                                                   \
    if (item >= count) return;                                                                                                             \
    const T value = op_load_##name(a, (long)(item * bytes), type);                                                                         \
    const ulong row = item / values * n;                                                                                                   \
    ulong first = 0, end = n;                                                                                                              \
    while (first < end) {                                                                                                                  \
      const ulong middle = first + (end - first) / 2;                                                                                      \
      const long at = has_sorter != 0 ? sorter[row + middle] : (long)middle;                                                               \
      const T boundary =                                                                                                                   \
          at < 0 || at >= (long)n ? (T)0 : op_load_##name(boundaries, ((long)row + at) * bytes, type);                                     \
      if (is_right != 0 ? boundary > value : boundary >= value)                                                                            \
        end = middle;                                                                                                                      \
      else                                                                                                                                 \
        first = middle + 1;                                                                                                                \
    }                                                                                                                                      \
    op_store_i64(y, (long)(item * (y_type == OP_I32 ? 4 : 8)), y_type, (long)first);                                                       \
  }                                                                                                                                        \
  /* Whether each element is among n tests, or is not; NaN is among none. Sorted tests have NaN last. */                                   \
  kernel void xhal_is_in_##name(global uchar* y, global const uchar* a, global const uchar* tests,                                         \
                                ulong count, ulong n, uint is_sorted, uint is_inverse, uint type,                                          \
                                uint bytes) {                                                                                              \
    const ulong item = get_global_id(0);                                                                                                   \
    if (item >= count) return;                                                                                                             \
    const T value = op_load_##name(a, (long)(item * bytes), type);                                                                         \
    ulong at = 0, end = n;                                                                                                                 \
    if (is_sorted != 0) {                                                                                                                  \
      while (at < end) {                                                                                                                   \
        const ulong middle = at + (end - at) / 2;                                                                                          \
        if (op_load_##name(tests, (long)(middle * bytes), type) < value)                                                                   \
          at = middle + 1;                                                                                                                 \
        else                                                                                                                               \
          end = middle;                                                                                                                    \
      }                                                                                                                                    \
      end = at < n ? at + 1 : n;                                                                                                           \
    }                                                                                                                                      \
    uint is_found = 0;                                                                                                                     \
    for (; at < end && is_found == 0; ++at)                                                                                                \
      is_found = op_load_##name(tests, (long)(at * bytes), type) == value;                                                                 \
    y[item] = (uchar)(is_found ^ is_inverse);                                                                                              \
  }                                                                                                                                        \
  /* All are [outer, 3, inner]. Products are rounded to the type before they are subtracted. */                                            \
  kernel void xhal_cross_##name(global uchar* y, global const uchar* a, global const uchar* b, ulong outer,                                \
                                ulong inner, uint type, uint bytes) {                                                                      \
    const ulong item = get_global_id(0);                                                                                                   \
    if (item >= outer * inner) return;                                                                                                     \
    const ulong far = item / inner;                                                                                                        \
    const long first = (long)((far * 3 * inner + (item - far * inner)) * bytes);                                                           \
    const long step = (long)(inner * bytes);                                                                                               \
    T p[3], q[3];                                                                                                                          \
    for (uint i = 0; i < 3; ++i) {                                                                                                         \
      p[i] = op_load_##name(a, first + i * step, type);                                                                                    \
      q[i] = op_load_##name(b, first + i * step, type);                                                                                    \
    }                                                                                                                                      \
    for (uint i = 0; i < 3; ++i) {                                                                                                         \
      const uint j = (i + 1) % 3, k = (i + 2) % 3;                                                                                         \
      const T up = op_rounded_##name(p[j] * q[k], XHAL_OP_IMMEDIATE, type);                                                                \
      const T down = op_rounded_##name(p[k] * q[j], XHAL_OP_IMMEDIATE, type);                                                              \
      op_store_##name(y, first + i * step, type, up - down);                                                                               \
    }                                                                                                                                      \
  }
#pragma OPENCL FP_CONTRACT OFF
OP_SEARCH(f32, float)
OP_SEARCH(i64, long)
#ifdef cl_khr_fp64
OP_SEARCH(f64, double)
#endif
