// SPDX-License-Identifier: Apache-2.0
// Elements that an index names, combined with values. Either each item has its own elements and goes through its values in their order, or
// items share elements and exchange whole words.
#include "op_index_walk.h"

#define OP_COMBINE(name, T)                                     \
  static inline T op_combine_##name(uint op, T left, T right) { \
    switch (op) {                                               \
      case XHAL_OP_UPDATE_MUL:                                  \
        return left * right;                                    \
      case XHAL_OP_UPDATE_MIN:                                  \
        return left != left || left < right ? left : right;     \
      case XHAL_OP_UPDATE_MAX:                                  \
        return left != left || left > right ? left : right;     \
      default:                                                  \
        return left + right;                                    \
    }                                                           \
  }
OP_COMBINE(f32, float)
OP_COMBINE(i64, long)
#ifdef cl_khr_fp64
OP_COMBINE(f64, double)
#endif

// The element's bits, of a word of 32. Sums of 16 bits are made in f32.
static inline uint op_combined_bits_f32(uint op, uint bits, float value, uint type) {
  (void)type;
  return as_uint(op_combine_f32(op, as_float(bits), value));
}
static inline uint op_combined_bits_i64(uint op, uint bits, long value, uint type) {
  switch (type) {
    case OP_BOOL:
      return op_combine_i64(op, (bits & 0xFF) != 0, value) != 0;
    case OP_U8:
      return (uchar)op_combine_i64(op, (uchar)bits, value);
    case OP_I8:
      return (uchar)op_combine_i64(op, (char)bits, value);
    case OP_I16:
      return (ushort)op_combine_i64(op, (short)bits, value);
    default:
      return (uint)op_combine_i64(op, (int)bits, value);
  }
}

// `at` is counted from `base`, which lies at a multiple of 4.
#define OP_EXCHANGE(name, T)                                                                         \
  static inline void op_exchange_##name(uint op, global uchar* base, long at, uint type, uint bytes, \
                                        T value) {                                                   \
    volatile global uint* word = (volatile global uint*)(base + (at & ~3L));                         \
    const uint shift = (uint)(at & 3) * 8;                                                           \
    const uint mask = bytes == 4 ? ~0U : ((1U << bytes * 8) - 1) << shift;                           \
    uint seen = *word;                                                                               \
    uint before;                                                                                     \
    do {                                                                                             \
      before = seen;                                                                                 \
      const uint bits = op_combined_bits_##name(op, (before & mask) >> shift, value, type) << shift; \
      seen = atomic_cmpxchg(word, before, (before & ~mask) | (bits & mask));                         \
    } while (seen != before);                                                                        \
  }
OP_EXCHANGE(f32, float)
OP_EXCHANGE(i64, long)

// A sum of 64 bits on devices that exchange 32: whoever wraps the lower word carries.
static inline void op_add_words(global uchar* base, long at, ulong value) {
  volatile global uint* words = (volatile global uint*)(base + at);
  const uint low = (uint)value;
  const uint before = atomic_add(&words[0], low);
  const uint high = (uint)(value >> 32) + (before + low < low ? 1 : 0);
  if (high != 0) atomic_add(&words[1], high);
}

#define OP_UPDATE(name, T, SHARED)                                                                         \
  kernel void xhal_index_update_##name(uint op, global uchar* y, global const uchar* values,               \
                                       global const uchar* index, uint is_shared, xhal_op_places places) { \
    if (get_global_id(0) >= places.items) return;                                                          \
    op_walk walk = op_walk_of(&places, get_global_id(0));                                                  \
    for (ulong turn = 0; turn < places.turns; ++turn, op_walk_on(&places, &walk)) {                        \
      const long place = op_place_of(&places, index, &walk);                                               \
      if (place < 0) continue;                                                                             \
      const T value = op_load_##name(values, walk.values, places.type);                                    \
      if (is_shared == 0)                                                                                  \
        op_store_##name(y, place, places.type,                                                             \
                        op_combine_##name(op, op_load_##name(y, place, places.type), value));              \
      SHARED                                                                                               \
    }                                                                                                      \
  }
OP_UPDATE(f32, float, else op_exchange_f32(op, y, place, places.type, places.bytes, value);)
OP_UPDATE(i64, long, else if (places.bytes == 8) op_add_words(y, place, (ulong)value);
          else op_exchange_i64(op, y, place, places.type, places.bytes, value);)
#ifdef cl_khr_fp64
OP_UPDATE(f64, double, )
#endif
