// SPDX-License-Identifier: Apache-2.0
// Losses by margins between the scores of classes, and their gradients; an item a row of scores. Where a target is no class, which a host
// raises for, the loss and the gradient are NaN.
#include "op_element.h"

#define OP_MARGIN(name, T)                                                                                   \
  kernel void xhal_margin_##name(global T* y, global const T* x, global const long* target,                  \
                                 global const T* weight, ulong rows, ulong classes, uint power,              \
                                 uint has_weight, xhal_op_values values) {                                   \
    const ulong row = get_global_id(0);                                                                      \
    if (row >= rows) return;                                                                                 \
    const T margin = OP_IMMEDIATE_##name(values, 0);                                                         \
    const long at = target[row];                                                                             \
    T sum = (T)NAN;                                                                                          \
    if (at >= 0 && at < (long)classes) {                                                                     \
      global const T* scores = x + row * classes;                                                            \
      const T factor = has_weight != 0 ? weight[at] : (T)1;                                                  \
      sum = 0;                                                                                               \
      for (ulong c = 0; c < classes; ++c) {                                                                  \
        const T z = margin - scores[at] + scores[c];                                                         \
        if (c != (ulong)at && z > 0) sum += (power == 1 ? z : z * z) * factor;                               \
      }                                                                                                      \
      sum /= (T)classes;                                                                                     \
    }                                                                                                        \
    y[row] = sum;                                                                                            \
  }                                                                                                          \
  /* `gradient` is one number for all, or one for each row. */                                               \
  kernel void xhal_margin_backward_##name(global T* y, global const T* gradient, global const T* x,          \
                                          global const long* target, global const T* weight, ulong rows,     \
                                          ulong classes, uint power, uint has_weight, uint is_each,          \
                                          uint is_mean, xhal_op_values values) {                             \
    const ulong row = get_global_id(0);                                                                      \
    if (row >= rows) return;                                                                                 \
    const T margin = OP_IMMEDIATE_##name(values, 0);                                                         \
    const long at = target[row];                                                                             \
    const int is_class = at >= 0 && at < (long)classes;                                                      \
    const T share = (T)1 / (T)(is_mean != 0 ? rows * classes : classes);                                     \
    const T of_row = gradient[is_each != 0 ? row : 0];                                                       \
    const T factor = is_class && has_weight != 0 ? weight[at] : (T)1;                                        \
    global const T* scores = x + row * classes;                                                              \
    global T* to = y + row * classes;                                                                        \
    T of_target = 0;                                                                                         \
    for (ulong c = 0; c < classes; ++c) {                                                                    \
      T result = (T)NAN;                                                                                     \
      if (is_class) {                                                                                        \
        const T z = margin - scores[at] + scores[c];                                                         \
        result = c != (ulong)at && z > 0 ? (power == 1 ? share : 2 * share * z) * factor : (T)0;             \
        of_target -= result;                                                                                 \
      }                                                                                                      \
      to[c] = result * of_row;                                                                               \
    }                                                                                                        \
    if (is_class) to[at] = of_target * of_row;                                                               \
  }                                                                                                          \
  /* A row's targets end at the first that is below 0. `is_target` gets 1 for each class that is one. */     \
  kernel void xhal_margins_##name(global T* y, global T* is_target, global const T* x,                       \
                                  global const long* target, ulong rows, ulong classes) {                    \
    const ulong row = get_global_id(0);                                                                      \
    if (row >= rows) return;                                                                                 \
    global T* marks = is_target + row * classes;                                                             \
    global const T* scores = x + row * classes;                                                              \
    global const long* targets = target + row * classes;                                                     \
    for (ulong c = 0; c < classes; ++c) marks[c] = 0;                                                        \
    ulong count = 0;                                                                                         \
    int are_classes = 1;                                                                                     \
    for (; count < classes && targets[count] >= 0; ++count) {                                                \
      if (targets[count] < (long)classes)                                                                    \
        marks[targets[count]] = 1;                                                                           \
      else                                                                                                   \
        are_classes = 0;                                                                                     \
    }                                                                                                        \
    if (count < classes && targets[count] < -1) are_classes = 0;                                             \
    T sum = are_classes ? (T)0 : (T)NAN;                                                                     \
    for (ulong i = 0; are_classes && i < count; ++i) {                                                       \
      const T score = scores[targets[i]];                                                                    \
      for (ulong c = 0; c < classes; ++c) {                                                                  \
        const T z = 1 - score + scores[c];                                                                   \
        if (marks[c] == 0 && z > 0) sum += z;                                                                \
      }                                                                                                      \
    }                                                                                                        \
    y[row] = sum / (T)classes;                                                                               \
  }                                                                                                          \
  kernel void xhal_margins_backward_##name(global T* y, global const T* gradient, global const T* x,         \
                                           global const long* target, global const T* is_target, ulong rows, \
                                           ulong classes, uint is_each, uint is_mean) {                      \
    const ulong row = get_global_id(0);                                                                      \
    if (row >= rows) return;                                                                                 \
    const T share = (T)1 / (T)(is_mean != 0 ? rows * classes : classes);                                     \
    const T of_row = gradient[is_each != 0 ? row : 0];                                                       \
    global const T* marks = is_target + row * classes;                                                       \
    global const T* scores = x + row * classes;                                                              \
    global const long* targets = target + row * classes;                                                     \
    global T* to = y + row * classes;                                                                        \
    for (ulong c = 0; c < classes; ++c) to[c] = 0;                                                           \
    for (ulong i = 0; i < classes && targets[i] >= 0; ++i) {                                                 \
      const long at = targets[i];                                                                            \
      const int is_class = at < (long)classes;                                                               \
      for (ulong c = 0; c < classes; ++c) {                                                                  \
        if (!is_class)                                                                                       \
          to[c] = (T)NAN;                                                                                    \
        else if (marks[c] == 0 && 1 - scores[at] + scores[c] > 0) {                                          \
          to[at] -= share;                                                                                   \
          to[c] += share;                                                                                    \
        }                                                                                                    \
      }                                                                                                      \
    }                                                                                                        \
    for (ulong c = 0; c < classes; ++c) to[c] *= of_row;                                                     \
  }
OP_MARGIN(f32, float)
#ifdef cl_khr_fp64
OP_MARGIN(f64, double)
#endif
