// SPDX-License-Identifier: Apache-2.0
// Every 32-bit atomic, on both kinds of memory and both types. Slot k holds what atomic k left behind.
#include "xhal_kernel.h"

#define ALL(T, slots, item)                            \
  atomic_add(&slots[0], (T)item);                      \
  atomic_sub(&slots[1], (T)item);                      \
  atomic_inc(&slots[2]);                               \
  atomic_dec(&slots[3]);                               \
  atomic_min(&slots[4], (T)item - (T)7);               \
  atomic_max(&slots[5], (T)item - (T)7);               \
  atomic_and(&slots[6], ~((T)1 << (item % 32)));       \
  atomic_or(&slots[7], (T)1 << (item % 32));           \
  atomic_xor(&slots[8], (T)1 << (item % 32));          \
  if (atomic_cmpxchg(&slots[9], (T)0, (T)1) == (T)0) { \
    atomic_xchg(&slots[10], (T)77);                    \
  }

kernel void test_atomics(global int* signed_slots, global uint* unsigned_slots) {
  const uint item = (uint)xhal_global_index();
  ALL(int, signed_slots, item)
  ALL(uint, unsigned_slots, item)
  mem_fence(CLK_GLOBAL_MEM_FENCE);
  read_mem_fence(CLK_GLOBAL_MEM_FENCE);
  write_mem_fence(CLK_GLOBAL_MEM_FENCE);
}

kernel void test_local_atomics(global int* signed_out, global uint* unsigned_out) {
  local int signed_slots[11];
  local uint unsigned_slots[11];
  const uint item = (uint)xhal_local_index();
  if (item < 11) {
    signed_slots[item] = 0;
    unsigned_slots[item] = 0;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  ALL(int, signed_slots, item)
  ALL(uint, unsigned_slots, item)
  barrier(CLK_LOCAL_MEM_FENCE);
  if (item < 11) {
    signed_out[item] = signed_slots[item];
    unsigned_out[item] = unsigned_slots[item];
  }
}
