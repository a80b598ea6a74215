// SPDX-License-Identifier: Apache-2.0
// Orders and running values along the middle of [outer, n, inner]. Sizes are in elements. Values and indices of a row lie as the row's elements do.
#include "op_element.h"

#define OP_IS_NAN_f32(x) ((x) != (x))
#define OP_IS_NAN_f64(x) ((x) != (x))
#define OP_IS_NAN_i64(x) 0
// A NaN is beyond all.
#define OP_IS_BEFORE(name, a, b) ((OP_IS_NAN_##name(b) && !OP_IS_NAN_##name(a)) || (a) < (b))
#define OP_COMES_FIRST(name, descending, a, b) \
  ((descending) != 0 ? OP_IS_BEFORE(name, b, a) : OP_IS_BEFORE(name, a, b))

static inline ulong op_row_first(ulong row, ulong n, ulong inner) {
  const ulong outer = row / inner;
  return outer * n * inner + (row - outer * inner);
}

// ---- Running values: an item a row ----------------------------------------------------------------------------------------------

// As hosts do: gradients take the exponential of what is carried here, and would show each lost bit of it.
#ifdef cl_khr_fp64
typedef double op_running_f32;
#else
typedef float op_running_f32;
#endif
#define op_running_f64 double
#define op_running_i64 long

// What a sum in the same type loses is carried on beside it.
#define OP_RUNNING_SUM(T)      \
  const T from = x - lost;     \
  const T next = value + from; \
  lost = next - value - from;  \
  value = next;
#define OP_RUNNING_SUM_f32 OP_RUNNING_SUM(op_running_f32)
#define OP_RUNNING_SUM_f64 OP_RUNNING_SUM(double)
// Wraps as unsigned numbers do.
#define OP_RUNNING_SUM_i64 value = (long)((ulong)value + (ulong)x);
// log(exp(a) + exp(b)) without leaving the range.
#define OP_RUNNING_LOG(T)                        \
  const T most = x > value ? x : value;          \
  const T least = x > value ? value : x;         \
  if (OP_IS_NAN_f32(x) || OP_IS_NAN_f32(value))  \
    value = x + value;                           \
  else if (most != least || most - most == (T)0) \
    value = most + log1p(exp(least - most));
#define OP_RUNNING_LOG_f32 OP_RUNNING_LOG(op_running_f32)
#define OP_RUNNING_LOG_f64 OP_RUNNING_LOG(double)
#define OP_RUNNING_LOG_i64
#define OP_LOG_START_f32 -INFINITY
#define OP_LOG_START_f64 -(double)INFINITY
#define OP_LOG_START_i64 0

#define OP_RUNNING(name, T)                                                                             \
  kernel void xhal_running_##name(uint op, global uchar* y, global const uchar* a, ulong rows, ulong n, \
                                  ulong inner, uint input, uint input_bytes, uint output,               \
                                  uint output_bytes) {                                                  \
    const ulong row = get_global_id(0);                                                                 \
    if (row >= rows) return;                                                                            \
    const ulong first = op_row_first(row, n, inner);                                                    \
    op_running_##name value = op == XHAL_OP_RUNNING_SUM    ? 0                                          \
                              : op == XHAL_OP_RUNNING_PROD ? 1                                          \
                                                           : OP_LOG_START_##name;                       \
    op_running_##name lost = 0;                                                                         \
    for (ulong i = 0; i < n; ++i) {                                                                     \
      const ulong at = first + i * inner;                                                               \
      const T x = op_load_##name(a, (long)(at * input_bytes), input);                                   \
      if (op == XHAL_OP_RUNNING_SUM) {                                                                  \
        OP_RUNNING_SUM_##name if (lost != lost) lost = 0;                                               \
      } else if (op == XHAL_OP_RUNNING_PROD) {                                                          \
        value *= x;                                                                                     \
      } else {                                                                                          \
        OP_RUNNING_LOG_##name                                                                           \
      }                                                                                                 \
      op_store_##name(y, (long)(at * output_bytes), output, value);                                     \
    }                                                                                                   \
  }                                                                                                     \
  kernel void xhal_running_extreme_##name(uint is_min, global uchar* values, global long* indices,      \
                                          global const uchar* a, ulong rows, ulong n, ulong inner,      \
                                          uint type, uint bytes) {                                      \
    const ulong row = get_global_id(0);                                                                 \
    if (row >= rows) return;                                                                            \
    const ulong first = op_row_first(row, n, inner);                                                    \
    T most = 0;                                                                                         \
    ulong index = 0;                                                                                    \
    for (ulong i = 0; i < n; ++i) {                                                                     \
      const ulong at = first + i * inner;                                                               \
      const T x = op_load_##name(a, (long)(at * bytes), type);                                          \
      if (i == 0 || OP_IS_NAN_##name(x) ||                                                              \
          (!OP_IS_NAN_##name(most) && (is_min != 0 ? x <= most : x >= most))) {                         \
        most = x;                                                                                       \
        index = i;                                                                                      \
      }                                                                                                 \
      op_store_##name(values, (long)(at * bytes), type, most);                                          \
      indices[at] = (long)index;                                                                        \
    }                                                                                                   \
  }                                                                                                     \
  kernel void xhal_extreme_##name(uint is_min, global uchar* values, global long* indices,              \
                                  global const uchar* a, ulong rows, ulong n, ulong inner, uint type,   \
                                  uint bytes) {                                                         \
    const ulong row = get_global_id(0);                                                                 \
    if (row >= rows) return;                                                                            \
    const ulong first = op_row_first(row, n, inner);                                                    \
    T most = op_load_##name(a, (long)(first * bytes), type);                                            \
    ulong index = 0;                                                                                    \
    for (ulong i = 1; i < n && !OP_IS_NAN_##name(most); ++i) {                                          \
      const T x = op_load_##name(a, (long)((first + i * inner) * bytes), type);                         \
      if (OP_IS_NAN_##name(x) || (is_min != 0 ? x < most : x > most)) {                                 \
        most = x;                                                                                       \
        index = i;                                                                                      \
      }                                                                                                 \
    }                                                                                                   \
    op_store_##name(values, (long)(row * bytes), type, most);                                           \
    indices[row] = (long)index;                                                                         \
  }

// ---- Sorting: runs by insertion, an item a run; then two runs become one, an item an element, which finds its place by halving the other run ----

#define OP_SORT(name, T)                                                                                     \
  kernel void xhal_sort_runs_##name(uint descending, global uchar* values, global long* indices, ulong rows, \
                                    ulong n, ulong inner, uint type, uint bytes, ulong run) {                \
    const ulong runs = (n + run - 1) / run;                                                                  \
    const ulong row = get_global_id(0) / runs;                                                               \
    if (row >= rows) return;                                                                                 \
    const ulong begin = (get_global_id(0) - row * runs) * run;                                               \
    const ulong end = begin + run < n ? begin + run : n;                                                     \
    const ulong first = op_row_first(row, n, inner);                                                         \
    for (ulong i = begin; i < end; ++i) {                                                                    \
      const T x = op_load_##name(values, (long)((first + i * inner) * bytes), type);                         \
      ulong to = i;                                                                                          \
      for (; to > begin; --to) {                                                                             \
        const ulong from = first + (to - 1) * inner;                                                         \
        const T other = op_load_##name(values, (long)(from * bytes), type);                                  \
        if (!OP_COMES_FIRST(name, descending, x, other)) break;                                              \
        op_store_##name(values, (long)((from + inner) * bytes), type, other);                                \
        indices[from + inner] = indices[from];                                                               \
      }                                                                                                      \
      op_store_##name(values, (long)((first + to * inner) * bytes), type, x);                                \
      indices[first + to * inner] = (long)i;                                                                 \
    }                                                                                                        \
  }                                                                                                          \
  kernel void xhal_sort_merge_##name(uint descending, global uchar* out_values, global long* out_indices,    \
                                     global const uchar* values, global const long* indices, ulong rows,     \
                                     ulong n, ulong inner, uint type, uint bytes, ulong width) {             \
    const ulong row = get_global_id(0) / n;                                                                  \
    if (row >= rows) return;                                                                                 \
    const ulong i = get_global_id(0) - row * n;                                                              \
    const ulong first = op_row_first(row, n, inner);                                                         \
    const ulong begin = i / (2 * width) * (2 * width);                                                       \
    const ulong middle = begin + width < n ? begin + width : n;                                              \
    const ulong end = begin + 2 * width < n ? begin + 2 * width : n;                                         \
    const int is_left = i < middle;                                                                          \
    const T x = op_load_##name(values, (long)((first + i * inner) * bytes), type);                           \
    ulong low = is_left ? middle : begin;                                                                    \
    ulong high = is_left ? end : middle;                                                                     \
    const ulong other = low;                                                                                 \
    while (low < high) {                                                                                     \
      const ulong half_way = low + (high - low) / 2;                                                         \
      const T y = op_load_##name(values, (long)((first + half_way * inner) * bytes), type);                  \
      const int is_before =                                                                                  \
          is_left ? OP_COMES_FIRST(name, descending, y, x) : !OP_COMES_FIRST(name, descending, x, y);        \
      if (is_before)                                                                                         \
        low = half_way + 1;                                                                                  \
      else                                                                                                   \
        high = half_way;                                                                                     \
    }                                                                                                        \
    const ulong to = first + (begin + (i - (is_left ? begin : middle)) + (low - other)) * inner;             \
    op_store_##name(out_values, (long)(to * bytes), type, x);                                                \
    out_indices[to] = indices[first + i * inner];                                                            \
  }

// ---- Of sorted rows: an item a row ------------------------------------------------------------------------------------------------

// The median is the lower one of two; a NaN is everybody's, unless it is ignored. The mode is the least of the most frequent values.
#define OP_SORTED(name, T)                                                                                  \
  kernel void xhal_median_##name(uint ignores_nan, global uchar* values, global long* indices,              \
                                 global const uchar* sorted, global const long* order, ulong rows, ulong n, \
                                 ulong inner, uint type, uint bytes) {                                      \
    const ulong row = get_global_id(0);                                                                     \
    if (row >= rows) return;                                                                                \
    const ulong first = op_row_first(row, n, inner);                                                        \
    ulong numbers = 0;                                                                                      \
    ulong high = n;                                                                                         \
    while (numbers < high) {                                                                                \
      const ulong half_way = numbers + (high - numbers) / 2;                                                \
      const T x = op_load_##name(sorted, (long)((first + half_way * inner) * bytes), type);                 \
      if (OP_IS_NAN_##name(x))                                                                              \
        high = half_way;                                                                                    \
      else                                                                                                  \
        numbers = half_way + 1;                                                                             \
      (void)x;                                                                                              \
    }                                                                                                       \
    const ulong i = numbers == n || (ignores_nan != 0 && numbers > 0) ? (numbers - 1) / 2 : numbers;        \
    const ulong at = first + i * inner;                                                                     \
    op_store_##name(values, (long)(row * bytes), type, op_load_##name(sorted, (long)(at * bytes), type));   \
    indices[row] = order[at];                                                                               \
  }                                                                                                         \
  kernel void xhal_mode_##name(global uchar* values, global long* indices, global const uchar* sorted,      \
                               global const long* order, ulong rows, ulong n, ulong inner, uint type,       \
                               uint bytes) {                                                                \
    const ulong row = get_global_id(0);                                                                     \
    if (row >= rows) return;                                                                                \
    const ulong first = op_row_first(row, n, inner);                                                        \
    T best = 0;                                                                                             \
    T former = 0;                                                                                           \
    ulong most = 0;                                                                                         \
    ulong length = 0;                                                                                       \
    ulong index = 0;                                                                                        \
    for (ulong i = 0; i < n; ++i) {                                                                         \
      const T x = op_load_##name(sorted, (long)((first + i * inner) * bytes), type);                        \
      length = i > 0 && x == former ? length + 1 : 1;                                                       \
      former = x;                                                                                           \
      if (length > most) {                                                                                  \
        most = length;                                                                                      \
        best = x;                                                                                           \
        index = i;                                                                                          \
      }                                                                                                     \
    }                                                                                                       \
    op_store_##name(values, (long)(row * bytes), type, best);                                               \
    indices[row] = order[first + index * inner];                                                            \
  }

OP_RUNNING(f32, float)
OP_RUNNING(i64, long)
OP_SORT(f32, float)
OP_SORT(i64, long)
OP_SORTED(f32, float)
OP_SORTED(i64, long)
#ifdef cl_khr_fp64
OP_RUNNING(f64, double)
OP_SORT(f64, double)
OP_SORTED(f64, double)
#endif
