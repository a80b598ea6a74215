// SPDX-License-Identifier: Apache-2.0
// Images of another size by weighted sums of the places around each output: linear in up to three dimensions, cubic in two. Gradients gather.
#include "op_element.h"

// Which places are around an output must not hang on how a compiler rounds.
#pragma OPENCL FP_CONTRACT OFF

#define OP_BLEND_SCALE_f32(blend, d) ((blend)->scale_f32[d])
#define OP_BLEND_SCALE_f64(blend, d) as_double((blend)->scale[d])

static inline long op_blend_within(long place, long last) {
  return place < 0 ? 0 : place > last ? last : place;
}

// Stretch of outputs that may have a place of the input among theirs, with room for what rounding moves; which ones have it is asked of each.
static inline void op_blend_takers(const xhal_op_blending* blend, uint d, long place, long* from, long* to) {
  const long outputs = (long)blend->output[d];
  const long last = (long)blend->input[d] - 1;
  const float scale = blend->scale_f32[d];
  const float most = (float)outputs;
  const float low = scale > 0 ? (float)(place - 2) / scale : 0;
  const float high = scale > 0 ? (float)(place + 3) / scale : most;
  // What a float makes of a large index may be off by some of its last digits.
  const float room = 2 + high * 0x1p-20f + (scale > 0 ? 1 / scale : 0);
  *from = place == 0 || low <= room ? 0 : (long)fmin(low - room, most);
  *to = place == last || high + room >= most ? outputs : (long)(high + room) + 1;
}

// The places of the input that an output is made of along a dimension, and their weights.
#define OP_BLEND(name, T)                                                                                  \
  typedef struct op_taps_##name {                                                                          \
    long place[4];                                                                                         \
    T weight[4];                                                                                           \
    uint count;                                                                                            \
  } op_taps_##name;                                                                                        \
  static inline T op_cubic_near_##name(T x) { return (((T)1.25f * x - (T)2.25f) * x) * x + 1; }            \
  static inline T op_cubic_far_##name(T x) { return (((T)-0.75f * x + (T)3.75f) * x - (T)6) * x + (T)3; }  \
  static inline void op_taps_of_##name(const xhal_op_blending* blend, uint d, long output,                 \
                                       op_taps_##name* taps) {                                             \
    const long last = (long)blend->input[d] - 1;                                                           \
    const T scale = OP_BLEND_SCALE_##name(blend, d);                                                       \
    /* A dimension of one place on both sides may be none at all. */                                       \
    const int is_one = last == 0 && blend->output[d] == 1;                                                 \
    const int is_cubic = blend->code == XHAL_OP_BLEND_CUBIC && !is_one;                                    \
    T real = blend->aligns_corners != 0 ? scale * (T)output : scale * ((T)output + (T)0.5f) - (T)0.5f;     \
    if (!is_cubic && real < 0) real = 0;                                                                   \
    /* A dimension that stays as it is takes each place as it is. */                                       \
    if (!is_cubic && blend->input[d] == blend->output[d]) real = (T)output;                                \
    long first = (long)floor(real);                                                                        \
    if (first > last) first = last;                                                                        \
    T share = real - (T)first;                                                                             \
    share = share < 0 ? 0 : share > 1 ? 1 : share;                                                         \
    if (is_cubic) {                                                                                        \
      taps->count = 4;                                                                                     \
      taps->weight[0] = op_cubic_far_##name(share + 1);                                                    \
      taps->weight[1] = op_cubic_near_##name(share);                                                       \
      taps->weight[2] = op_cubic_near_##name(1 - share);                                                   \
      taps->weight[3] = op_cubic_far_##name(2 - share);                                                    \
      for (uint i = 0; i < 4; ++i) taps->place[i] = op_blend_within(first + (long)i - 1, last);            \
    } else {                                                                                               \
      taps->count = last == 0 ? 1 : 2;                                                                     \
      taps->weight[0] = last == 0 ? 1 : 1 - share;                                                         \
      taps->weight[1] = share;                                                                             \
      taps->place[0] = first;                                                                              \
      taps->place[1] = op_blend_within(first + 1, last);                                                   \
    }                                                                                                      \
  }                                                                                                        \
  /* Whether the place is among an output's, and with what weight. */                                      \
  static inline int op_taken_##name(const xhal_op_blending* blend, uint d, long output, long place,        \
                                    T* weight) {                                                           \
    op_taps_##name taps;                                                                                   \
    op_taps_of_##name(blend, d, output, &taps);                                                            \
    int is_taken = 0;                                                                                      \
    *weight = 0;                                                                                           \
    for (uint i = 0; i < taps.count; ++i) {                                                                \
      if (taps.place[i] != place) continue;                                                                \
      *weight += taps.weight[i];                                                                           \
      is_taken = 1;                                                                                        \
    }                                                                                                      \
    return is_taken;                                                                                       \
  }                                                                                                        \
  /* An item an element of a row; the rows of the input that it is made of are the same along the row. */  \
  kernel void xhal_blend_##name(global uchar* output, global const uchar* input, xhal_op_blending blend) { \
    const ulong item = get_global_id(0);                                                                   \
    if (item >= blend.output[0] * blend.output[1] * blend.output[2] * blend.planes) return;                \
    const ulong row = item / blend.output[2];                                                              \
    const ulong deep = row / blend.output[1];                                                              \
    const ulong plane = deep / blend.output[0];                                                            \
    op_taps_##name z, y, x;                                                                                \
    op_taps_of_##name(&blend, 0, (long)(deep - plane * blend.output[0]), &z);                              \
    op_taps_of_##name(&blend, 1, (long)(row - deep * blend.output[1]), &y);                                \
    op_taps_of_##name(&blend, 2, (long)(item - row * blend.output[2]), &x);                                \
    T sum = 0;                                                                                             \
    for (uint i = 0; i < z.count; ++i) {                                                                   \
      T of_plane = 0;                                                                                      \
      for (uint j = 0; j < y.count; ++j) {                                                                 \
        const long first =                                                                                 \
            (((long)(plane * blend.input[0]) + z.place[i]) * (long)blend.input[1] + y.place[j]) *          \
            (long)blend.input[2];                                                                          \
        T of_row = 0;                                                                                      \
        for (uint k = 0; k < x.count; ++k)                                                                 \
          of_row += x.weight[k] * op_load_##name(input, (first + x.place[k]) * blend.bytes, blend.type);   \
        of_plane += y.weight[j] * of_row;                                                                  \
      }                                                                                                    \
      sum += z.weight[i] * of_plane;                                                                       \
    }                                                                                                      \
    op_store_##name(output, (long)item* blend.bytes, blend.type, sum);                                     \
  }                                                                                                        \
  kernel void xhal_blend_backward_##name(global uchar* of_input, global const uchar* of_output,            \
                                         xhal_op_blending blend) {                                         \
    const ulong item = get_global_id(0);                                                                   \
    if (item >= blend.input[0] * blend.input[1] * blend.input[2] * blend.planes) return;                   \
    const ulong row = item / blend.input[2];                                                               \
    const ulong deep = row / blend.input[1];                                                               \
    const ulong plane = deep / blend.input[0];                                                             \
    const long at[3] = {(long)(deep - plane * blend.input[0]), (long)(row - deep * blend.input[1]),        \
                        (long)(item - row * blend.input[2])};                                              \
    long from[3], to[3];                                                                                   \
    for (uint d = 0; d < 3; ++d) op_blend_takers(&blend, d, at[d], &from[d], &to[d]);                      \
    T sum = 0;                                                                                             \
    for (long z = from[0]; z < to[0]; ++z) {                                                               \
      T weight_z;                                                                                          \
      if (!op_taken_##name(&blend, 0, z, at[0], &weight_z)) continue;                                      \
      for (long y = from[1]; y < to[1]; ++y) {                                                             \
        T weight_y;                                                                                        \
        if (!op_taken_##name(&blend, 1, y, at[1], &weight_y)) continue;                                    \
        const long first =                                                                                 \
            (((long)(plane * blend.output[0]) + z) * (long)blend.output[1] + y) * (long)blend.output[2];   \
        T of_row = 0;                                                                                      \
        for (long x = from[2]; x < to[2]; ++x) {                                                           \
          T weight_x;                                                                                      \
          if (op_taken_##name(&blend, 2, x, at[2], &weight_x))                                             \
            of_row += weight_x * op_load_##name(of_output, (first + x) * blend.bytes, blend.type);         \
        }                                                                                                  \
        sum += weight_z * weight_y * of_row;                                                               \
      }                                                                                                    \
    }                                                                                                      \
    op_store_##name(of_input, (long)item* blend.bytes, blend.type, sum);                                   \
  }
OP_BLEND(f32, float)
#ifdef cl_khr_fp64
OP_BLEND(f64, double)
#endif
