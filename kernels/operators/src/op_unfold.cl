// SPDX-License-Identifier: Apache-2.0
// The gradient of overlapping windows along one dimension.
#include "op_element.h"

// y is [outer, n, inner], a [outer, windows, inner, size]: window w begins at w * step. An item an element of y, which adds up what each
// window that holds it was given.
#define OP_UNFOLD(name, T)                                                                               \
  kernel void xhal_unfold_backward_##name(global uchar* y, global const uchar* a, ulong outer, ulong n,  \
                                          ulong inner, ulong windows, ulong size, ulong step, uint type, \
                                          uint bytes) {                                                  \
    const ulong item = get_global_id(0);                                                                 \
    if (item >= outer * n * inner) return;                                                               \
    const ulong row = item / inner;                                                                      \
    const ulong far = row / n;                                                                           \
    const ulong at = row - far * n;                                                                      \
    const ulong first = at < size ? 0 : (at - size) / step + 1;                                          \
    const ulong end = at / step < windows ? at / step + 1 : windows;                                     \
    T sum = 0;                                                                                           \
    for (ulong window = first; window < end; ++window) {                                                 \
      const ulong from =                                                                                 \
          ((far * windows + window) * inner + (item - row * inner)) * size + at - window * step;         \
      sum += op_load_##name(a, (long)(from * bytes), type);                                              \
    }                                                                                                    \
    op_store_##name(y, (long)(item * bytes), type, sum);                                                 \
  }
OP_UNFOLD(f32, float)
OP_UNFOLD(i64, long)
#ifdef cl_khr_fp64
OP_UNFOLD(f64, double)
#endif
