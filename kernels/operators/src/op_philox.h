// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10 of Salmon, Moraes, Dror and Shaw (2011), and numbers of other types from its words. No branches: loops over items vectorise.
#ifndef XHAL_OP_PHILOX_H_
#define XHAL_OP_PHILOX_H_

#include "xhal/operators.h"

typedef struct op_words {
  uint a, b, c, d;
} op_words;

static inline op_words op_philox(ulong low, ulong high, ulong key) {
  uint a = (uint)low, b = (uint)(low >> 32), c = (uint)high, d = (uint)(high >> 32);
  uint k = (uint)key, l = (uint)(key >> 32);
#pragma unroll
  for (int turn = 0; turn < 10; ++turn) {
    const ulong p = (ulong)0xD2511F53U * a;
    const ulong q = (ulong)0xCD9E8D57U * c;
    a = (uint)(q >> 32) ^ b ^ k;
    c = (uint)(p >> 32) ^ d ^ l;
    b = (uint)q;
    d = (uint)p;
    k += 0x9E3779B9U;
    l += 0xBB67AE85U;
  }
  const op_words out = {a, b, c, d};
  return out;
}

// Four words for this block; in a graph the seed and the offset lie in memory.
static inline op_words op_draw(const xhal_op_random* random, global const ulong* replay, ulong block) {
  ulong seed = random->seed, offset = random->offset;
  if (random->is_replayed != 0) {
    seed = replay[0];
    offset += replay[1];
  }
  return op_philox(offset / 4, block, seed);
}

// Kept in memory of the item, for loops over its elements.
#define OP_WORDS(words) \
  { (words).a, (words).b, (words).c, (words).d }
#define OP_LONG_WORDS(words) \
  { op_first_half(words), op_second_half(words) }

static inline ulong op_first_half(op_words words) { return words.a | (ulong)words.b << 32; }
static inline ulong op_second_half(op_words words) { return words.c | (ulong)words.d << 32; }

// A share of `range` as large as the word's of 2^64: the upper half of their product.
static inline ulong op_below(ulong word, ulong range) {
  const ulong low = (word & 0xFFFFFFFFU) * (range & 0xFFFFFFFFU);
  const ulong cross = (word >> 32) * (range & 0xFFFFFFFFU) + (low >> 32);
  const ulong other = (word & 0xFFFFFFFFU) * (range >> 32) + (cross & 0xFFFFFFFFU);
  return (word >> 32) * (range >> 32) + (cross >> 32) + (other >> 32);
}

// In (0, 1], never 0; the largest words round to 1.
static inline float op_positive_f32(uint word) { return ((float)word + 0.5f) * 0x1p-32f; }

// Two normal numbers by Box and Muller: at most 6.7. An angle of a quarter turn at most, whose quadrant the upper two bits are.
static inline void op_normals_f32(uint size, uint angle, float* x, float* y) {
  const float radius = sqrt(-2.0f * log(op_positive_f32(size)));
  const uint quadrant = angle >> 30;
  const float t = ((float)((angle << 2) >> 8) * 0x1p-24f - 0.5f) * 1.57079632679f;
  const float z = t * t;
  const float sine = ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * t + t;
  const float cosine =
      ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * z * z - 0.5f * z +
      1.0f;
  const float across = (quadrant & 1) != 0 ? sine : cosine;
  const float up = (quadrant & 1) != 0 ? cosine : sine;
  *x = radius * (quadrant == 1 || quadrant == 2 ? -across : across);
  *y = radius * (quadrant >= 2 ? -up : up);
}

#ifdef cl_khr_fp64
static inline double op_positive_f64(ulong word) { return ((double)(word >> 11) + 0.5) * 0x1p-53; }
static inline void op_normals_f64(ulong size, ulong angle, double* x, double* y) {
  const double radius = sqrt(-2.0 * log(op_positive_f64(size)));
  const double turn = (double)(angle >> 11) * 0x1p-53 * 6.283185307179586477;
  *x = radius * cos(turn);
  *y = radius * sin(turn);
}
#endif

#endif
