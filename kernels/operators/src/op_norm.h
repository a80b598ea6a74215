// SPDX-License-Identifier: Apache-2.0
// Sums over rows and columns of f32 in lanes, which vectorise; blocks of them keep what is added near to what it is added to.
#ifndef XHAL_OP_NORM_H_
#define XHAL_OP_NORM_H_

#include "op_element.h"

#define OP_NORM_LANES XHAL_OP_NORM_LANES
#define OP_NORM_BLOCK 4096

static inline float op_sum_of_lanes(const float* lanes) {
  float halves[OP_NORM_LANES / 2];
  for (uint l = 0; l < OP_NORM_LANES / 2; ++l) halves[l] = lanes[l] + lanes[l + OP_NORM_LANES / 2];
  return ((halves[0] + halves[4]) + (halves[2] + halves[6])) +
         ((halves[1] + halves[5]) + (halves[3] + halves[7]));
}

// Adds `term`, which `k` goes through for 0..count, to total.
#define OP_SUM_ROW(total, count, k, term)                                                       \
  for (ulong op_first = 0; op_first < (count); op_first += OP_NORM_BLOCK) {                     \
    const ulong op_end = (count)-op_first < OP_NORM_BLOCK ? (count) : op_first + OP_NORM_BLOCK; \
    float op_lanes[OP_NORM_LANES] = {0};                                                        \
    float op_rest = 0;                                                                          \
    ulong op_i = op_first;                                                                      \
    for (; op_i + OP_NORM_LANES <= op_end; op_i += OP_NORM_LANES)                               \
      for (uint op_l = 0; op_l < OP_NORM_LANES; ++op_l) {                                       \
        const ulong k = op_i + op_l;                                                            \
        op_lanes[op_l] += (term);                                                               \
      }                                                                                         \
    for (; op_i < op_end; ++op_i) {                                                             \
      const ulong k = op_i;                                                                     \
      op_rest += (term);                                                                        \
    }                                                                                           \
    total += op_sum_of_lanes(op_lanes) + op_rest;                                               \
  }

// Adds `term` of row `i` and lane `l`, for 0..rows, to totals[l].
#define OP_SUM_COLUMNS(totals, rows, i, l, term)                          \
  for (ulong op_first = 0; op_first < (rows); op_first += 256) {          \
    const ulong op_end = (rows)-op_first < 256 ? (rows) : op_first + 256; \
    float op_lanes[OP_NORM_LANES] = {0};                                  \
    for (ulong i = op_first; i < op_end; ++i)                             \
      for (uint l = 0; l < OP_NORM_LANES; ++l) op_lanes[l] += (term);     \
    for (uint l = 0; l < OP_NORM_LANES; ++l) totals[l] += op_lanes[l];    \
  }

// Both of two sums in one pass.
#define OP_SUM_ROW_PAIR(total, other, count, k, term, other_term)                               \
  for (ulong op_first = 0; op_first < (count); op_first += OP_NORM_BLOCK) {                     \
    const ulong op_end = (count)-op_first < OP_NORM_BLOCK ? (count) : op_first + OP_NORM_BLOCK; \
    float op_lanes[OP_NORM_LANES] = {0};                                                        \
    float op_others[OP_NORM_LANES] = {0};                                                       \
    float op_rest = 0;                                                                          \
    float op_other_rest = 0;                                                                    \
    ulong op_i = op_first;                                                                      \
    for (; op_i + OP_NORM_LANES <= op_end; op_i += OP_NORM_LANES)                               \
      for (uint op_l = 0; op_l < OP_NORM_LANES; ++op_l) {                                       \
        const ulong k = op_i + op_l;                                                            \
        op_lanes[op_l] += (term);                                                               \
        op_others[op_l] += (other_term);                                                        \
      }                                                                                         \
    for (; op_i < op_end; ++op_i) {                                                             \
      const ulong k = op_i;                                                                     \
      op_rest += (term);                                                                        \
      op_other_rest += (other_term);                                                            \
    }                                                                                           \
    total += op_sum_of_lanes(op_lanes) + op_rest;                                               \
    other += op_sum_of_lanes(op_others) + op_other_rest;                                        \
  }
#define OP_SUM_COLUMNS_PAIR(totals, others, rows, i, l, term, other_term) \
  for (ulong op_first = 0; op_first < (rows); op_first += 256) {          \
    const ulong op_end = (rows)-op_first < 256 ? (rows) : op_first + 256; \
    float op_lanes[OP_NORM_LANES] = {0};                                  \
    float op_others[OP_NORM_LANES] = {0};                                 \
    for (ulong i = op_first; i < op_end; ++i)                             \
      for (uint l = 0; l < OP_NORM_LANES; ++l) {                          \
        op_lanes[l] += (term);                                            \
        op_others[l] += (other_term);                                     \
      }                                                                   \
    for (uint l = 0; l < OP_NORM_LANES; ++l) {                            \
      totals[l] += op_lanes[l];                                           \
      others[l] += op_others[l];                                          \
    }                                                                     \
  }

// Runs a function with the type of the elements as a constant where it has 16 bits, so that reading one asks for no type.
#define OP_WITH_TYPE(function, shape, ...) \
  do {                                     \
    if ((shape).type == OP_BF16) {         \
      (shape).type = OP_BF16;              \
      function(__VA_ARGS__);               \
    } else if ((shape).type == OP_F16) {   \
      (shape).type = OP_F16;               \
      function(__VA_ARGS__);               \
    } else {                               \
      function(__VA_ARGS__);               \
    }                                      \
  } while (0)

#define OP_NORM_HAS(shape, flag) (((shape)->flags & XHAL_OP_NORM_##flag) != 0)

static inline ulong op_slice_at(const xhal_op_norm* shape, ulong slice) {
  return slice / shape->period * shape->far_stride + slice % shape->period * shape->near_stride;
}

static inline ulong op_weight_at(const xhal_op_norm* shape, ulong slice) {
  return slice % shape->period * shape->weight_slice;
}

static inline uint op_bytes_of(uint type) {
  switch (type) {
    case OP_F16:
    case OP_BF16:
      return 2;
    case OP_F32:
      return 4;
    default:
      return 8;
  }
}

#define OP_NORM_EPSILON_f32(shape) ((shape)->epsilon_f32)
#define OP_NORM_EPSILON_f64(shape) as_double((shape)->epsilon_f64)
#define OP_NORM_MOMENTUM_f32(shape) ((shape)->momentum_f32)
#define OP_NORM_MOMENTUM_f64(shape) as_double((shape)->momentum_f64)

#define OP_T float
#define OP_F(name) name##_f32
#include "op_norm_any.h"
#undef OP_T
#undef OP_F

#ifdef cl_khr_fp64
#define OP_T double
#define OP_F(name) name##_f64
#include "op_norm_any.h"
#undef OP_T
#undef OP_F
#endif

#endif
