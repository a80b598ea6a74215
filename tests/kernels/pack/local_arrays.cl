// SPDX-License-Identifier: Apache-2.0
// Local memory that kernels declare themselves; two kernels of one source have separate variables.
#include "xhal_kernel.h"

kernel void test_static_sum(global uint* sums, global const uint* src) {
  local uint scratch[1024];
  local uint total[1];
  const uint item = (uint)xhal_local_index();
  const uint items = (uint)xhal_group_items();
  scratch[item] = src[xhal_group_index() * items + item];
  barrier(CLK_LOCAL_MEM_FENCE);
  if (item == 0) {
    total[0] = 0;
    for (uint i = 0; i < items; ++i) {
      total[0] += scratch[i];
    }
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  sums[xhal_group_index() * items + item] = total[0];
}

kernel void test_static_vectors(global uint* out) {
  local uint3 vectors[4];
  local uchar bytes[5];
  local ulong words[2][3];
  const uint item = (uint)xhal_local_index();
  if (item == 0) {
    vectors[3] = (uint3)(1, 2, 3);
    bytes[4] = 4;
    words[1][2] = 5;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  out[xhal_global_index()] = vectors[3].x + vectors[3].y + vectors[3].z + bytes[4] + (uint)words[1][2];
}

// Pointers to local variables that the compiler folds into constants: nested offsets, a choice, a comparison by address.
uint pick(local const uint* left, local const uint* right, uint which) {
  return *(which != 0 ? left : right);
}

kernel void test_static_pointers(global uint* out, uint which) {
  local uint table[2][4];
  local uint other[3];
  const uint item = (uint)xhal_local_index();
  if (item < 8) {
    table[item / 4][item % 4] = item;
  }
  if (item < 3) {
    other[item] = 100 + item;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  local const uint* const last = &table[1][3];
  local const uint* const chosen = which != 0 ? &other[2] : &table[1][0];
  out[xhal_global_index()] =
      pick(&table[1][2], other, which) + 1000 * *chosen + (uint)(last - &table[0][0]) * 1000000;
}
