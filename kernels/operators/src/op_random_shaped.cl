// SPDX-License-Identifier: Apache-2.0
// Numbers of distributions that each element gives its own parameters, by rejection: an element takes as many blocks of Philox as it needs, of
// which no two elements have one in common. What is no parameter makes NaN, where a host raises.
#include "op_element.h"
#include "op_philox.h"

// The blocks of one element are `count` apart.
typedef struct op_stream {
  ulong block;
  ulong kept;
  int has_kept;
} op_stream;

static inline ulong op_next(op_stream* stream, const xhal_op_random* random, global const ulong* replay) {
  stream->has_kept = !stream->has_kept;
  if (!stream->has_kept) return stream->kept;
  const op_words words = op_draw(random, replay, stream->block);
  stream->block += random->count;
  stream->kept = op_second_half(words);
  return op_first_half(words);
}

// No method below rejects this often: what is left are parameters that are beyond its arithmetic.
#define OP_MOST_TURNS 512

#define OP_SHAPED(name, T)                                                                                    \
  static inline T op_uniform_##name(op_stream* stream, const xhal_op_random* random,                          \
                                    global const ulong* replay) {                                             \
    return op_uniform_of_##name(op_next(stream, random, replay));                                             \
  }                                                                                                           \
  /* Small rates by products of uniform numbers, others by Hoermann's transformed rejection (1993). */        \
  static inline T op_poisson_##name(T rate, op_stream* stream, const xhal_op_random* random,                  \
                                    global const ulong* replay) {                                             \
    if (!(rate >= 0)) return (T)NAN;                                                                          \
    if (rate == 0 || rate == (T)INFINITY) return rate;                                                        \
    if (rate < 10) {                                                                                          \
      const T least = exp(-rate);                                                                             \
      T product = 1;                                                                                          \
      for (uint k = 0; k < OP_MOST_TURNS; ++k) {                                                              \
        product *= op_uniform_##name(stream, random, replay);                                                 \
        if (product <= least) return (T)k;                                                                    \
      }                                                                                                       \
      return floor(rate);                                                                                     \
    }                                                                                                         \
    const T log_rate = log(rate);                                                                             \
    const T b = (T)0.931f + (T)2.53f * sqrt(rate);                                                            \
    const T a = (T)-0.059f + (T)0.02483f * b;                                                                 \
    const T inverse = (T)1.1239f + (T)1.1328f / (b - (T)3.4f);                                                \
    const T tight = (T)0.9277f - (T)3.6224f / (b - 2);                                                        \
    for (uint turn = 0; turn < OP_MOST_TURNS; ++turn) {                                                       \
      const T u = op_uniform_##name(stream, random, replay) - (T)0.5f;                                        \
      const T v = op_uniform_##name(stream, random, replay);                                                  \
      const T side = (T)0.5f - fabs(u);                                                                       \
      const T k = floor((2 * a / side + b) * u + rate + (T)0.43f);                                            \
      if (side >= (T)0.07f && v <= tight) return k;                                                           \
      if (!(k >= 0) || (side < (T)0.013f && v > side)) continue;                                              \
      if (log(v) + log(inverse) - log(a / (side * side) + b) <= k * log_rate - rate - lgamma(k + 1))          \
        return k;                                                                                             \
    }                                                                                                         \
    return floor(rate);                                                                                       \
  }                                                                                                           \
  /* p is at most a half: few successes by the failures between them, many by Hoermann's rejection (1993). */ \
  static inline T op_successes_##name(T n, T p, op_stream* stream, const xhal_op_random* random,              \
                                      global const ulong* replay) {                                           \
    if (n * p < 10) {                                                                                         \
      const T scale = log1p(-p);                                                                              \
      T at = 0;                                                                                               \
      for (uint k = 0; k < OP_MOST_TURNS; ++k) {                                                              \
        at += fmax(ceil(log(op_uniform_##name(stream, random, replay)) / scale), (T)1);                       \
        if (!(at <= n)) return (T)k;                                                                          \
      }                                                                                                       \
      return floor(n * p);                                                                                    \
    }                                                                                                         \
    const T deviation = sqrt(n * p * (1 - p));                                                                \
    const T b = (T)1.15f + (T)2.53f * deviation;                                                              \
    const T a = (T)-0.0873f + (T)0.0248f * b + (T)0.01f * p;                                                  \
    const T alpha = ((T)2.83f + (T)5.1f / b) * deviation;                                                     \
    const T tight = (T)0.92f - (T)4.2f / b;                                                                   \
    const T mode = floor((n + 1) * p);                                                                        \
    const T odds = log(p / (1 - p));                                                                          \
    const T most = lgamma(mode + 1) + lgamma(n - mode + 1);                                                   \
    for (uint turn = 0; turn < OP_MOST_TURNS; ++turn) {                                                       \
      const T u = op_uniform_##name(stream, random, replay) - (T)0.5f;                                        \
      const T v = op_uniform_##name(stream, random, replay);                                                  \
      const T side = (T)0.5f - fabs(u);                                                                       \
      const T k = floor((2 * a / side + b) * u + n * p + (T)0.5f);                                            \
      if (!(k >= 0) || k > n) continue;                                                                       \
      if (side >= (T)0.07f && v <= tight) return k;                                                           \
      if (log(v * alpha / (a / (side * side) + b)) <=                                                         \
          most - lgamma(k + 1) - lgamma(n - k + 1) + (k - mode) * odds)                                       \
        return k;                                                                                             \
    }                                                                                                         \
    return mode;                                                                                              \
  }                                                                                                           \
  static inline T op_binomial_##name(T n, T p, op_stream* stream, const xhal_op_random* random,               \
                                     global const ulong* replay) {                                            \
    if (n <= 0 || p <= 0) return 0;                                                                           \
    if (p >= 1) return n;                                                                                     \
    if (!(n > 0) || !(p > 0)) return (T)NAN;                                                                  \
    return p <= (T)0.5f ? op_successes_##name(n, p, stream, random, replay)                                   \
                        : n - op_successes_##name(n, 1 - p, stream, random, replay);                          \
  }                                                                                                           \
  /* Marsaglia and Tsang (2000); below 1 by the number of a shape that is larger by 1. */                     \
  static inline T op_gamma_##name(T shape, op_stream* stream, const xhal_op_random* random,                   \
                                  global const ulong* replay) {                                               \
    if (!(shape >= 0)) return (T)NAN;                                                                         \
    if (shape == 0 || shape == (T)INFINITY) return shape;                                                     \
    T scale = 1;                                                                                              \
    if (shape < 1) {                                                                                          \
      scale = pow(op_uniform_##name(stream, random, replay), 1 / shape);                                      \
      shape += 1;                                                                                             \
    }                                                                                                         \
    const T d = shape - (T)1 / 3;                                                                             \
    const T c = 1 / sqrt(9 * d);                                                                              \
    for (uint turn = 0; turn < OP_MOST_TURNS; ++turn) {                                                       \
      const ulong size = op_next(stream, random, replay);                                                     \
      const T x = op_normal_of_##name(size, op_next(stream, random, replay));                                 \
      const T root = 1 + c * x;                                                                               \
      const T u = op_uniform_##name(stream, random, replay);                                                  \
      if (root <= 0) continue;                                                                                \
      const T v = root * root * root;                                                                         \
      if (log(u) < x * x / 2 + d * (1 - v + log(v))) return scale * d * v;                                    \
    }                                                                                                         \
    return scale * d;                                                                                         \
  }                                                                                                           \
  kernel void xhal_random_poisson_##name(global uchar* y, global const uchar* rates,                          \
                                         global const ulong* replay, xhal_op_random random, uint type,        \
                                         uint bytes) {                                                        \
    const ulong i = get_global_id(0);                                                                         \
    if (i >= random.count) return;                                                                            \
    op_stream stream = {i, 0, 0};                                                                             \
    const T rate = op_load_##name(rates, (long)(i * bytes), type);                                            \
    op_store_##name(y, (long)(i * bytes), type, op_poisson_##name(rate, &stream, &random, replay));           \
  }                                                                                                           \
  kernel void xhal_random_binomial_##name(global uchar* y, global const uchar* counts,                        \
                                          global const uchar* shares, global const ulong* replay,             \
                                          xhal_op_random random, uint type, uint bytes) {                     \
    const ulong i = get_global_id(0);                                                                         \
    if (i >= random.count) return;                                                                            \
    op_stream stream = {i, 0, 0};                                                                             \
    const T n = op_load_##name(counts, (long)(i * bytes), type);                                              \
    const T p = op_load_##name(shares, (long)(i * bytes), type);                                              \
    op_store_##name(y, (long)(i * bytes), type, op_binomial_##name(n, p, &stream, &random, replay));          \
  }                                                                                                           \
  /* No number is 0: the least is the type's smallest one. */                                                 \
  kernel void xhal_random_gamma_##name(global uchar* y, global const uchar* shapes,                           \
                                       global const ulong* replay, xhal_op_random random, uint type,          \
                                       uint bytes) {                                                          \
    const ulong i = get_global_id(0);                                                                         \
    if (i >= random.count) return;                                                                            \
    op_stream stream = {i, 0, 0};                                                                             \
    const T shape = op_load_##name(shapes, (long)(i * bytes), type);                                          \
    const T value = op_gamma_##name(shape, &stream, &random, replay);                                         \
    const T least = op_least_of_##name(type);                                                                 \
    op_store_##name(y, (long)(i * bytes), type, value < least ? least : value);                               \
  }

static inline float op_uniform_of_f32(ulong word) { return op_positive_f32((uint)(word >> 32)); }
static inline float op_normal_of_f32(ulong size, ulong angle) {
  float x, y;
  op_normals_f32((uint)(size >> 32), (uint)(angle >> 32), &x, &y);
  return x;
}
static inline float op_least_of_f32(uint type) {
  (void)type;
  return 0x1p-126f;
}
OP_SHAPED(f32, float)
#ifdef cl_khr_fp64
static inline double op_uniform_of_f64(ulong word) { return op_positive_f64(word); }
static inline double op_normal_of_f64(ulong size, ulong angle) {
  double x, y;
  op_normals_f64(size, angle, &x, &y);
  return x;
}
static inline double op_least_of_f64(uint type) { return type == OP_F64 ? 0x1p-1022 : 0x1p-126; }
OP_SHAPED(f64, double)
#endif
