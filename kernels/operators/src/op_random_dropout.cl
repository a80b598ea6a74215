// SPDX-License-Identifier: Apache-2.0
// Dropout, with the mask that its gradient needs; x, y and the mask lie alike, without gaps.
#include "op_element.h"
#include "op_philox.h"

#define OP_DROPOUT(name, T)                                                                                  \
  kernel void xhal_dropout_##name(global uchar* y, global uchar* mask, global const uchar* x,                \
                                  global const ulong* replay, xhal_op_random random, xhal_op_values values,  \
                                  uint type, uint bytes) {                                                   \
    const ulong block = random.first + get_global_id(0);                                                     \
    if (block * 4 >= random.count) return;                                                                   \
    const op_words words = op_draw(&random, replay, block);                                                  \
    const uint all[4] = OP_WORDS(words);                                                                     \
    const T scale = OP_IMMEDIATE_##name(values, 0);                                                          \
    for (uint i = 0; i < 4 && block * 4 + i < random.count; ++i) {                                           \
      const ulong at = block * 4 + i;                                                                        \
      const int is_kept = all[i] < random.range;                                                             \
      mask[at] = (uchar)is_kept;                                                                             \
      op_store_##name(y, (long)(at * bytes), type,                                                           \
                      op_load_##name(x, (long)(at * bytes), type) * (T)is_kept * scale);                     \
    }                                                                                                        \
  }                                                                                                          \
  kernel void xhal_dropout_backward_##name(global uchar* y, global const uchar* mask, global const uchar* x, \
                                           xhal_op_values values, uint type, uint bytes, ulong n) {          \
    const ulong i = get_global_id(0);                                                                        \
    if (i >= n) return;                                                                                      \
    const T factor = mask[i] != 0 ? OP_IMMEDIATE_##name(values, 0) : 0;                                      \
    op_store_##name(y, (long)(i * bytes), type, op_load_##name(x, (long)(i * bytes), type) * factor);        \
  }
OP_DROPOUT(f32, float)
#ifdef cl_khr_fp64
OP_DROPOUT(f64, double)
#endif

// Whole blocks of f32. Words up to `last` keep their element.
kernel void xhal_dropout_dense_f32(global float* restrict y, global uint* restrict mask,
                                   global const float* x, global const ulong* replay, xhal_op_random random,
                                   uint last, float scale) {
  const ulong block = get_global_id(0);
  if (block >= random.count / 4) return;
  const op_words words = op_draw(&random, replay, block);
  const uint a = words.a <= last, b = words.b <= last, c = words.c <= last, d = words.d <= last;
  // Four bytes, the first one lowest.
  mask[block] = a | b << 8 | c << 16 | d << 24;
  y[block * 4] = x[block * 4] * (float)(int)a * scale;
  y[block * 4 + 1] = x[block * 4 + 1] * (float)(int)b * scale;
  y[block * 4 + 2] = x[block * 4 + 2] * (float)(int)c * scale;
  y[block * 4 + 3] = x[block * 4 + 3] * (float)(int)d * scale;
}
kernel void xhal_dropout_backward_dense_f32(global float* y, global const uchar* mask, global const float* x,
                                            float scale, ulong n) {
  const size_t i = get_global_id(0);
  if (i < n) y[i] = x[i] * ((float)mask[i] * scale);
}
