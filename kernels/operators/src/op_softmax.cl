// SPDX-License-Identifier: Apache-2.0
// Softmax and its logarithm along the middle of [outer, n, inner], and their gradients: an item a row.
#include "op_element.h"

// Sizes are in elements; types may differ, as of f16 that becomes f32.
#define OP_SOFTMAX(name, T)                                                                                 \
  kernel void xhal_softmax_##name(uint is_log, global uchar* y, global const uchar* a, ulong rows, ulong n, \
                                  ulong inner, uint input, uint input_bytes, uint output,                   \
                                  uint output_bytes) {                                                      \
    const ulong row = get_global_id(0);                                                                     \
    if (row >= rows) return;                                                                                \
    const ulong outer = row / inner;                                                                        \
    const long first = (long)(outer * n * inner + (row - outer * inner));                                   \
    T most = -(T)INFINITY;                                                                                  \
    for (ulong i = 0; i < n; ++i) {                                                                         \
      const T x = op_load_##name(a, (first + (long)(i * inner)) * (long)input_bytes, input);                \
      most = x != x || x > most ? x : most;                                                                 \
    }                                                                                                       \
    T sum = 0;                                                                                              \
    for (ulong i = 0; i < n; ++i)                                                                           \
      sum += exp(op_load_##name(a, (first + (long)(i * inner)) * (long)input_bytes, input) - most);         \
    const T shift = log(sum);                                                                               \
    for (ulong i = 0; i < n; ++i) {                                                                         \
      const long at = first + (long)(i * inner);                                                            \
      const T x = op_load_##name(a, at * (long)input_bytes, input) - most;                                  \
      op_store_##name(y, at*(long)output_bytes, output, is_log != 0 ? x - shift : exp(x) / sum);            \
    }                                                                                                       \
  }                                                                                                         \
  kernel void xhal_softmax_backward_##name(uint is_log, global uchar* y, global const uchar* gradient,      \
                                           global const uchar* result, ulong rows, ulong n, ulong inner,    \
                                           uint input, uint input_bytes, uint output, uint output_bytes) {  \
    const ulong row = get_global_id(0);                                                                     \
    if (row >= rows) return;                                                                                \
    const ulong outer = row / inner;                                                                        \
    const long first = (long)(outer * n * inner + (row - outer * inner));                                   \
    T sum = 0;                                                                                              \
    for (ulong i = 0; i < n; ++i) {                                                                         \
      const long at = (first + (long)(i * inner)) * (long)input_bytes;                                      \
      const T g = op_load_##name(gradient, at, input);                                                      \
      sum += is_log != 0 ? g : g * op_load_##name(result, at, input);                                       \
    }                                                                                                       \
    for (ulong i = 0; i < n; ++i) {                                                                         \
      const long at = first + (long)(i * inner);                                                            \
      const T g = op_load_##name(gradient, at * (long)input_bytes, input);                                  \
      const T r = op_load_##name(result, at * (long)input_bytes, input);                                    \
      op_store_##name(y, at*(long)output_bytes, output, is_log != 0 ? g - exp(r) * sum : r * (g - sum));    \
    }                                                                                                       \
  }
OP_SOFTMAX(f32, float)
#ifdef cl_khr_fp64
OP_SOFTMAX(f64, double)
#endif
