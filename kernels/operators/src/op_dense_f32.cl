// SPDX-License-Identifier: Apache-2.0
// Elementwise operators on f32 that lies densely: either input of two may be one value for all.
#include "op_functions.h"

#define OP_DENSE_UNARY(NAME, name)                                                                       \
  kernel void xhal_dense_##name##_f32(global float* y, global const float* x, float p, float q, float r, \
                                      ulong n) {                                                         \
    const size_t i = get_global_id(0);                                                                   \
    if (i < n) y[i] = op_##name##_f32(x[i], p, q, r);                                                    \
  }
XHAL_OP_UNARY(OP_DENSE_UNARY)

// Names are put together at once: a compiler may have macros of the names of built-in functions.
#define OP_DENSE_PAIR(kernel_name, function, T, parameters, a, b)                        \
  kernel void kernel_name(global T* y, parameters, float p, float q, float r, ulong n) { \
    const size_t i = get_global_id(0);                                                   \
    if (i < n) y[i] = (T)function(a, b, p, q, r);                                        \
  }
#define OP_BOTH global const float *a, global const float *b
#define OP_RIGHT global const float *a, float b
#define OP_LEFT float a, global const float *b
#define OP_DENSE_BINARY(NAME, name) \
  OP_DENSE_PAIR(xhal_dense_##name##_f32, op_##name##_f32, float, OP_BOTH, a[i], b[i])
#define OP_DENSE_BY_VALUE(NAME, name) \
  OP_DENSE_PAIR(xhal_dense_##name##_right_f32, op_##name##_f32, float, OP_RIGHT, a[i], b)
#define OP_DENSE_REVERSED(NAME, name) \
  OP_DENSE_PAIR(xhal_dense_##name##_left_f32, op_##name##_f32, float, OP_LEFT, a, b[i])
#define OP_DENSE_COMPARISON(NAME, name)                                               \
  OP_DENSE_PAIR(xhal_dense_##name##_f32, op_##name##_f32, uchar, OP_BOTH, a[i], b[i]) \
  OP_DENSE_PAIR(xhal_dense_##name##_right_f32, op_##name##_f32, uchar, OP_RIGHT, a[i], b)
XHAL_OP_ARITHMETIC(OP_DENSE_BINARY)
XHAL_OP_PAIRED(OP_DENSE_BINARY)
XHAL_OP_ARITHMETIC(OP_DENSE_BY_VALUE)
XHAL_OP_REVERSED(OP_DENSE_REVERSED)
XHAL_OP_COMPARISON(OP_DENSE_COMPARISON)

#define OP_DENSE_TERNARY(NAME, name)                                                                 \
  kernel void xhal_dense_##name##_f32(global float* y, global const float* a, global const float* b, \
                                      global const float* c, float p, float q, ulong n) {            \
    const size_t i = get_global_id(0);                                                               \
    if (i < n) y[i] = op_##name##_f32(a[i], b[i], c[i], p, q);                                       \
  }
#define OP_DENSE_TERNARY_BUT_WHERE(M) M(ADDCMUL, addcmul) M(ADDCDIV, addcdiv) M(LERP, lerp)
OP_DENSE_TERNARY_BUT_WHERE(OP_DENSE_TERNARY)
