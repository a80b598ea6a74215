// SPDX-License-Identifier: Apache-2.0
// Images whose values are those of other places: padding, and the nearest of another size. Gradients gather.
#include "op_element.h"

// Which of two neighbours is the nearest must not hang on how a compiler rounds.
#pragma OPENCL FP_CONTRACT OFF

#define OP_SCALE_f32(places, d) ((places)->scale_f32[d])
#define OP_SCALE_i64(places, d) ((places)->scale_f32[d])
#define OP_SCALE_f64(places, d) as_double((places)->scale[d])

// The place of the input that an output takes along a dimension. C is in what the host's computes coordinates of the type.
#define OP_PLACE_OF(name, C)                                                                     \
  static inline long op_place_of_##name(const xhal_op_resampling* places, uint d, long output) { \
    const long last = (long)places->input[d] - 1;                                                \
    long at = output - places->before[d];                                                        \
    switch (places->code) {                                                                      \
      case XHAL_OP_PLACE_REFLECTED:                                                              \
        if (at < 0) at = -at;                                                                    \
        if (at > last) at = 2 * last - at;                                                       \
        return at;                                                                               \
      case XHAL_OP_PLACE_REPLICATED:                                                             \
        return at < 0 ? 0 : at > last ? last : at;                                               \
      case XHAL_OP_PLACE_NEAREST: {                                                              \
        const C real = OP_SCALE_##name(places, d) * (C)output;                                   \
        at = (long)floor((float)real);                                                           \
        return at > last ? last : at;                                                            \
      }                                                                                          \
      default: {                                                                                 \
        const C real = OP_SCALE_##name(places, d) * ((C)output + (C)0.5f);                       \
        at = (long)floor((float)real);                                                           \
        return at > last ? last : at;                                                            \
      }                                                                                          \
    }                                                                                            \
  }
OP_PLACE_OF(f32, float)
OP_PLACE_OF(i64, float)
#ifdef cl_khr_fp64
OP_PLACE_OF(f64, double)
#endif

// Stretches of outputs that may have taken a place of the input: those around it, and mirrored ones at both ends.
typedef struct op_takers {
  long from[3];
  long to[3];
} op_takers;

static inline op_takers op_takers_of(const xhal_op_resampling* places, uint d, long place) {
  const long outputs = (long)places->output[d];
  const long last = (long)places->input[d] - 1;
  const long before = places->before[d];
  op_takers takers;
  for (uint i = 0; i < 3; ++i) takers.from[i] = takers.to[i] = 0;
  if (places->code == XHAL_OP_PLACE_REFLECTED) {
    takers.from[0] = place + before;
    takers.from[1] = place == 0 ? outputs : before - place;
    takers.from[2] = place == last ? outputs : 2 * last - place + before;
    for (uint i = 0; i < 3; ++i) takers.to[i] = takers.from[i] + 1;
  } else if (places->code == XHAL_OP_PLACE_REPLICATED) {
    takers.from[0] = place == 0 ? 0 : place + before;
    takers.to[0] = place == last ? outputs : place + before + 1;
  } else {
    // One more at each side, for what rounding moves; the test whether they took it is exact.
    const float scale = places->scale_f32[d];
    const float most = (float)outputs;
    const float low = scale > 0 ? (float)place / scale - 2 : 0;
    const float high = scale > 0 ? (float)(place + 1) / scale + 2 : most;
    takers.from[0] = low > 0 ? (long)fmin(low, most) : 0;
    takers.to[0] = place == last || high >= most ? outputs : (long)high + 1;
  }
  for (uint i = 0; i < 3; ++i) {
    if (takers.from[i] < 0) takers.from[i] = 0;
    if (takers.to[i] > outputs) takers.to[i] = outputs;
  }
  return takers;
}

#define OP_RESAMPLE(name, T)                                                                             \
  kernel void xhal_resample_##name(global uchar* output, global const uchar* input,                      \
                                   xhal_op_resampling places) {                                          \
    const ulong item = get_global_id(0);                                                                 \
    const ulong size = places.output[0] * places.output[1] * places.output[2];                           \
    if (item >= size * places.planes) return;                                                            \
    const ulong row = item / places.output[2];                                                           \
    const ulong deep = row / places.output[1];                                                           \
    const ulong plane = deep / places.output[0];                                                         \
    const long z = op_place_of_##name(&places, 0, (long)(deep - plane * places.output[0]));              \
    const long y = op_place_of_##name(&places, 1, (long)(row - deep * places.output[1]));                \
    const long x = op_place_of_##name(&places, 2, (long)(item - row * places.output[2]));                \
    const long at =                                                                                      \
        (((long)(plane * places.input[0]) + z) * (long)places.input[1] + y) * (long)places.input[2] + x; \
    const T value = op_load_##name(input, at * places.bytes, places.type);                               \
    op_store_##name(output, (long)item* places.bytes, places.type, value);                               \
  }                                                                                                      \
  kernel void xhal_resample_backward_##name(global uchar* of_input, global const uchar* of_output,       \
                                            xhal_op_resampling places) {                                 \
    const ulong item = get_global_id(0);                                                                 \
    const ulong size = places.input[0] * places.input[1] * places.input[2];                              \
    if (item >= size * places.planes) return;                                                            \
    const ulong row = item / places.input[2];                                                            \
    const ulong deep = row / places.input[1];                                                            \
    const ulong plane = deep / places.input[0];                                                          \
    const long at[3] = {(long)(deep - plane * places.input[0]), (long)(row - deep * places.input[1]),    \
                        (long)(item - row * places.input[2])};                                           \
    const op_takers zs = op_takers_of(&places, 0, at[0]);                                                \
    const op_takers ys = op_takers_of(&places, 1, at[1]);                                                \
    const op_takers xs = op_takers_of(&places, 2, at[2]);                                                \
    T sum = 0;                                                                                           \
    for (uint part = 0; part < 27; ++part) {                                                             \
      const uint i = part / 9;                                                                           \
      const uint j = part / 3 % 3;                                                                       \
      const uint k = part % 3;                                                                           \
      for (long z = zs.from[i]; z < zs.to[i]; ++z) {                                                     \
        if (op_place_of_##name(&places, 0, z) != at[0]) continue;                                        \
        for (long y = ys.from[j]; y < ys.to[j]; ++y) {                                                   \
          if (op_place_of_##name(&places, 1, y) != at[1]) continue;                                      \
          const long first = (((long)(plane * places.output[0]) + z) * (long)places.output[1] + y) *     \
                             (long)places.output[2];                                                     \
          for (long x = xs.from[k]; x < xs.to[k]; ++x) {                                                 \
            if (op_place_of_##name(&places, 2, x) == at[2])                                              \
              sum += op_load_##name(of_output, (first + x) * places.bytes, places.type);                 \
          }                                                                                              \
        }                                                                                                \
      }                                                                                                  \
    }                                                                                                    \
    op_store_##name(of_input, (long)item* places.bytes, places.type, sum);                               \
  }
OP_RESAMPLE(f32, float)
OP_RESAMPLE(i64, long)
#ifdef cl_khr_fp64
OP_RESAMPLE(f64, double)
#endif
