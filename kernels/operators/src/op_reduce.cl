// SPDX-License-Identifier: Apache-2.0
// Reductions over any dimensions, of any type: the general sums carry what each addition lost, those of dense rows are made of many parts.
#include "op_element.h"

// What one output has seen so far.
#define OP_REDUCTION_STATE(name, T)                    \
  typedef struct op_state_##name {                     \
    T value;                                           \
    T lost; /* of a sum, or Welford's second moment */ \
    ulong seen;                                        \
    ulong index;                                       \
  } op_state_##name;

#define OP_ADD_TO(T, state, element)                                          \
  do {                                                                        \
    const T op_term = (element)-state.lost;                                   \
    const T op_sum = state.value + op_term;                                   \
    /* An infinite sum has lost nothing. */                                   \
    state.lost = op_sum - op_sum == 0 ? (op_sum - state.value) - op_term : 0; \
    state.value = op_sum;                                                     \
  } while (0)

// Whether `x` is before what was found, as of minima; a NaN is before all, and of two the first.
#define OP_BEFORE(x, found) ((x) < (found) || ((x) != (x) && (found) == (found)))
#define OP_BEHIND(x, found) ((x) > (found) || ((x) != (x) && (found) == (found)))

#define OP_REDUCE(name, T, NORM_TERM)                                                                     \
  OP_REDUCTION_STATE(name, T)                                                                             \
  static inline void op_take_##name(uint op, op_state_##name* of, T x, T p) {                             \
    op_state_##name state = *of;                                                                          \
    switch (op) {                                                                                         \
      case XHAL_OP_REDUCE_SUM:                                                                            \
      case XHAL_OP_REDUCE_MEAN:                                                                           \
        OP_ADD_TO(T, state, x);                                                                           \
        break;                                                                                            \
      case XHAL_OP_REDUCE_NANSUM:                                                                         \
        if (x == x) OP_ADD_TO(T, state, x);                                                               \
        break;                                                                                            \
      case XHAL_OP_REDUCE_PROD:                                                                           \
        state.value *= x;                                                                                 \
        break;                                                                                            \
      case XHAL_OP_REDUCE_MIN:                                                                            \
      case XHAL_OP_REDUCE_ARGMIN:                                                                         \
        if (state.seen == 0 || OP_BEFORE(x, state.value)) {                                               \
          state.value = x;                                                                                \
          state.index = state.seen;                                                                       \
        }                                                                                                 \
        break;                                                                                            \
      case XHAL_OP_REDUCE_MAX:                                                                            \
      case XHAL_OP_REDUCE_ARGMAX:                                                                         \
        if (state.seen == 0 || OP_BEHIND(x, state.value)) {                                               \
          state.value = x;                                                                                \
          state.index = state.seen;                                                                       \
        }                                                                                                 \
        break;                                                                                            \
      case XHAL_OP_REDUCE_ALL:                                                                            \
        state.value = state.value != 0 && x != 0;                                                         \
        break;                                                                                            \
      case XHAL_OP_REDUCE_ANY:                                                                            \
        state.value = state.value != 0 || x != 0;                                                         \
        break;                                                                                            \
      case XHAL_OP_REDUCE_NORM:                                                                           \
        NORM_TERM(state, x, p, T)                                                                         \
        break;                                                                                            \
      default: { /* Welford: value is the mean so far. */                                                 \
        const T distance = x - state.value;                                                               \
        state.value += distance / (T)(state.seen + 1);                                                    \
        state.lost += distance * (x - state.value);                                                       \
        break;                                                                                            \
      }                                                                                                   \
    }                                                                                                     \
    ++state.seen;                                                                                         \
    *of = state;                                                                                          \
  }                                                                                                       \
  static inline void op_reduce_all_##name(uint op, global const uchar* a, const xhal_op_reduction* shape, \
                                          ulong output, T p, op_state_##name* state) {                    \
    long first = 0;                                                                                       \
    for (uint d = 0; d < shape->kept_dims; ++d) {                                                         \
      const ulong outer = output / shape->kept[d];                                                        \
      first += (long)(output - outer * shape->kept[d]) * shape->kept_input[d];                            \
      output = outer;                                                                                     \
    }                                                                                                     \
    const ulong inner = shape->reduced[0];                                                                \
    for (ulong row = 0; row < shape->count / inner; ++row) {                                              \
      long at = first;                                                                                    \
      ulong rest = row;                                                                                   \
      for (uint d = 1; d < shape->reduced_dims; ++d) {                                                    \
        const ulong outer = rest / shape->reduced[d];                                                     \
        at += (long)(rest - outer * shape->reduced[d]) * shape->reduced_input[d];                         \
        rest = outer;                                                                                     \
      }                                                                                                   \
      for (ulong i = 0; i < inner; ++i) {                                                                 \
        op_take_##name(op, state, op_load_##name(a, at, shape->input_type), p);                           \
        at += shape->reduced_input[0];                                                                    \
      }                                                                                                   \
    }                                                                                                     \
  }                                                                                                       \
  static inline long op_output_at_##name(const xhal_op_reduction* shape, ulong output) {                  \
    long at = 0;                                                                                          \
    for (uint d = 0; d < shape->kept_dims; ++d) {                                                         \
      const ulong outer = output / shape->kept[d];                                                        \
      at += (long)(output - outer * shape->kept[d]) * shape->kept_output[d];                              \
      output = outer;                                                                                     \
    }                                                                                                     \
    return at;                                                                                            \
  }

// Powers of absolute values: their count where they are not zero, their sum, their squares' sum, or the largest or smallest.
#define OP_NORM_FLOAT(state, x, p, T)                                                            \
  {                                                                                              \
    const T size = fabs(x);                                                                      \
    if (p == (T)INFINITY) {                                                                      \
      if (state.seen == 0 || OP_BEHIND(size, state.value)) state.value = size;                   \
    } else if (p == -(T)INFINITY) {                                                              \
      if (state.seen == 0 || OP_BEFORE(size, state.value)) state.value = size;                   \
    } else {                                                                                     \
      OP_ADD_TO(T, state, p == 2 ? x * x : p == 1 ? size : p == 0 ? (T)(x != 0) : pow(size, p)); \
    }                                                                                            \
  }
#define OP_NORM_NONE(state, x, p, T) (void)(p);

#define OP_REDUCE_FLOAT(name, T)                                                                      \
  OP_REDUCE(name, T, OP_NORM_FLOAT)                                                                   \
  kernel void xhal_reduce_any_##name(uint op, global uchar* y, global const uchar* a,                 \
                                     xhal_op_reduction shape, xhal_op_values values) {                \
    const ulong output = get_global_id(0);                                                            \
    if (output >= shape.outputs) return;                                                              \
    const T p = OP_IMMEDIATE_##name(values, 0);                                                       \
    op_state_##name state = {op == XHAL_OP_REDUCE_PROD || op == XHAL_OP_REDUCE_ALL ? 1 : 0, 0, 0, 0}; \
    op_reduce_all_##name(op, a, &shape, output, p, &state);                                           \
    const long at = op_output_at_##name(&shape, output);                                              \
    const T left = (T)shape.count - p;                                                                \
    const T variance = state.lost / (left > 0 ? left : 0);                                            \
    switch (op) {                                                                                     \
      case XHAL_OP_REDUCE_ARGMIN:                                                                     \
      case XHAL_OP_REDUCE_ARGMAX:                                                                     \
        *(global long*)(y + at) = (long)state.index;                                                  \
        return;                                                                                       \
      case XHAL_OP_REDUCE_MEAN:                                                                       \
        state.value /= (T)shape.count;                                                                \
        break;                                                                                        \
      case XHAL_OP_REDUCE_NORM:                                                                       \
        if (p != 0 && p != 1 && fabs(p) != (T)INFINITY)                                               \
          state.value = p == 2 ? sqrt(state.value) : pow(state.value, 1 / p);                         \
        break;                                                                                        \
      case XHAL_OP_REDUCE_VAR:                                                                        \
        state.value = variance;                                                                       \
        break;                                                                                        \
      case XHAL_OP_REDUCE_STD:                                                                        \
        state.value = sqrt(variance);                                                                 \
        break;                                                                                        \
      default:                                                                                        \
        break;                                                                                        \
    }                                                                                                 \
    op_store_##name(y, at, shape.output_type, state.value);                                           \
  }
OP_REDUCE_FLOAT(f32, float)
#ifdef cl_khr_fp64
OP_REDUCE_FLOAT(f64, double)
#endif

OP_REDUCE(i64, long, OP_NORM_NONE)
kernel void xhal_reduce_any_i64(uint op, global uchar* y, global const uchar* a, xhal_op_reduction shape,
                                xhal_op_values values) {
  const ulong output = get_global_id(0);
  if (output >= shape.outputs) return;
  op_state_i64 state = {op == XHAL_OP_REDUCE_PROD || op == XHAL_OP_REDUCE_ALL ? 1 : 0, 0, 0, 0};
  op_reduce_all_i64(op, a, &shape, output, OP_IMMEDIATE_i64(values, 0), &state);
  const long at = op_output_at_i64(&shape, output);
  const int is_index = op == XHAL_OP_REDUCE_ARGMIN || op == XHAL_OP_REDUCE_ARGMAX;
  op_store_i64(y, at, shape.output_type, is_index ? (long)state.index : state.value);
}

// Rows of f32 that lie densely: a group a row, whose items take neighbours.
#define OP_LANES 64
#define OP_REDUCE_ROWS(name, start, combine)                                                                \
  kernel void xhal_reduce_rows_##name##_f32(global float* y, global const float* a, ulong n, float divisor, \
                                            local float* parts) {                                           \
    global const float* row = a + get_group_id(0) * n;                                                      \
    XHAL_PRIVATE(float, mine);                                                                              \
    XHAL_EACH_ITEM { XHAL_OWN(mine) = start; }                                                              \
    const ulong whole = n / OP_LANES * OP_LANES;                                                            \
    for (ulong first = 0; first < whole; first += OP_LANES) {                                               \
      XHAL_EACH_ITEM {                                                                                      \
        const float x = row[first + get_local_id(0)];                                                       \
        const float m = XHAL_OWN(mine);                                                                     \
        XHAL_OWN(mine) = combine;                                                                           \
      }                                                                                                     \
    }                                                                                                       \
    XHAL_EACH_ITEM {                                                                                        \
      const size_t lane = get_local_id(0);                                                                  \
      float m = XHAL_OWN(mine);                                                                             \
      if (whole + lane < n) {                                                                               \
        const float x = row[whole + lane];                                                                  \
        m = combine;                                                                                        \
      }                                                                                                     \
      parts[lane] = m;                                                                                      \
    }                                                                                                       \
    XHAL_GROUP_BARRIER();                                                                                   \
    for (size_t reach = OP_LANES / 2; reach != 0; reach /= 2) {                                             \
      XHAL_FIRST_ITEMS(reach) {                                                                             \
        const size_t lane = get_local_id(0);                                                                \
        const float m = parts[lane];                                                                        \
        const float x = parts[lane + reach];                                                                \
        parts[lane] = combine;                                                                              \
      }                                                                                                     \
      XHAL_GROUP_BARRIER();                                                                                 \
    }                                                                                                       \
    XHAL_FIRST_ITEMS(1) { y[get_group_id(0)] = parts[0] / divisor; }                                        \
  }
OP_REDUCE_ROWS(sum, 0, m + x)
