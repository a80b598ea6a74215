// SPDX-License-Identifier: Apache-2.0
// One operator on several dense tensors of f32 in a launch.
#include "op_element.h"

#define OP_LIST_OF(t) \
  global float *y##t, global const float *a##t, global const float *b##t, global const float *c##t
#define OP_LIST_TAKE(t) \
  case t:               \
    y = y##t;           \
    a = a##t;           \
    b = b##t;           \
    c = c##t;           \
    break;

// The output may be an input, never a part of one: elements have nothing to do with each other.
#ifdef XHAL_FORMAT_NATIVE
#define OP_LIST_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define OP_LIST_INDEPENDENT
#endif
#define OP_LIST_CASE(NAME, value)                                         \
  case XHAL_OP_LIST_##NAME:                                               \
    OP_LIST_INDEPENDENT for (ulong i = first; i < end; ++i) y[i] = value; \
    break;

kernel void xhal_list_f32(OP_LIST_OF(0), OP_LIST_OF(1), OP_LIST_OF(2), OP_LIST_OF(3), OP_LIST_OF(4),
                          OP_LIST_OF(5), OP_LIST_OF(6), OP_LIST_OF(7), xhal_op_list list) {
  const uint tensor = (uint)get_global_id(1);
  if (tensor >= XHAL_OP_LIST_TENSORS) return;
  const ulong n = list.n[tensor];
  const ulong first = get_global_id(0) * list.each;
  if (first >= n) return;
  const ulong end = first + list.each < n ? first + list.each : n;
  const float p = list.p[tensor];
  global float* y = y0;
  global const float* a = a0;
  global const float* b = b0;
  global const float* c = c0;
  switch (tensor) {
    OP_LIST_TAKE(1)
    OP_LIST_TAKE(2)
    OP_LIST_TAKE(3)
    OP_LIST_TAKE(4)
    OP_LIST_TAKE(5)
    OP_LIST_TAKE(6)
    OP_LIST_TAKE(7)
    default:
      break;
  }
  switch (list.code) {
    OP_LIST_CASE(ADD_VALUE, a[i] + p)
    OP_LIST_CASE(MUL_VALUE, a[i] * p)
    OP_LIST_CASE(DIV_VALUE, a[i] / p)
    OP_LIST_CASE(ADD, a[i] + p * b[i])
    case XHAL_OP_LIST_MUL_ONE: {
      const float factor = b[0];
      OP_LIST_INDEPENDENT for (ulong i = first; i < end; ++i) y[i] = a[i] * factor;
      break;
    }
      OP_LIST_CASE(LERP, fabs(p) < 0.5f ? a[i] + p * (b[i] - a[i]) : b[i] - (b[i] - a[i]) * (1.0f - p))
      OP_LIST_CASE(ADDCMUL, a[i] + p * b[i] * c[i])
      OP_LIST_CASE(ADDCDIV, a[i] + p * b[i] / c[i])
    default:
      OP_LIST_INDEPENDENT for (ulong i = first; i < end; ++i) y[i] = sqrt(a[i]);
      break;
  }
}
