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
