// SPDX-License-Identifier: Apache-2.0
// Cells of recurrent networks behind their products: gates are rows of [rows, gates * n], and an item is a unit of one row. What the gates
// became is kept for the gradient.
#include "op_element.h"

#define OP_SIGMOID(x) (1 / (1 + exp(-(x))))

// M(name, T, L, P, GET, PUT): what is computed in, what pointers point to, a pointer's qualifier, and access to an element.
#define OP_RNN_DENSE_GET(T, from, at) (from)[at]
#define OP_RNN_DENSE_PUT(T, to, at, value) (to)[at] = (value)
#define OP_RNN_ANY_GET(T, from, at) op_load_##T(from, (long)((at)*bytes), type)
#define OP_RNN_ANY_PUT(T, to, at, value) op_store_##T(to, (long)((at)*bytes), type, value)

// Gate g of the input's, the hidden state's, and the biases' sums.
#define OP_RNN_INPUT(F, GET, g) \
  (GET(F, input, wide + g * n) + (has_bias != 0 ? GET(F, input_bias, g * n + unit) : 0))
#define OP_RNN_HIDDEN(F, GET, g) \
  (GET(F, hidden, wide + g * n) + (has_bias != 0 ? GET(F, hidden_bias, g * n + unit) : 0))
#define OP_RNN_GATE(F, GET, g) (OP_RNN_INPUT(F, GET, g) + OP_RNN_HIDDEN(F, GET, g))

#define OP_RNN(suffix, T, F, E, GET, PUT)                                                                    \
  kernel void xhal_lstm_cell_##suffix(                                                                       \
      global E* restrict hy, global E* restrict cy, global E* restrict gates,                                \
      global const E* restrict input, global const E* restrict hidden, global const E* restrict cx,          \
      global const E* restrict input_bias, global const E* restrict hidden_bias, ulong rows, ulong n,        \
      uint has_bias, uint type, uint bytes) {                                                                \
    const ulong unit = get_global_id(0), row = get_global_id(1);                                             \
    (void)type, (void)bytes;                                                                                 \
    if (unit >= n || row >= rows) return;                                                                    \
    const ulong wide = row * n * 4 + unit, at = row * n + unit;                                              \
    const T i = OP_SIGMOID(OP_RNN_GATE(F, GET, 0));                                                          \
    const T f = OP_SIGMOID(OP_RNN_GATE(F, GET, 1));                                                          \
    const T g = tanh(OP_RNN_GATE(F, GET, 2));                                                                \
    const T o = OP_SIGMOID(OP_RNN_GATE(F, GET, 3));                                                          \
    const T c = f * GET(F, cx, at) + i * g;                                                                  \
    PUT(F, gates, wide, i);                                                                                  \
    PUT(F, gates, wide + n, f);                                                                              \
    PUT(F, gates, wide + 2 * n, g);                                                                          \
    PUT(F, gates, wide + 3 * n, o);                                                                          \
    PUT(F, cy, at, c);                                                                                       \
    PUT(F, hy, at, o* tanh(c));                                                                              \
  }                                                                                                          \
  /* Either gradient may be missing. */                                                                      \
  kernel void xhal_lstm_cell_backward_##suffix(                                                              \
      global E* restrict grad_gates, global E* restrict grad_cx, global const E* restrict grad_hy,           \
      global const E* restrict grad_cy, global const E* restrict cx, global const E* restrict cy,            \
      global const E* restrict gates, ulong rows, ulong n, uint has_hy, uint has_cy, uint type,              \
      uint bytes) {                                                                                          \
    const ulong unit = get_global_id(0), row = get_global_id(1);                                             \
    (void)type, (void)bytes;                                                                                 \
    if (unit >= n || row >= rows) return;                                                                    \
    const ulong wide = row * n * 4 + unit, at = row * n + unit;                                              \
    const T i = GET(F, gates, wide), f = GET(F, gates, wide + n);                                            \
    const T g = GET(F, gates, wide + 2 * n), o = GET(F, gates, wide + 3 * n);                                \
    const T h = has_hy != 0 ? GET(F, grad_hy, at) : 0;                                                       \
    const T t = tanh(GET(F, cy, at));                                                                        \
    const T c = h * o * (1 - t * t) + (has_cy != 0 ? GET(F, grad_cy, at) : 0);                               \
    PUT(F, grad_gates, wide, c* g * (1 - i) * i);                                                            \
    PUT(F, grad_gates, wide + n, c * GET(F, cx, at) * (1 - f) * f);                                          \
    PUT(F, grad_gates, wide + 2 * n, c * i * (1 - g * g));                                                   \
    PUT(F, grad_gates, wide + 3 * n, h * t * (1 - o) * o);                                                   \
    PUT(F, grad_cx, at, c* f);                                                                               \
  }                                                                                                          \
  /* kept: reset, update and new gate, the state before, and the hidden state's share of the new gate. */    \
  kernel void xhal_gru_cell_##suffix(                                                                        \
      global E* restrict hy, global E* restrict kept, global const E* restrict input,                        \
      global const E* restrict hidden, global const E* restrict hx, global const E* restrict input_bias,     \
      global const E* restrict hidden_bias, ulong rows, ulong n, uint has_bias, uint type, uint bytes) {     \
    const ulong unit = get_global_id(0), row = get_global_id(1);                                             \
    (void)type, (void)bytes;                                                                                 \
    if (unit >= n || row >= rows) return;                                                                    \
    const ulong wide = row * n * 3 + unit, at = row * n + unit, all = row * n * 5 + unit;                    \
    const T r = OP_SIGMOID(OP_RNN_GATE(F, GET, 0));                                                          \
    const T z = OP_SIGMOID(OP_RNN_GATE(F, GET, 1));                                                          \
    const T share = OP_RNN_HIDDEN(F, GET, 2);                                                                \
    const T m = tanh(OP_RNN_INPUT(F, GET, 2) + r * share);                                                   \
    const T h = GET(F, hx, at);                                                                              \
    PUT(F, kept, all, r);                                                                                    \
    PUT(F, kept, all + n, z);                                                                                \
    PUT(F, kept, all + 2 * n, m);                                                                            \
    PUT(F, kept, all + 3 * n, h);                                                                            \
    PUT(F, kept, all + 4 * n, share);                                                                        \
    PUT(F, hy, at, m + z * (h - m));                                                                         \
  }                                                                                                          \
  kernel void xhal_gru_cell_backward_##suffix(global E* restrict grad_input, global E* restrict grad_hidden, \
                                              global E* restrict grad_hx, global const E* restrict grad_hy,  \
                                              global const E* restrict kept, ulong rows, ulong n, uint type, \
                                              uint bytes) {                                                  \
    const ulong unit = get_global_id(0), row = get_global_id(1);                                             \
    (void)type, (void)bytes;                                                                                 \
    if (unit >= n || row >= rows) return;                                                                    \
    const ulong wide = row * n * 3 + unit, at = row * n + unit, all = row * n * 5 + unit;                    \
    const T r = GET(F, kept, all), z = GET(F, kept, all + n), m = GET(F, kept, all + 2 * n);                 \
    const T y = GET(F, grad_hy, at);                                                                         \
    const T update = y * (GET(F, kept, all + 3 * n) - m) * (1 - z) * z;                                      \
    const T fresh = y * (1 - z) * (1 - m * m);                                                               \
    const T reset = fresh * GET(F, kept, all + 4 * n) * (1 - r) * r;                                         \
    PUT(F, grad_input, wide, reset);                                                                         \
    PUT(F, grad_input, wide + n, update);                                                                    \
    PUT(F, grad_input, wide + 2 * n, fresh);                                                                 \
    PUT(F, grad_hidden, wide, reset);                                                                        \
    PUT(F, grad_hidden, wide + n, update);                                                                   \
    PUT(F, grad_hidden, wide + 2 * n, fresh * r);                                                            \
    PUT(F, grad_hx, at, y* z);                                                                               \
  }
OP_RNN(dense_f32, float, f32, float, OP_RNN_DENSE_GET, OP_RNN_DENSE_PUT)
OP_RNN(f32, float, f32, uchar, OP_RNN_ANY_GET, OP_RNN_ANY_PUT)
#ifdef cl_khr_fp64
OP_RNN(f64, double, f64, uchar, OP_RNN_ANY_GET, OP_RNN_ANY_PUT)
#endif
