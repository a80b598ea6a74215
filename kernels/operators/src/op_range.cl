// SPDX-License-Identifier: Apache-2.0
// Numbers that follow from where they stand, and what keeps or changes its place by that.
#include "op_element.h"

// Whole numbers are cut off from what a host computes, so each step is rounded as it is there.
#pragma OPENCL FP_CONTRACT OFF

// Where whole numbers are stored, a power that should be one is one, although pow() need not be exact.
#define OP_POWER(name, T, most)                                                   \
  static inline T op_power_##name(T base, T exponent, uint type) {                \
    const T power = pow(base, exponent);                                          \
    const T whole = rint(power);                                                  \
    return type <= OP_U64 && fabs(power - whole) <= most * whole ? whole : power; \
  }
OP_POWER(f32, float, 4e-7f)
#ifdef cl_khr_fp64
OP_POWER(f64, double, 1e-15)
#endif
#define OP_ROUNDED_WAY_f32(way, type) op_rounded_f32(way, OP_F32, type)
#define OP_ROUNDED_WAY_f64(way, type) \
  ((type) == OP_F16 || (type) == OP_BF16 ? (double)op_rounded_f32((float)(way), OP_F32, type) : (way))
#define OP_ROUNDED_WAY_i64(way, type) (way)

// Each half of a line is counted from its own end, so that both ends are met.
#define OP_RANGE(name, T, POWER)                                                           \
  kernel void xhal_range_##name(uint op, global uchar* y, ulong n, long stride, uint type, \
                                xhal_op_values values) {                                   \
    const ulong i = get_global_id(0);                                                      \
    if (i >= n) return;                                                                    \
    const T start = OP_IMMEDIATE_##name(values, 0);                                        \
    const T step = OP_IMMEDIATE_##name(values, 1);                                         \
    const T end = OP_IMMEDIATE_##name(values, 2);                                          \
    const int is_second = op != XHAL_OP_RANGE_STEPS && i >= n / 2;                         \
    T way = step * (T)(is_second ? n - 1 - i : i);                                         \
    /* In 16 bits the host rounds the way, too. */                                         \
    if (op == XHAL_OP_RANGE_LINE) way = OP_ROUNDED_WAY_##name(way, type);                  \
    const T value = is_second ? end - way : start + way;                                   \
    op_store_##name(y, (long)i* stride, type, POWER);                                      \
  }
#define OP_RANGE_POWER(name) \
  op == XHAL_OP_RANGE_POWERS ? op_power_##name(OP_IMMEDIATE_##name(values, 3), value, type) : value
OP_RANGE(f32, float, OP_RANGE_POWER(f32))
OP_RANGE(i64, long, value)
#ifdef cl_khr_fp64
OP_RANGE(f64, double, OP_RANGE_POWER(f64))
#endif

// Rows of matrices one behind the other, without what lies beyond a diagonal.
#define OP_TRIANGLE(bytes, T)                                                                                \
  kernel void xhal_triangle_##bytes(uint is_upper, global T* y, global const T* a, ulong rows, ulong height, \
                                    ulong columns, long diagonal) {                                          \
    const ulong row = get_global_id(0);                                                                      \
    if (row >= rows) return;                                                                                 \
    const long border = (long)(row % height) + diagonal + (is_upper != 0 ? 0 : 1);                           \
    const ulong middle = border < 0 ? 0 : border > (long)columns ? columns : (ulong)border;                  \
    const ulong first = is_upper != 0 ? middle : 0;                                                          \
    const ulong end = is_upper != 0 ? columns : middle;                                                      \
    global T* to = y + row * columns;                                                                        \
    global const T* from = a + row * columns;                                                                \
    for (ulong i = 0; i < first; ++i) to[i] = 0;                                                             \
    if (y != a)                                                                                              \
      for (ulong i = first; i < end; ++i) to[i] = from[i];                                                   \
    for (ulong i = end; i < columns; ++i) to[i] = 0;                                                         \
  }
OP_TRIANGLE(1, uchar)
OP_TRIANGLE(2, ushort)
OP_TRIANGLE(4, uint)
OP_TRIANGLE(8, ulong)

// 1 + 2 + ... + m, with no term above `most`.
static inline long op_steps_to(long m, long most) {
  if (m <= 0) return 0;
  return m <= most ? m * (m + 1) / 2 : most * (most + 1) / 2 + (m - most) * most;
}
static inline long op_clamp_long(long value, long most) {
  return value < 0 ? 0 : value > most ? most : value;
}

// Rows and columns of what a triangle keeps: two rows of n numbers. An item a row of the matrix.
kernel void xhal_triangle_indices(uint is_upper, global uchar* y, ulong n, long rows, long columns,
                                  long diagonal, uint type) {
  const long row = (long)get_global_id(0);
  if (row >= rows) return;
  long at;
  long first;
  long end;
  if (is_upper != 0) {
    at = row * columns - (op_steps_to(row + diagonal - 1, columns) - op_steps_to(diagonal - 1, columns));
    first = op_clamp_long(row + diagonal, columns);
    end = columns;
  } else {
    at = op_steps_to(row + diagonal, columns) - op_steps_to(diagonal, columns);
    first = 0;
    end = op_clamp_long(row + diagonal + 1, columns);
  }
  const long bytes = type == OP_I32 ? 4 : type == OP_I64 ? 8 : type == OP_I16 ? 2 : 1;
  for (long column = first; column < end; ++column, ++at) {
    op_store_i64(y, at * bytes, type, row);
    op_store_i64(y, ((long)n + at) * bytes, type, column);
  }
}

// The elements of `a` from its byte `first` on, by strides that may go backwards.
#define OP_FLIP(bytes, T)                                                                                  \
  kernel void xhal_flip_##bytes(global T* y, global const T* a, long first, xhal_op_shape shape) {         \
    if (op_is_inside(&shape)) y[op_offset(&shape, 0) / bytes] = a[(first + op_offset(&shape, 1)) / bytes]; \
  }
OP_FLIP(1, uchar)
OP_FLIP(2, ushort)
OP_FLIP(4, uint)
OP_FLIP(8, ulong)
