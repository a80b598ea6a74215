// SPDX-License-Identifier: Apache-2.0
// Permutations, and draws of categories. A long permutation is Rao's and Sandelius' shuffle: each element draws one of `buckets`, is put there in
// the order of the elements, and each bucket is shuffled by Fisher and Yates. All permutations are as likely as each other.
#include "op_element.h"
#include "op_philox.h"

// An element draws from its own block: the first long word says the bucket, the second one with whom it changes places.
static inline ulong op_bucket(const xhal_op_random* random, global const ulong* replay, ulong element,
                              ulong buckets) {
  return op_below(op_first_half(op_draw(random, replay, element)), buckets);
}

static inline void op_shuffle(global long* y, ulong first, ulong end, const xhal_op_random* random,
                              global const ulong* replay) {
  for (ulong i = first + 1; i < end; ++i) {
    const ulong other = first + op_below(op_second_half(op_draw(random, replay, i)), i - first + 1);
    const long here = y[i];
    y[i] = y[other];
    y[other] = here;
  }
}

// By one item.
kernel void xhal_permutation_short(global long* y, global const ulong* replay, xhal_op_random random) {
  if (get_global_id(0) != 0) return;
  for (ulong i = 0; i < random.count; ++i) y[i] = (long)i;
  op_shuffle(y, 0, random.count, &random, replay);
}

// counts[bucket][part]: parts are stretches of elements. An item a part.
kernel void xhal_permutation_count(global uint* counts, global const ulong* replay, xhal_op_random random,
                                   ulong buckets, ulong parts) {
  const ulong part = get_global_id(0);
  if (part >= parts) return;
  for (ulong b = 0; b < buckets; ++b) counts[b * parts + part] = 0;
  const ulong length = (random.count + parts - 1) / parts;
  const ulong end = (part + 1) * length < random.count ? (part + 1) * length : random.count;
  for (ulong i = part * length; i < end; ++i) ++counts[op_bucket(&random, replay, i, buckets) * parts + part];
}

// starts[bucket]: where it begins; by one item, of sums by many.
kernel void xhal_permutation_sums(global ulong* sums, global const uint* counts, ulong buckets, ulong parts) {
  const ulong bucket = get_global_id(0);
  if (bucket >= buckets) return;
  ulong sum = 0;
  for (ulong part = 0; part < parts; ++part) sum += counts[bucket * parts + part];
  sums[bucket] = sum;
}
kernel void xhal_permutation_starts(global ulong* sums, ulong buckets) {
  if (get_global_id(0) != 0) return;
  ulong start = 0;
  for (ulong bucket = 0; bucket <= buckets; ++bucket) {
    const ulong count = bucket < buckets ? sums[bucket] : 0;
    sums[bucket] = start;
    start += count;
  }
}
// offsets[bucket][part], from its bucket's start.
kernel void xhal_permutation_offsets(global uint* counts, ulong buckets, ulong parts) {
  const ulong bucket = get_global_id(0);
  if (bucket >= buckets) return;
  uint offset = 0;
  for (ulong part = 0; part < parts; ++part) {
    const uint count = counts[bucket * parts + part];
    counts[bucket * parts + part] = offset;
    offset += count;
  }
}
kernel void xhal_permutation_place(global long* y, global uint* offsets, global const ulong* starts,
                                   global const ulong* replay, xhal_op_random random, ulong buckets,
                                   ulong parts) {
  const ulong part = get_global_id(0);
  if (part >= parts) return;
  const ulong length = (random.count + parts - 1) / parts;
  const ulong end = (part + 1) * length < random.count ? (part + 1) * length : random.count;
  for (ulong i = part * length; i < end; ++i) {
    const ulong bucket = op_bucket(&random, replay, i, buckets);
    y[starts[bucket] + offsets[bucket * parts + part]++] = (long)i;
  }
}
kernel void xhal_permutation_shuffle(global long* y, global const ulong* starts, global const ulong* replay,
                                     xhal_op_random random, ulong buckets) {
  const ulong bucket = get_global_id(0);
  if (bucket < buckets) op_shuffle(y, starts[bucket], starts[bucket + 1], &random, replay);
}

// Rows of weights as running sums, an item a row; `faults` says what a row has that is no weight: 1 negative or NaN, 2 infinite, 4 a sum of 0.
#define OP_CATEGORIES(name, T)                                                                              \
  kernel void xhal_categories_sums_##name(global T* sums, global uint* faults, global const uchar* weights, \
                                          ulong rows, ulong n, uint type, uint bytes) {                     \
    const ulong row = get_global_id(0);                                                                     \
    if (row >= rows) return;                                                                                \
    T sum = 0;                                                                                              \
    uint fault = 0;                                                                                         \
    for (ulong i = 0; i < n; ++i) {                                                                         \
      const T weight = op_load_##name(weights, (long)((row * n + i) * bytes), type);                        \
      fault |= weight >= 0 ? weight == (T)INFINITY ? 2 : 0 : 1;                                             \
      sum += weight;                                                                                        \
      sums[row * n + i] = sum;                                                                              \
    }                                                                                                       \
    faults[row] = fault != 0 ? fault : sum > 0 ? 0 : 4;                                                     \
  }                                                                                                         \
  /* The first category whose running sum is beyond a share of the whole: one of weight 0 never is. */      \
  kernel void xhal_categories_draw_##name(global long* y, global const T* sums, global const ulong* replay, \
                                          xhal_op_random random, ulong n, ulong draws) {                    \
    const ulong at = get_global_id(0);                                                                      \
    if (at >= random.count) return;                                                                         \
    global const T* row = sums + at / draws * n;                                                            \
    const T share = op_share_##name(op_first_half(op_draw(&random, replay, at))) * row[n - 1];              \
    ulong low = 0, high = n - 1;                                                                            \
    /* A product that rounds up to the whole is the last category that has a weight. */                     \
    const int is_whole = share >= row[n - 1];                                                               \
    while (low < high) {                                                                                    \
      const ulong middle = (low + high) / 2;                                                                \
      if (is_whole ? row[middle] >= share : row[middle] > share)                                            \
        high = middle;                                                                                      \
      else                                                                                                  \
        low = middle + 1;                                                                                   \
    }                                                                                                       \
    y[at] = (long)low;                                                                                      \
  }
static inline float op_share_f32(ulong word) { return (float)(word >> 40) * 0x1p-24f; }
OP_CATEGORIES(f32, float)
#ifdef cl_khr_fp64
static inline double op_share_f64(ulong word) { return (double)(word >> 11) * 0x1p-53; }
OP_CATEGORIES(f64, double)
#endif
