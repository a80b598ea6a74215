// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

kernel void xhal_reduce_u32(global uint* sums, global const uint* src, ulong n, local uint* scratch) {
  const uint items = (uint)xhal_group_items();
  const size_t group = xhal_group_index();
  const uint item = (uint)xhal_local_index();
  const size_t i = group * items + item;
  scratch[item] = i < n ? src[i] : 0;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint width = items / 2; width > 0; width /= 2) {
    if (item < width) {
      scratch[item] += scratch[item + width];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  if (item == 0 && group * items < n) {
    sums[group] = scratch[0];
  }
}
