// SPDX-License-Identifier: Apache-2.0
// Convolutions as products: what a window sees becomes a column, and the columns of a gradient become an image again.
#include "op_element.h"
#include "op_window.h"

// The place of the window that an index among all of its places means.
static inline void op_place(const xhal_op_window* window, ulong index, ulong* place) {
  place[2] = index % window->size[2];
  index /= window->size[2];
  place[1] = index % window->size[1];
  place[0] = index / window->size[1];
}

static inline ulong op_places(const xhal_op_window* window) {
  return window->size[0] * window->size[1] * window->size[2];
}

// columns[member, channel and place, output]: an item a row of outputs. Only the width of an element matters.
#define OP_COLUMNS(width, T)                                                                                 \
  kernel void xhal_columns_##width(global T* columns, global const T* image, xhal_op_window window) {        \
    const ulong row = get_global_id(0);                                                                      \
    const ulong channel_and_place = get_global_id(1);                                                        \
    const ulong member = get_global_id(2);                                                                   \
    const ulong places = op_places(&window);                                                                 \
    if (row >= window.output[0] * window.output[1] || channel_and_place >= window.channels * places ||       \
        member >= window.members)                                                                            \
      return;                                                                                                \
    ulong place[3];                                                                                          \
    const ulong channel = channel_and_place / places;                                                        \
    op_place(&window, channel_and_place - channel * places, place);                                          \
    const ulong deep = row / window.output[1];                                                               \
    const ulong high = row - deep * window.output[1];                                                        \
    const long z = (long)(deep * window.stride[0] + place[0] * window.dilation[0]) - window.padding[0];      \
    const long y = (long)(high * window.stride[1] + place[1] * window.dilation[1]) - window.padding[1];      \
    long begin;                                                                                              \
    ulong from;                                                                                              \
    ulong to;                                                                                                \
    op_seen(&window, 2, place[2], &begin, &from, &to);                                                       \
    if (z < 0 || z >= (long)window.input[0] || y < 0 || y >= (long)window.input[1]) from = to = 0;           \
    global T* restrict out = columns + member * window.member_stride +                                       \
                             channel_and_place * window.row_stride + row * window.output[2];                 \
    global const T* restrict in =                                                                            \
        image +                                                                                              \
        (((member * window.channels + channel) * window.input[0] + (ulong)z) * window.input[1] + (ulong)y) * \
            window.input[2];                                                                                 \
    for (ulong x = 0; x < from; ++x) out[x] = 0;                                                             \
    if (window.stride[2] == 1) {                                                                             \
      for (ulong x = from; x < to; ++x) out[x] = in[(long)x + begin];                                        \
    } else {                                                                                                 \
      for (ulong x = from; x < to; ++x) out[x] = in[(long)(x * window.stride[2]) + begin];                   \
    }                                                                                                        \
    for (ulong x = to; x < window.output[2]; ++x) out[x] = 0;                                                \
  }
OP_COLUMNS(1, uchar)
OP_COLUMNS(2, ushort)
OP_COLUMNS(4, uint)
OP_COLUMNS(8, ulong)

// Which output saw a place of the input by a place of the window; whether there is one.
static inline int op_output_of(const xhal_op_window* window, uint d, ulong at, ulong place, ulong* output) {
  const long from = (long)at + window->padding[d] - (long)(place * window->dilation[d]);
  if (from < 0) return 0;
  *output = (ulong)from / window->stride[d];
  return *output * window->stride[d] == (ulong)from && *output < window->output[d];
}

// An item a row of the image, which adds up all columns that saw it.
kernel void xhal_image_rows_f32(global float* image, global const float* columns, xhal_op_window window) {
  const ulong row = get_global_id(0);
  const ulong channel = get_global_id(1);
  const ulong member = get_global_id(2);
  if (row >= window.input[0] * window.input[1] || channel >= window.channels || member >= window.members)
    return;
  const ulong deep = row / window.input[1];
  const ulong high = row - deep * window.input[1];
  global float* restrict out =
      image +
      ((member * window.channels + channel) * window.input[0] * window.input[1] + row) * window.input[2];
  for (ulong x = 0; x < window.input[2]; ++x) out[x] = 0;
  const ulong places = op_places(&window);
  for (ulong i = 0; i < places; ++i) {
    ulong place[3];
    ulong z;
    ulong y;
    op_place(&window, i, place);
    if (!op_output_of(&window, 0, deep, place[0], &z) || !op_output_of(&window, 1, high, place[1], &y))
      continue;
    long begin;
    ulong from;
    ulong to;
    op_seen(&window, 2, place[2], &begin, &from, &to);
    global const float* restrict in = columns + member * window.member_stride +
                                      (channel * places + i) * window.row_stride +
                                      (z * window.output[1] + y) * window.output[2];
    if (window.stride[2] == 1) {
      for (ulong x = from; x < to; ++x) out[(long)x + begin] += in[x];
    } else {
      for (ulong x = from; x < to; ++x) out[(long)(x * window.stride[2]) + begin] += in[x];
    }
  }
}

// The same of any type, an item an element.
#define OP_IMAGE(name, T)                                                                                    \
  kernel void xhal_image_any_##name(global uchar* image, global const uchar* columns, xhal_op_window window, \
                                    uint type, uint bytes) {                                                 \
    const ulong element = get_global_id(0);                                                                  \
    const ulong channel = get_global_id(1);                                                                  \
    const ulong member = get_global_id(2);                                                                   \
    const ulong size = window.input[0] * window.input[1] * window.input[2];                                  \
    if (element >= size || channel >= window.channels || member >= window.members) return;                   \
    const ulong row = element / window.input[2];                                                             \
    const ulong deep = row / window.input[1];                                                                \
    const ulong places = op_places(&window);                                                                 \
    T sum = 0;                                                                                               \
    for (ulong i = 0; i < places; ++i) {                                                                     \
      ulong place[3];                                                                                        \
      ulong z;                                                                                               \
      ulong y;                                                                                               \
      ulong x;                                                                                               \
      op_place(&window, i, place);                                                                           \
      if (!op_output_of(&window, 0, deep, place[0], &z) ||                                                   \
          !op_output_of(&window, 1, row - deep * window.input[1], place[1], &y) ||                           \
          !op_output_of(&window, 2, element - row * window.input[2], place[2], &x))                          \
        continue;                                                                                            \
      const ulong at = member * window.member_stride + (channel * places + i) * window.row_stride +          \
                       (z * window.output[1] + y) * window.output[2] + x;                                    \
      sum += op_load_##name(columns, (long)(at * bytes), type);                                              \
    }                                                                                                        \
    op_store_##name(image, (long)(((member * window.channels + channel) * size + element) * bytes), type,    \
                    sum);                                                                                    \
  }
OP_IMAGE(f32, float)
OP_IMAGE(i64, long)
#ifdef cl_khr_fp64
OP_IMAGE(f64, double)
#endif
