// SPDX-License-Identifier: Apache-2.0
// Pooling: what windows hold becomes its largest value or its average. Gradients gather, so that nothing is added by two items.
#include "op_element.h"
#include "op_window.h"

// The places of the input that an output's window holds along a dimension, and how many an average counts there.
typedef struct op_span {
  long from;
  long to;
  long counted;
} op_span;

static inline op_span op_span_of(const xhal_op_pool* pool, uint d, ulong output) {
  const long input = (long)pool->window.input[d];
  op_span span;
  if (pool->is_adaptive) {
    const long outputs = (long)pool->window.output[d];
    span.from = (long)output * input / outputs;
    span.to = (((long)output + 1) * input + outputs - 1) / outputs;
    span.counted = span.to - span.from;
    return span;
  }
  const long step = (long)pool->window.dilation[d];
  const long begin = (long)(output * pool->window.stride[d]) - pool->window.padding[d];
  const long end = begin + ((long)pool->window.size[d] - 1) * step + 1;
  span.from = begin >= 0 ? begin : begin + (-begin + step - 1) / step * step;
  span.to = end < input ? end : input;
  if (span.to < span.from) span.to = span.from;
  const long padded = input + pool->window.padding[d];
  span.counted = pool->counts_padding ? (end < padded ? end : padded) - begin : span.to - span.from;
  return span;
}

static inline long op_step_of(const xhal_op_pool* pool, uint d) {
  return pool->is_adaptive ? 1 : (long)pool->window.dilation[d];
}

// The outputs whose windows may hold a place of the input: from the first one to before the last one.
static inline op_span op_holders(const xhal_op_pool* pool, uint d, ulong place) {
  const long outputs = (long)pool->window.output[d];
  op_span span;
  if (pool->is_adaptive) {
    const long input = (long)pool->window.input[d];
    span.from = (long)place * outputs / input;
    span.to = (((long)place + 1) * outputs + input - 1) / input;
  } else {
    const long stride = (long)pool->window.stride[d];
    const long at = (long)place + pool->window.padding[d];
    const long reach = at - ((long)pool->window.size[d] - 1) * (long)pool->window.dilation[d];
    span.from = reach <= 0 ? 0 : (reach + stride - 1) / stride;
    span.to = at / stride + 1;
    if (span.to > outputs) span.to = outputs;
  }
  span.counted = 0;
  return span;
}

static inline ulong op_product(const ulong* sizes) { return sizes[0] * sizes[1] * sizes[2]; }

// An index among elements of so many planes as the plane, and the place in it.
typedef struct op_spot {
  ulong plane;
  ulong at; /* in the plane */
  ulong z;
  ulong y;
  ulong x;
} op_spot;

static inline op_spot op_spot_of(const ulong* sizes, ulong index) {
  op_spot spot;
  const ulong size = op_product(sizes);
  spot.plane = index / size;
  spot.at = index - spot.plane * size;
  const ulong row = spot.at / sizes[2];
  spot.x = spot.at - row * sizes[2];
  spot.z = row / sizes[1];
  spot.y = row - spot.z * sizes[1];
  return spot;
}

static inline long op_divisor(const xhal_op_pool* pool, const op_span* z, const op_span* y,
                              const op_span* x) {
  return pool->divisor != 0 ? pool->divisor : z->counted * y->counted * x->counted;
}

// ---- Any type, an item an element ------------------------------------------------------------------------------------------------

// A NaN is beyond all, and the last one is taken; of equal values the first.
#define OP_POOL_MAX(name, T, LEAST)                                                                       \
  kernel void xhal_pool_max_##name(global uchar* output, global long* indices, global const uchar* input, \
                                   xhal_op_pool pool) {                                                   \
    const ulong item = get_global_id(0);                                                                  \
    if (item >= pool.window.members * op_product(pool.window.output)) return;                             \
    const op_spot spot = op_spot_of(pool.window.output, item);                                            \
    const op_span zs = op_span_of(&pool, 0, spot.z);                                                      \
    const op_span ys = op_span_of(&pool, 1, spot.y);                                                      \
    const op_span xs = op_span_of(&pool, 2, spot.x);                                                      \
    const long first = (long)(spot.plane * op_product(pool.window.input));                                \
    const long height = (long)pool.window.input[1];                                                       \
    const long width = (long)pool.window.input[2];                                                        \
    T best = LEAST;                                                                                       \
    long at = (zs.from * height + ys.from) * width + xs.from;                                             \
    for (long z = zs.from; z < zs.to; z += op_step_of(&pool, 0)) {                                        \
      for (long y = ys.from; y < ys.to; y += op_step_of(&pool, 1)) {                                      \
        for (long x = xs.from; x < xs.to; x += op_step_of(&pool, 2)) {                                    \
          const long place = (z * height + y) * width + x;                                                \
          const T value = op_load_##name(input, (first + place) * pool.bytes, pool.type);                 \
          if (value > best || value != value) {                                                           \
            best = value;                                                                                 \
            at = place;                                                                                   \
          }                                                                                               \
        }                                                                                                 \
      }                                                                                                   \
    }                                                                                                     \
    op_store_##name(output, (long)item* pool.bytes, pool.type, best);                                     \
    indices[item] = at;                                                                                   \
  }

#define OP_POOL_AVERAGE(name, T)                                                                             \
  kernel void xhal_pool_average_##name(global uchar* output, global const uchar* input, xhal_op_pool pool) { \
    const ulong item = get_global_id(0);                                                                     \
    if (item >= pool.window.members * op_product(pool.window.output)) return;                                \
    const op_spot spot = op_spot_of(pool.window.output, item);                                               \
    const op_span zs = op_span_of(&pool, 0, spot.z);                                                         \
    const op_span ys = op_span_of(&pool, 1, spot.y);                                                         \
    const op_span xs = op_span_of(&pool, 2, spot.x);                                                         \
    const long first = (long)(spot.plane * op_product(pool.window.input));                                   \
    const long height = (long)pool.window.input[1];                                                          \
    const long width = (long)pool.window.input[2];                                                           \
    T sum = 0;                                                                                               \
    for (long z = zs.from; z < zs.to; ++z) {                                                                 \
      for (long y = ys.from; y < ys.to; ++y) {                                                               \
        for (long x = xs.from; x < xs.to; ++x) {                                                             \
          sum += op_load_##name(input, (first + (z * height + y) * width + x) * pool.bytes, pool.type);      \
        }                                                                                                    \
      }                                                                                                      \
    }                                                                                                        \
    const int is_empty = zs.from == zs.to || ys.from == ys.to || xs.from == xs.to;                           \
    if (!is_empty) sum /= (T)op_divisor(&pool, &zs, &ys, &xs);                                               \
    op_store_##name(output, (long)item* pool.bytes, pool.type, sum);                                         \
  }

#define OP_POOL_MAX_BACKWARD(name, T)                                                                     \
  kernel void xhal_pool_max_backward_##name(global uchar* of_input, global const uchar* of_output,        \
                                            global const long* indices, xhal_op_pool pool) {              \
    const ulong item = get_global_id(0);                                                                  \
    if (item >= pool.window.members * op_product(pool.window.input)) return;                              \
    const op_spot spot = op_spot_of(pool.window.input, item);                                             \
    const op_span zs = op_holders(&pool, 0, spot.z);                                                      \
    const op_span ys = op_holders(&pool, 1, spot.y);                                                      \
    const op_span xs = op_holders(&pool, 2, spot.x);                                                      \
    const long first = (long)(spot.plane * op_product(pool.window.output));                               \
    const long height = (long)pool.window.output[1];                                                      \
    const long width = (long)pool.window.output[2];                                                       \
    T sum = 0;                                                                                            \
    for (long z = zs.from; z < zs.to; ++z) {                                                              \
      for (long y = ys.from; y < ys.to; ++y) {                                                            \
        for (long x = xs.from; x < xs.to; ++x) {                                                          \
          const long at = first + (z * height + y) * width + x;                                           \
          if (indices[at] == (long)spot.at) sum += op_load_##name(of_output, at * pool.bytes, pool.type); \
        }                                                                                                 \
      }                                                                                                   \
    }                                                                                                     \
    op_store_##name(of_input, (long)item* pool.bytes, pool.type, sum);                                    \
  }

#define OP_POOL_AVERAGE_BACKWARD(name, T)                                                              \
  kernel void xhal_pool_average_backward_##name(global uchar* of_input, global const uchar* of_output, \
                                                xhal_op_pool pool) {                                   \
    const ulong item = get_global_id(0);                                                               \
    if (item >= pool.window.members * op_product(pool.window.input)) return;                           \
    const op_spot spot = op_spot_of(pool.window.input, item);                                          \
    const op_span zs = op_holders(&pool, 0, spot.z);                                                   \
    const op_span ys = op_holders(&pool, 1, spot.y);                                                   \
    const op_span xs = op_holders(&pool, 2, spot.x);                                                   \
    const long first = (long)(spot.plane * op_product(pool.window.output));                            \
    const long height = (long)pool.window.output[1];                                                   \
    const long width = (long)pool.window.output[2];                                                    \
    T sum = 0;                                                                                         \
    for (long z = zs.from; z < zs.to; ++z) {                                                           \
      const op_span z_held = op_span_of(&pool, 0, (ulong)z);                                           \
      for (long y = ys.from; y < ys.to; ++y) {                                                         \
        const op_span y_held = op_span_of(&pool, 1, (ulong)y);                                         \
        for (long x = xs.from; x < xs.to; ++x) {                                                       \
          const op_span x_held = op_span_of(&pool, 2, (ulong)x);                                       \
          const long at = first + (z * height + y) * width + x;                                        \
          sum += op_load_##name(of_output, at * pool.bytes, pool.type) /                               \
                 (T)op_divisor(&pool, &z_held, &y_held, &x_held);                                      \
        }                                                                                              \
      }                                                                                                \
    }                                                                                                  \
    op_store_##name(of_input, (long)item* pool.bytes, pool.type, sum);                                 \
  }

#define OP_POOL(name, T, LEAST) \
  OP_POOL_MAX(name, T, LEAST)   \
  OP_POOL_AVERAGE(name, T)      \
  OP_POOL_MAX_BACKWARD(name, T) \
  OP_POOL_AVERAGE_BACKWARD(name, T)
OP_POOL(f32, float, -INFINITY)
OP_POOL(i64, long, LONG_MIN)
#ifdef cl_khr_fp64
OP_POOL(f64, double, -INFINITY)
#endif

// ---- f32, an item a row ------------------------------------------------------------------------------------------------------------

// A row among all rows of all planes: its plane, and where it is in it.
static inline op_spot op_row_of(const ulong* sizes, ulong row) {
  op_spot spot;
  const ulong rows = sizes[0] * sizes[1];
  spot.plane = row / rows;
  spot.at = row - spot.plane * rows;
  spot.z = spot.at / sizes[1];
  spot.y = spot.at - spot.z * sizes[1];
  spot.x = 0;
  return spot;
}

// One place of all windows of a row. The stride is a constant where it is called, so that the loop vectorises.
static inline void op_take_larger(global float* restrict best, global long* restrict at,
                                  global const float* restrict in, long place, long from, long to,
                                  long stride) {
  for (long x = from; x < to; ++x) {
    const float value = in[x * stride];
    const int is_taken = value > best[x] || value != value;
    best[x] = is_taken ? value : best[x];
    at[x] = is_taken ? place + x * stride : at[x];
  }
}
static inline void op_add_row(global float* restrict out, global const float* restrict in, long from, long to,
                              long stride) {
  for (long x = from; x < to; ++x) out[x] += in[x * stride];
}

// Windows that are not adaptive.
kernel void xhal_pool_max_rows(global float* output, global long* indices, global const float* input,
                               xhal_op_pool pool) {
  const ulong item = get_global_id(0);
  if (item >= pool.window.members * pool.window.output[0] * pool.window.output[1]) return;
  const op_spot spot = op_row_of(pool.window.output, item);
  const op_span zs = op_span_of(&pool, 0, spot.z);
  const op_span ys = op_span_of(&pool, 1, spot.y);
  const long outputs = (long)pool.window.output[2];
  const long height = (long)pool.window.input[1];
  const long width = (long)pool.window.input[2];
  const long stride = (long)pool.window.stride[2];
  global float* restrict best = output + item * pool.window.output[2];
  global long* restrict at = indices + item * pool.window.output[2];
  global const float* restrict plane = input + spot.plane * op_product(pool.window.input);
  for (long x = 0; x < outputs; ++x) {
    best[x] = -INFINITY;
    at[x] = (zs.from * height + ys.from) * width + op_span_of(&pool, 2, (ulong)x).from;
  }
  for (long z = zs.from; z < zs.to; z += (long)pool.window.dilation[0]) {
    for (long y = ys.from; y < ys.to; y += (long)pool.window.dilation[1]) {
      for (ulong place = 0; place < pool.window.size[2]; ++place) {
        long begin;
        ulong from;
        ulong to;
        op_seen(&pool.window, 2, place, &begin, &from, &to);
        const long first = (z * height + y) * width + begin;
        if (stride == 1)
          op_take_larger(best, at, plane + first, first, (long)from, (long)to, 1);
        else if (stride == 2)
          op_take_larger(best, at, plane + first, first, (long)from, (long)to, 2);
        else
          op_take_larger(best, at, plane + first, first, (long)from, (long)to, stride);
      }
    }
  }
}

kernel void xhal_pool_average_rows(global float* output, global const float* input, xhal_op_pool pool) {
  const ulong item = get_global_id(0);
  if (item >= pool.window.members * pool.window.output[0] * pool.window.output[1]) return;
  const op_spot spot = op_row_of(pool.window.output, item);
  const op_span zs = op_span_of(&pool, 0, spot.z);
  const op_span ys = op_span_of(&pool, 1, spot.y);
  const long outputs = (long)pool.window.output[2];
  const long height = (long)pool.window.input[1];
  const long width = (long)pool.window.input[2];
  const long stride = (long)pool.window.stride[2];
  global float* restrict out = output + item * pool.window.output[2];
  global const float* restrict plane = input + spot.plane * op_product(pool.window.input);
  for (long x = 0; x < outputs; ++x) out[x] = 0;
  for (long z = zs.from; z < zs.to; ++z) {
    for (long y = ys.from; y < ys.to; ++y) {
      global const float* restrict in = plane + (z * height + y) * width;
      if (pool.is_adaptive) {
        for (long x = 0; x < outputs; ++x) {
          const op_span xs = op_span_of(&pool, 2, (ulong)x);
          float sum = 0;
          for (long i = xs.from; i < xs.to; ++i) sum += in[i];
          out[x] += sum;
        }
        continue;
      }
      for (ulong place = 0; place < pool.window.size[2]; ++place) {
        long begin;
        ulong from;
        ulong to;
        op_seen(&pool.window, 2, place, &begin, &from, &to);
        if (stride == 1)
          op_add_row(out, in + begin, (long)from, (long)to, 1);
        else if (stride == 2)
          op_add_row(out, in + begin, (long)from, (long)to, 2);
        else
          op_add_row(out, in + begin, (long)from, (long)to, stride);
      }
    }
  }
  for (long x = 0; x < outputs; ++x) {
    const op_span xs = op_span_of(&pool, 2, (ulong)x);
    // An empty window gives 0 as it stands, whatever it would count.
    if (xs.from < xs.to && zs.from < zs.to && ys.from < ys.to)
      out[x] /= (float)op_divisor(&pool, &zs, &ys, &xs);
  }
}

// A row of the input, which every output of the windows that reach it may have taken its value from.
kernel void xhal_pool_max_backward_rows(global float* of_input, global const float* of_output,
                                        global const long* indices, xhal_op_pool pool) {
  const ulong item = get_global_id(0);
  if (item >= pool.window.members * pool.window.input[0] * pool.window.input[1]) return;
  const op_spot spot = op_row_of(pool.window.input, item);
  const op_span zs = op_holders(&pool, 0, spot.z);
  const op_span ys = op_holders(&pool, 1, spot.y);
  const long outputs = (long)pool.window.output[2];
  const long height = (long)pool.window.output[1];
  const long width = (long)pool.window.input[2];
  const long begin = (long)spot.at * width;
  const long first = (long)(spot.plane * op_product(pool.window.output));
  global float* restrict row = of_input + item * pool.window.input[2];
  for (long x = 0; x < width; ++x) row[x] = 0;
  for (long z = zs.from; z < zs.to; ++z) {
    for (long y = ys.from; y < ys.to; ++y) {
      const long line = first + (z * height + y) * outputs;
      for (long x = 0; x < outputs; ++x) {
        const long at = indices[line + x] - begin;
        if (at >= 0 && at < width) row[at] += of_output[line + x];
      }
    }
  }
}

kernel void xhal_pool_average_backward_rows(global float* of_input, global const float* of_output,
                                            xhal_op_pool pool) {
  const ulong item = get_global_id(0);
  if (item >= pool.window.members * pool.window.input[0] * pool.window.input[1]) return;
  const op_spot spot = op_row_of(pool.window.input, item);
  const op_span zs = op_holders(&pool, 0, spot.z);
  const op_span ys = op_holders(&pool, 1, spot.y);
  const long outputs = (long)pool.window.output[2];
  const long height = (long)pool.window.output[1];
  const long width = (long)pool.window.input[2];
  const long first = (long)(spot.plane * op_product(pool.window.output));
  global float* restrict row = of_input + item * pool.window.input[2];
  for (long x = 0; x < width; ++x) row[x] = 0;
  for (long z = zs.from; z < zs.to; ++z) {
    const op_span z_held = op_span_of(&pool, 0, (ulong)z);
    for (long y = ys.from; y < ys.to; ++y) {
      const op_span y_held = op_span_of(&pool, 1, (ulong)y);
      global const float* restrict in = of_output + first + (z * height + y) * outputs;
      for (long x = 0; x < outputs; ++x) {
        const op_span x_held = op_span_of(&pool, 2, (ulong)x);
        const float share = in[x] / (float)op_divisor(&pool, &z_held, &y_held, &x_held);
        for (long i = x_held.from; i < x_held.to; ++i) row[i] += share;
      }
    }
  }
}
