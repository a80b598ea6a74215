// SPDX-License-Identifier: Apache-2.0
// Elements of any type as what a kernel computes in: f32, f64 where there is one, or i64 for integers and bool.
#ifndef XHAL_OP_ELEMENT_H_
#define XHAL_OP_ELEMENT_H_

#include "xhal/operators.h"
#include "xhal_element.h"
#include "xhal_kernel.h"

// XHAL_DTYPE_x of xhal/device.h.
enum {
  OP_BOOL,
  OP_I8,
  OP_U8,
  OP_I16,
  OP_U16,
  OP_I32,
  OP_U32,
  OP_I64,
  OP_U64,
  OP_F16,
  OP_BF16,
  OP_F32,
  OP_F64,
  OP_C64,
  OP_C128
};

#define OP_AT(type) (*(global const type*)(base + at))

// A double that is stored where the device computes in none is never met: it claims no such type.
#ifdef cl_khr_fp64
#define OP_LOAD_F64(T) \
  case OP_F64:         \
    return (T)OP_AT(double);
#define OP_STORE_F64                              \
  case OP_F64:                                    \
    *(global double*)(base + at) = (double)value; \
    return;
#else
#define OP_LOAD_F64(T)
#define OP_STORE_F64
#endif

#define OP_LOAD(name, T)                                                         \
  static inline T op_load_##name(global const uchar* base, long at, uint type) { \
    switch (type) {                                                              \
      case OP_BOOL:                                                              \
        return (T)(OP_AT(uchar) != 0);                                           \
      case OP_U8:                                                                \
        return (T)OP_AT(uchar);                                                  \
      case OP_I8:                                                                \
        return (T)OP_AT(char);                                                   \
      case OP_I16:                                                               \
        return (T)OP_AT(short);                                                  \
      case OP_U16:                                                               \
        return (T)OP_AT(ushort);                                                 \
      case OP_I32:                                                               \
        return (T)OP_AT(int);                                                    \
      case OP_U32:                                                               \
        return (T)OP_AT(uint);                                                   \
      case OP_I64:                                                               \
        return (T)OP_AT(long);                                                   \
      case OP_U64:                                                               \
        return (T)OP_AT(ulong);                                                  \
      case OP_F16:                                                               \
        return (T)xhal_float_of_f16(OP_AT(ushort));                              \
      case OP_BF16:                                                              \
        return (T)xhal_float_of_bf16(OP_AT(ushort));                             \
      case OP_F32:                                                               \
        return (T)OP_AT(float);                                                  \
        OP_LOAD_F64(T)                                                           \
      default:                                                                   \
        return 0;                                                                \
    }                                                                            \
  }

// What has no such value in the narrower type is what a C cast by way of 64 bits makes of it, as on hosts.
#define OP_STORE(name, T)                                                               \
  static inline void op_store_##name(global uchar* base, long at, uint type, T value) { \
    switch (type) {                                                                     \
      case OP_BOOL:                                                                     \
        *(global uchar*)(base + at) = value != 0;                                       \
        return;                                                                         \
      case OP_I8:                                                                       \
      case OP_U8:                                                                       \
        *(global uchar*)(base + at) = (uchar)(long)value;                               \
        return;                                                                         \
      case OP_I16:                                                                      \
      case OP_U16:                                                                      \
        *(global ushort*)(base + at) = (ushort)(long)value;                             \
        return;                                                                         \
      case OP_I32:                                                                      \
      case OP_U32:                                                                      \
        *(global uint*)(base + at) = (uint)(long)value;                                 \
        return;                                                                         \
      case OP_I64:                                                                      \
        *(global long*)(base + at) = (long)value;                                       \
        return;                                                                         \
      case OP_U64:                                                                      \
        *(global ulong*)(base + at) = (ulong)value;                                     \
        return;                                                                         \
      case OP_F16:                                                                      \
        *(global ushort*)(base + at) = xhal_f16_of_float((float)value);                 \
        return;                                                                         \
      case OP_BF16:                                                                     \
        *(global ushort*)(base + at) = xhal_bf16_of_float((float)value);                \
        return;                                                                         \
      case OP_F32:                                                                      \
        *(global float*)(base + at) = (float)value;                                     \
        return;                                                                         \
        OP_STORE_F64                                                                    \
      default:                                                                          \
        return;                                                                         \
    }                                                                                   \
  }

OP_LOAD(f32, float)
OP_STORE(f32, float)
OP_LOAD(i64, long)
OP_STORE(i64, long)
#ifdef cl_khr_fp64
OP_LOAD(f64, double)
OP_STORE(f64, double)
#endif

// An input of another type than the one that is computed in is rounded to that first.
static inline float op_rounded_f32(float value, uint type, uint compute) {
  if (type == compute || compute == OP_F32) return value;
  if (compute == OP_F16) return xhal_float_of_f16(xhal_f16_of_float(value));
  if (compute == OP_BF16) return xhal_float_of_bf16(xhal_bf16_of_float(value));
  return value;
}
static inline long op_rounded_i64(long value, uint type, uint compute) {
  if (type == compute) return value;
  switch (compute) {
    case OP_BOOL:
      return value != 0;
    case OP_I8:
      return (char)value;
    case OP_U8:
      return (uchar)value;
    case OP_I16:
      return (short)value;
    case OP_I32:
      return (int)value;
    default:
      return value;
  }
}
#define op_rounded_f64(value, type, compute) (value)

#define OP_IMMEDIATE_f32(values, number) ((values).f[number])
#define OP_IMMEDIATE_f64(values, number) as_double((values).d[number])
#define OP_IMMEDIATE_i64(values, number) ((values).i[number])

// Whether this item has an element.
static inline int op_is_inside(const xhal_op_shape* shape) {
  ulong deep = 1;
  for (uint d = 2; d < shape->dims; ++d) deep *= shape->sizes[d];
  return get_global_id(0) < shape->sizes[0] && get_global_id(1) < shape->sizes[1] && get_global_id(2) < deep;
}

// Where this item's element of an operand lies, in bytes from its first one.
static inline long op_offset(const xhal_op_shape* shape, uint operand) {
  long at = (long)get_global_id(0) * shape->strides[operand][0] +
            (long)get_global_id(1) * shape->strides[operand][1];
  ulong rest = get_global_id(2);
  for (uint d = 2; d < shape->dims; ++d) {
    const ulong outer = rest / shape->sizes[d];
    at += (long)(rest - outer * shape->sizes[d]) * shape->strides[operand][d];
    rest = outer;
  }
  return at;
}

#endif
