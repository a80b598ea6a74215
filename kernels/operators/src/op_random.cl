// SPDX-License-Identifier: Apache-2.0
// Tensors of random numbers: an item a block of Philox, whose four words are four elements, or two of 64 bits.
#include "op_element.h"
#include "op_philox.h"

// Where an element lies, in bytes, by its number.
static inline long op_place(const xhal_op_shape* shape, uint operand, ulong number) {
  long at = 0;
  uint d = 0;
  for (; d + 1 < shape->dims; ++d) {
    const ulong outer = number / shape->sizes[d];
    at += (long)(number - outer * shape->sizes[d]) * shape->strides[operand][d];
    number = outer;
  }
  return at + (long)number * shape->strides[operand][d];
}

// The digits of the type alone, so that what is below 1 does not round to it.
static inline float op_unit_f32(uint word, uint type) {
  if (type == OP_F16) return (float)(word >> 21) * 0x1p-11f;
  if (type == OP_BF16) return (float)(word >> 24) * 0x1p-8f;
  return (float)(word >> 8) * 0x1p-24f;
}
// The smallest number that the type has, or at least none that a device may take for zero.
static inline float op_least_f32(uint type) { return type == OP_F16 ? 0x1p-24f : 0x1p-126f; }

#define OP_IS_NORMAL(code) ((code) == XHAL_OP_RANDOM_NORMAL || (code) == XHAL_OP_RANDOM_LOG_NORMAL)

// What a distribution makes of a number; `unit` is in [0, 1), `positive` in (0, 1].
#define OP_DISTRIBUTION(name, T, least, half_turn, below_half)                                          \
  static inline T op_distributed_##name(uint code, T unit, T positive, T normal, T p, T q, uint type) { \
    (void)type;                                                                                         \
    switch (code) {                                                                                     \
      case XHAL_OP_RANDOM_UNIFORM: {                                                                    \
        const T value = op_rounded_##name(unit * (q - p) + p, OP_F32, type);                            \
        return value >= op_rounded_##name(q, OP_F32, type) ? p : value;                                 \
      }                                                                                                 \
      case XHAL_OP_RANDOM_NORMAL:                                                                       \
        return p + q * normal;                                                                          \
      case XHAL_OP_RANDOM_LOG_NORMAL:                                                                   \
        return exp(p + q * normal);                                                                     \
      case XHAL_OP_RANDOM_CAUCHY: {                                                                     \
        /* At half a turn the tangent would change its sign. */                                         \
        const T turn = positive - 0.5f;                                                                 \
        return p + q * tan(half_turn * (turn > below_half    ? below_half                               \
                                        : turn < -below_half ? -below_half                              \
                                                             : turn));                                  \
      }                                                                                                 \
      case XHAL_OP_RANDOM_EXPONENTIAL: {                                                                \
        const T value = -log(positive) * p;                                                             \
        return p > 0 && !(value > least) ? least : value;                                               \
      }                                                                                                 \
      default: {                                                                                        \
        const T value = ceil(log(positive) / p);                                                        \
        return value < 1 ? 1 : value;                                                                   \
      }                                                                                                 \
    }                                                                                                   \
  }
OP_DISTRIBUTION(f32, float, op_least_f32(type), 3.14159265f, 0.49999997f)

kernel void xhal_random_f32(global uchar* y, global const ulong* replay, xhal_op_random random,
                            xhal_op_shape shape, xhal_op_values values) {
  const ulong block = random.first + get_global_id(0);
  if (block * 4 >= random.count) return;
  const op_words words = op_draw(&random, replay, block);
  const float p = values.f[0], q = values.f[1];
  const uint all[4] = OP_WORDS(words);
  float normals[4] = {0, 0, 0, 0};
  if (OP_IS_NORMAL(random.code)) {
    op_normals_f32(words.a, words.b, &normals[0], &normals[1]);
    op_normals_f32(words.c, words.d, &normals[2], &normals[3]);
  }
  for (uint i = 0; i < 4 && block * 4 + i < random.count; ++i) {
    const uint word = all[i];
    const long at = op_place(&shape, 0, block * 4 + i);
    const uint type = shape.types[0];
    const float value = random.code == XHAL_OP_RANDOM_BERNOULLI
                            ? (float)(word < random.range)
                            : op_distributed_f32(random.code, op_unit_f32(word, type), op_positive_f32(word),
                                                 normals[i], p, q, type);
    op_store_f32(y, at, type, value);
  }
}

#ifdef cl_khr_fp64
OP_DISTRIBUTION(f64, double, 0x1p-1022, 3.141592653589793238, 0.49999999999999994)

kernel void xhal_random_f64(global uchar* y, global const ulong* replay, xhal_op_random random,
                            xhal_op_shape shape, xhal_op_values values) {
  const ulong block = random.first + get_global_id(0);
  if (block * 2 >= random.count) return;
  const op_words words = op_draw(&random, replay, block);
  const double p = as_double(values.d[0]), q = as_double(values.d[1]);
  const ulong all[2] = OP_LONG_WORDS(words);
  double normals[2] = {0, 0};
  if (OP_IS_NORMAL(random.code)) op_normals_f64(all[0], all[1], &normals[0], &normals[1]);
  for (uint i = 0; i < 2 && block * 2 + i < random.count; ++i) {
    const ulong word = all[i];
    const long at = op_place(&shape, 0, block * 2 + i);
    op_store_f64(y, at, shape.types[0],
                 op_distributed_f64(random.code, (double)(word >> 11) * 0x1p-53, op_positive_f64(word),
                                    normals[i], p, q, shape.types[0]));
  }
}
#endif

kernel void xhal_random_i64(global uchar* y, global const ulong* replay, xhal_op_random random,
                            xhal_op_shape shape) {
  const ulong block = random.first + get_global_id(0);
  if (block * 2 >= random.count) return;
  const op_words words = op_draw(&random, replay, block);
  const ulong all[2] = OP_LONG_WORDS(words);
  for (uint i = 0; i < 2 && block * 2 + i < random.count; ++i) {
    const ulong word = all[i];
    const ulong value = random.range == 0 ? word : op_below(word, random.range);
    op_store_i64(y, op_place(&shape, 0, block * 2 + i), shape.types[0], (long)((ulong)random.from + value));
  }
}

// Each element has its own probability, operand 1.
#define OP_BERNOULLI(name, T)                                                                      \
  kernel void xhal_random_bernoulli_##name(global uchar* y, global const uchar* p,                 \
                                           global const ulong* replay, xhal_op_random random,      \
                                           xhal_op_shape shape) {                                  \
    const ulong block = random.first + get_global_id(0);                                           \
    if (block * 4 >= random.count) return;                                                         \
    const op_words words = op_draw(&random, replay, block);                                        \
    const uint all[4] = OP_WORDS(words);                                                           \
    for (uint i = 0; i < 4 && block * 4 + i < random.count; ++i) {                                 \
      const T probability = op_load_##name(p, op_place(&shape, 1, block * 4 + i), shape.types[1]); \
      const long value = (T)(all[i] >> 8) * (T)0x1p-24f < probability;                             \
      op_store_i64(y, op_place(&shape, 0, block * 4 + i), shape.types[0], value);                  \
    }                                                                                              \
  }
OP_BERNOULLI(f32, float)
#ifdef cl_khr_fp64
OP_BERNOULLI(f64, double)
#endif

// Whole blocks of f32 that lies densely.
kernel void xhal_random_uniform_f32(global float* y, global const ulong* replay, xhal_op_random random,
                                    float p, float q) {
  const ulong block = get_global_id(0);
  if (block >= random.count / 4) return;
  const op_words words = op_draw(&random, replay, block);
  const float width = q - p;
  const float a = (float)(words.a >> 8) * 0x1p-24f * width + p,
              b = (float)(words.b >> 8) * 0x1p-24f * width + p;
  const float c = (float)(words.c >> 8) * 0x1p-24f * width + p,
              d = (float)(words.d >> 8) * 0x1p-24f * width + p;
  y[block * 4] = a >= q ? p : a;
  y[block * 4 + 1] = b >= q ? p : b;
  y[block * 4 + 2] = c >= q ? p : c;
  y[block * 4 + 3] = d >= q ? p : d;
}

kernel void xhal_random_normal_f32(global float* y, global const ulong* replay, xhal_op_random random,
                                   float p, float q) {
  const ulong block = get_global_id(0);
  if (block >= random.count / 4) return;
  const op_words words = op_draw(&random, replay, block);
  float a, b, c, d;
  op_normals_f32(words.a, words.b, &a, &b);
  op_normals_f32(words.c, words.d, &c, &d);
  y[block * 4] = p + q * a;
  y[block * 4 + 1] = p + q * b;
  y[block * 4 + 2] = p + q * c;
  y[block * 4 + 3] = p + q * d;
}
