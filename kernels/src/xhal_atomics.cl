// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

// One of each atomic; what is left does not depend on the order of the items. The ninth cell counts with compare-and-exchange alone.
// `prefix` is atomic_ for 32 bits and atom_ for 64, as OpenCL C names them.
#define UPDATE(prefix, type, cells, word)                  \
  prefix##add(&cells[0], word);                            \
  prefix##sub(&cells[1], word);                            \
  prefix##min(&cells[2], word);                            \
  prefix##max(&cells[3], word);                            \
  prefix## and (&cells[4], word);                          \
  prefix## or (&cells[5], word);                           \
  prefix## xor (&cells[6], word);                          \
  prefix##inc(&cells[7]);                                  \
  type seen = cells[8];                                    \
  for (type before = seen - 1; before != seen;) {          \
    before = seen;                                         \
    seen = prefix##cmpxchg(&cells[8], before, before + 1); \
  }

#define ATOMICS(name, type, prefix)                                                          \
  kernel void xhal_atomics_##name(global type* cells, global const type* src, ulong n) {     \
    const size_t i = xhal_global_index();                                                    \
    if (i < n) {                                                                             \
      const type word = src[i];                                                              \
      UPDATE(prefix, type, cells, word)                                                      \
    }                                                                                        \
  }                                                                                          \
  kernel void xhal_local_atomics_##name(global type* out, global const type* src, ulong n) { \
    local type cells[9];                                                                     \
    const size_t items = xhal_group_items();                                                 \
    const size_t group = xhal_group_index();                                                 \
    const size_t item = xhal_local_index();                                                  \
    for (size_t cell = item; cell < 9; cell += items) {                                      \
      cells[cell] = cell == 2 || cell == 4 ? ~(type)0 : 0;                                   \
    }                                                                                        \
    barrier(CLK_LOCAL_MEM_FENCE);                                                            \
    if (group * items + item < n) {                                                          \
      const type word = src[group * items + item];                                           \
      UPDATE(prefix, type, cells, word)                                                      \
    }                                                                                        \
    barrier(CLK_LOCAL_MEM_FENCE);                                                            \
    for (size_t cell = item; cell < 9 && group * items < n; cell += items) {                 \
      out[9 * group + cell] = cells[cell];                                                   \
    }                                                                                        \
  }

ATOMICS(u32, uint, atomic_)

#if defined(cl_khr_int64_base_atomics) && defined(cl_khr_int64_extended_atomics)
#pragma OPENCL EXTENSION cl_khr_int64_base_atomics : enable
#pragma OPENCL EXTENSION cl_khr_int64_extended_atomics : enable
ATOMICS(u64, ulong, atom_)
#endif
