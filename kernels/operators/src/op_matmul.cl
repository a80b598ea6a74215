// SPDX-License-Identifier: Apache-2.0
// Products of matrices for devices without a library of their own: xhal_op_gemm says what is multiplied.
#include "op_element.h"

// f32 of a double's bits, rounded towards zero: factors that a model uses are exact or it does not matter.
static inline float op_float_of_bits(ulong bits) {
  const int exponent = (int)(bits >> 52 & 0x7FF) - 1023 + 127;
  const uint sign = (uint)(bits >> 63) << 31;
  if (exponent <= 0) return as_float(sign);
  if (exponent >= 255) return as_float(sign | 0x7F800000 | ((bits << 12) != 0 ? 0x400000 : 0));
  return as_float(sign | (uint)exponent << 23 | (uint)(bits >> 29 & 0x7FFFFF));
}

// Groups of `side` x `side` items, tiles of as many elements; the batch is dimension 2.
kernel void xhal_gemm_f32(global float* c, global const float* a, global const float* b, xhal_op_gemm gemm,
                          local float* tile_a, local float* tile_b) {
  const size_t side = get_local_size(0);
  const ulong member = get_group_id(2);
  XHAL_PRIVATE(float, sum);
  XHAL_EACH_ITEM { XHAL_OWN(sum) = 0; }
  for (size_t first = 0; first < gemm.k; first += side) {
    XHAL_EACH_ITEM {
      const size_t x = get_local_id(0);
      const size_t y = get_local_id(1);
      const size_t column = get_global_id(0);
      const size_t row = get_global_id(1);
      const size_t ka = first + x;
      const size_t kb = first + y;
      tile_a[y * side + x] =
          row < gemm.m && ka < gemm.k
              ? a[member * gemm.batch_a + (gemm.transposed_a ? ka * gemm.lda + row : row * gemm.lda + ka)]
              : 0;
      tile_b[y * side + x] = column < gemm.n && kb < gemm.k
                                 ? b[member * gemm.batch_b +
                                     (gemm.transposed_b ? column * gemm.ldb + kb : kb * gemm.ldb + column)]
                                 : 0;
    }
    XHAL_GROUP_BARRIER();
    for (size_t inner = 0; inner < side; ++inner) {
      XHAL_EACH_ITEM {
        XHAL_OWN(sum) += tile_a[get_local_id(1) * side + inner] * tile_b[inner * side + get_local_id(0)];
      }
    }
    XHAL_GROUP_BARRIER();
  }
  XHAL_EACH_ITEM {
    const size_t column = get_global_id(0);
    const size_t row = get_global_id(1);
    if (row < gemm.m && column < gemm.n) {
      global float* out = c + member * gemm.batch_c + row * gemm.ldc + column;
      const float product = op_float_of_bits(gemm.alpha) * XHAL_OWN(sum);
      *out = gemm.beta == 0 ? product : product + op_float_of_bits(gemm.beta) * *out;
    }
  }
}

// An item an element, for types that are rare in products.
#define OP_GEMM_ANY(name, T, FACTOR)                                                                        \
  kernel void xhal_gemm_any_##name(global uchar* c, global const uchar* a, global const uchar* b,           \
                                   xhal_op_gemm gemm, uint type, uint bytes) {                              \
    const ulong column = get_global_id(0);                                                                  \
    const ulong row = get_global_id(1);                                                                     \
    const ulong member = get_global_id(2);                                                                  \
    if (column >= gemm.n || row >= gemm.m || member >= gemm.batch) return;                                  \
    T sum = 0;                                                                                              \
    for (ulong k = 0; k < gemm.k; ++k) {                                                                    \
      const ulong at_a =                                                                                    \
          member * gemm.batch_a + (gemm.transposed_a ? k * gemm.lda + row : row * gemm.lda + k);            \
      const ulong at_b =                                                                                    \
          member * gemm.batch_b + (gemm.transposed_b ? column * gemm.ldb + k : k * gemm.ldb + column);      \
      sum += op_load_##name(a, (long)(at_a * bytes), type) * op_load_##name(b, (long)(at_b * bytes), type); \
    }                                                                                                       \
    const long at = (long)((member * gemm.batch_c + row * gemm.ldc + column) * bytes);                      \
    const T product = FACTOR(gemm.alpha) * sum;                                                             \
    op_store_##name(c, at, type,                                                                            \
                    gemm.beta == 0 ? product : product + FACTOR(gemm.beta) * op_load_##name(c, at, type));  \
  }
OP_GEMM_ANY(f32, float, op_float_of_bits)
#ifdef cl_khr_fp64
OP_GEMM_ANY(f64, double, as_double)
#endif
// Whole factors, in place of a double's bits.
#define OP_WHOLE(bits) ((long)(bits))
OP_GEMM_ANY(i64, long, OP_WHOLE)
