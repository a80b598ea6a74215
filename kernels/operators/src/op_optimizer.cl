// SPDX-License-Identifier: Apache-2.0
// Steps of optimizers on one parameter: an item takes a stretch of its elements. Rates, steps and scales that are tensors are read from memory.
#include "op_element.h"

#define OP_STEP_DENSE_GET(F, from, at) (from)[at]
#define OP_STEP_DENSE_PUT(F, to, at, value) (to)[at] = (value)
#define OP_STEP_ANY_GET(F, from, at) op_load_##F(from, (long)((at)*o.bytes), o.type)
#define OP_STEP_ANY_PUT(F, to, at, value) op_store_##F(to, (long)((at)*o.bytes), o.type, value)
#define OP_STEP_VALUE_f32(number) o.f[XHAL_OP_OPTIMIZER_##number]
#define OP_STEP_VALUE_f64(number) as_double(o.d[XHAL_OP_OPTIMIZER_##number])
#define OP_STEP_HAS(flag) ((o.flags & XHAL_OP_OPTIMIZER_##flag) != 0)

// The item's stretch, and what all its elements share. A division by a scale of 1 changes nothing.
#define OP_STEP_BEGIN(T, F)                                                                   \
  const ulong first = get_global_id(0) * o.each;                                              \
  if (first >= o.n) return;                                                                   \
  if (OP_STEP_HAS(CHECKED) && found[0] == 1.0f) return;                                       \
  const ulong end = first + o.each < o.n ? first + o.each : o.n;                              \
  const T lr = OP_STEP_HAS(RATE) ? op_load_##F(rate, 0, o.rate_type) : OP_STEP_VALUE_##F(LR); \
  const T divisor = OP_STEP_HAS(SCALED) ? (T)scale[0] : 1;                                    \
  const T sign = OP_STEP_HAS(MAXIMIZE) ? -1 : 1;                                              \
  const T decay = OP_STEP_HAS(DECOUPLED) ? 0 : OP_STEP_VALUE_##F(DECAY);

// The gradient as it is used; as it was scaled it is kept.
#define OP_STEP_GRADIENT(T, F, GET, PUT)                  \
  const T unscaled = GET(F, gradient, i) / divisor;       \
  if (OP_STEP_HAS(SCALED)) PUT(F, gradient, i, unscaled); \
  const T signed_gradient = sign * unscaled;              \
  T p = GET(F, parameter, i);                             \
  T g = decay != 0 ? signed_gradient + p * decay : signed_gradient;

#define OP_STEPS(suffix, T, F, E, GET, PUT)                                                                  \
  kernel void xhal_adam_##suffix(                                                                            \
      global E* restrict parameter, global E* restrict gradient, global E* restrict mean,                    \
      global E* restrict square, global E* restrict most, global const uchar* step,                          \
      global const uchar* rate, global const float* scale, global const float* found, xhal_op_optimizer o) { \
    OP_STEP_BEGIN(T, F)                                                                                      \
    const T steps = op_load_##F(step, 0, o.step_type);                                                       \
    /* 1 - beta^steps without what the difference would lose. */                                             \
    const T size = lr / -expm1(steps * OP_STEP_VALUE_##F(LOG1));                                             \
    const T root = sqrt(-expm1(steps * OP_STEP_VALUE_##F(LOG2)));                                            \
    const T beta1 = OP_STEP_VALUE_##F(BETA1), rest1 = OP_STEP_VALUE_##F(REST1);                              \
    const T beta2 = OP_STEP_VALUE_##F(BETA2), rest2 = OP_STEP_VALUE_##F(REST2);                              \
    const T eps = OP_STEP_VALUE_##F(EPS);                                                                    \
    const T keep = OP_STEP_HAS(DECOUPLED) ? 1 - lr * OP_STEP_VALUE_##F(DECAY) : 1;                           \
    for (ulong i = first; i < end; ++i) {                                                                    \
      OP_STEP_GRADIENT(T, F, GET, PUT)                                                                       \
      const T m = GET(F, mean, i) * beta1 + g * rest1;                                                       \
      T v = GET(F, square, i) * beta2 + g * g * rest2;                                                       \
      PUT(F, mean, i, m);                                                                                    \
      PUT(F, square, i, v);                                                                                  \
      if (OP_STEP_HAS(AMSGRAD)) {                                                                            \
        const T before = GET(F, most, i);                                                                    \
        v = before > v || before != before ? before : v;                                                     \
        PUT(F, most, i, v);                                                                                  \
      }                                                                                                      \
      PUT(F, parameter, i, p* keep - size * m / (sqrt(v) / root + eps));                                     \
    }                                                                                                        \
  }                                                                                                          \
  kernel void xhal_sgd_##suffix(global E* restrict parameter, global E* restrict gradient,                   \
                                global E* restrict momentum, global const uchar* rate,                       \
                                global const float* scale, global const float* found, xhal_op_optimizer o) { \
    OP_STEP_BEGIN(T, F)                                                                                      \
    const T beta = OP_STEP_VALUE_##F(BETA1), rest = OP_STEP_VALUE_##F(BETA2);                                \
    for (ulong i = first; i < end; ++i) {                                                                    \
      OP_STEP_GRADIENT(T, F, GET, PUT)                                                                       \
      if (OP_STEP_HAS(MOMENTUM)) {                                                                           \
        const T m = OP_STEP_HAS(FIRST) ? g : GET(F, momentum, i) * beta + g * rest;                          \
        PUT(F, momentum, i, m);                                                                              \
        g = OP_STEP_HAS(NESTEROV) ? g + m * beta : m;                                                        \
      }                                                                                                      \
      PUT(F, parameter, i, p - g * lr);                                                                      \
    }                                                                                                        \
  }                                                                                                          \
  kernel void xhal_adagrad_##suffix(global E* restrict parameter, global E* restrict gradient,               \
                                    global E* restrict sum, global const uchar* step,                        \
                                    global const uchar* rate, global const float* scale,                     \
                                    global const float* found, xhal_op_optimizer o) {                        \
    OP_STEP_BEGIN(T, F)                                                                                      \
    const T steps = op_load_##F(step, 0, o.step_type);                                                       \
    const T size = lr / (1 + (steps - 1) * OP_STEP_VALUE_##F(BETA1));                                        \
    const T eps = OP_STEP_VALUE_##F(EPS);                                                                    \
    for (ulong i = first; i < end; ++i) {                                                                    \
      OP_STEP_GRADIENT(T, F, GET, PUT)                                                                       \
      const T s = GET(F, sum, i) + g * g;                                                                    \
      PUT(F, sum, i, s);                                                                                     \
      PUT(F, parameter, i, p - size * g / (sqrt(s) + eps));                                                  \
    }                                                                                                        \
  }                                                                                                          \
  /* Gradients without their scale; who finds one that is not finite says so. */                             \
  kernel void xhal_unscale_##suffix(global E* restrict gradient, global float* found,                        \
                                    global const float* inverse, xhal_op_optimizer o) {                      \
    const ulong first = get_global_id(0) * o.each;                                                           \
    if (first >= o.n) return;                                                                                \
    const ulong end = first + o.each < o.n ? first + o.each : o.n;                                           \
    const T factor = (T)inverse[0];                                                                          \
    int is_finite = 1;                                                                                       \
    for (ulong i = first; i < end; ++i) {                                                                    \
      const T g = GET(F, gradient, i);                                                                       \
      is_finite &= g - g == 0;                                                                               \
      PUT(F, gradient, i, factor == 1 ? g : g * factor);                                                     \
    }                                                                                                        \
    if (!is_finite) found[0] = 1.0f;                                                                         \
  }
OP_STEPS(dense_f32, float, f32, float, OP_STEP_DENSE_GET, OP_STEP_DENSE_PUT)
OP_STEPS(f32, float, f32, uchar, OP_STEP_ANY_GET, OP_STEP_ANY_PUT)
#ifdef cl_khr_fp64
OP_STEPS(f64, double, f64, uchar, OP_STEP_ANY_GET, OP_STEP_ANY_PUT)
#endif

// Whether steps succeeded decides how gradients are scaled from now on.
kernel void xhal_update_scale(global float* scale, global int* successes, global const float* found,
                              float growth, float backoff, long interval) {
  if (get_global_id(0) != 0) return;
  if (found[0] != 0.0f) {
    scale[0] *= backoff;
    successes[0] = 0;
    return;
  }
  const int now = successes[0] + 1;
  if (now != interval) {
    successes[0] = now;
    return;
  }
  const float grown = scale[0] * growth;
  if (grown - grown == 0) scale[0] = grown;
  successes[0] = 0;
}
