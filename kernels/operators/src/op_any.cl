// SPDX-License-Identifier: Apache-2.0
// Elementwise operators on operands of any type and layout; those of one type that lie densely have kernels of their own.
#include "op_functions.h"
#include "op_integer.h"

#define OP_UNARY_CASE_f32(NAME, name) \
  case XHAL_OP_##NAME:                \
    return op_##name##_f32(x, p, q, r);
#define OP_UNARY_CASE_f64(NAME, name) \
  case XHAL_OP_##NAME:                \
    return op_##name##_f64(x, p, q, r);
#define OP_BINARY_CASE_f32(NAME, name) \
  case XHAL_OP_##NAME:                 \
    return op_##name##_f32(a, b, p, q, r);
#define OP_BINARY_CASE_f64(NAME, name) \
  case XHAL_OP_##NAME:                 \
    return op_##name##_f64(a, b, p, q, r);
#define OP_TERNARY_CASE_f32(NAME, name) \
  case XHAL_OP_##NAME:                  \
    return op_##name##_f32(a, b, c, p, q);
#define OP_TERNARY_CASE_f64(NAME, name) \
  case XHAL_OP_##NAME:                  \
    return op_##name##_f64(a, b, c, p, q);

#define OP_BY_CODE(type, T)                                             \
  static inline T op_unary_##type(uint op, T x, T p, T q, T r) {        \
    switch (op) {                                                       \
      XHAL_OP_UNARY(OP_UNARY_CASE_##type)                               \
      default:                                                          \
        return x;                                                       \
    }                                                                   \
  }                                                                     \
  static inline T op_binary_##type(uint op, T a, T b, T p, T q, T r) {  \
    switch (op) {                                                       \
      XHAL_OP_BINARY(OP_BINARY_CASE_##type)                             \
      XHAL_OP_COMPARISON(OP_BINARY_CASE_##type)                         \
      default:                                                          \
        return a;                                                       \
    }                                                                   \
  }                                                                     \
  static inline T op_ternary_##type(uint op, T a, T b, T c, T p, T q) { \
    switch (op) {                                                       \
      XHAL_OP_TERNARY(OP_TERNARY_CASE_##type)                           \
      default:                                                          \
        return a;                                                       \
    }                                                                   \
  }

#define OP_INPUT(type, pointer, operand)                                                             \
  op_rounded_##type(shape.types[operand] == XHAL_OP_IMMEDIATE                                        \
                        ? OP_IMMEDIATE_##type(values, XHAL_OP_FIRST_IMMEDIATE + operand)             \
                        : op_load_##type(pointer, op_offset(&shape, operand), shape.types[operand]), \
                    shape.types[operand], shape.compute)
#define OP_STORE_RESULT(type, value) op_store_##type(y, op_offset(&shape, 0), shape.types[0], value)
#define OP_P(type, number) OP_IMMEDIATE_##type(values, number)

// clang-format off
#define OP_ANY_FLOAT(type)                                                                                     \
  kernel void xhal_any_unary_##type(uint op, global uchar* y, global const uchar* a, xhal_op_shape shape,      \
                                    xhal_op_values values) {                                                   \
    if (op_is_inside(&shape))                                                                                  \
      OP_STORE_RESULT(type, op_unary_##type(op, OP_INPUT(type, a, 1), OP_P(type, 0), OP_P(type, 1),            \
                                            OP_P(type, 2)));                                                   \
  }                                                                                                            \
  kernel void xhal_any_binary_##type(uint op, global uchar* y, global const uchar* a, global const uchar* b,   \
                                     xhal_op_shape shape, xhal_op_values values) {                             \
    if (op_is_inside(&shape))                                                                                  \
      OP_STORE_RESULT(type, op_binary_##type(op, OP_INPUT(type, a, 1), OP_INPUT(type, b, 2), OP_P(type, 0),    \
                                             OP_P(type, 1), OP_P(type, 2)));                                   \
  }                                                                                                            \
  kernel void xhal_any_ternary_##type(uint op, global uchar* y, global const uchar* a, global const uchar* b,  \
                                      global const uchar* c, xhal_op_shape shape, xhal_op_values values) {     \
    if (op_is_inside(&shape))                                                                                  \
      OP_STORE_RESULT(type, op_ternary_##type(op, OP_INPUT(type, a, 1), OP_INPUT(type, b, 2),                  \
                                              OP_INPUT(type, c, 3), OP_P(type, 0), OP_P(type, 1)));            \
  }
// clang-format on

OP_BY_CODE(f32, float)
OP_ANY_FLOAT(f32)
#ifdef cl_khr_fp64
OP_BY_CODE(f64, double)
OP_ANY_FLOAT(f64)
#endif

static inline uint op_bits_of(uint type) {
  switch (type) {
    case OP_I8:
    case OP_U8:
      return 8;
    case OP_I16:
    case OP_U16:
      return 16;
    case OP_I32:
    case OP_U32:
      return 32;
    default:
      return 64;
  }
}

kernel void xhal_any_unary_i64(uint op, global uchar* y, global const uchar* a, xhal_op_shape shape,
                               xhal_op_values values) {
  if (op_is_inside(&shape))
    OP_STORE_RESULT(i64, op_unary_i64(op, OP_INPUT(i64, a, 1), OP_P(i64, 0), OP_P(i64, 1), shape.compute));
}
kernel void xhal_any_binary_i64(uint op, global uchar* y, global const uchar* a, global const uchar* b,
                                xhal_op_shape shape, xhal_op_values values) {
  if (op_is_inside(&shape))
    OP_STORE_RESULT(i64, op_binary_i64(op, OP_INPUT(i64, a, 1), OP_INPUT(i64, b, 2), OP_P(i64, 0),
                                       OP_P(i64, 1), op_bits_of(shape.compute)));
}
kernel void xhal_any_ternary_i64(uint op, global uchar* y, global const uchar* a, global const uchar* b,
                                 global const uchar* c, xhal_op_shape shape, xhal_op_values values) {
  if (op_is_inside(&shape))
    OP_STORE_RESULT(
        i64, op_ternary_i64(op, OP_INPUT(i64, a, 1), OP_INPUT(i64, b, 2), OP_INPUT(i64, c, 3), OP_P(i64, 0)));
}
