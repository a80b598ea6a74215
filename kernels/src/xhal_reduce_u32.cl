// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

kernel void xhal_reduce_u32(global uint* sums, global const uint* src, ulong n, local uint* scratch) {
  const size_t items = xhal_group_items();
  const size_t group = xhal_group_index();
  const size_t first = group * items;
  XHAL_EACH_ITEM {
    const size_t i = first + xhal_local_index();
    scratch[xhal_local_index()] = i < n ? src[i] : 0;
  }
  XHAL_GROUP_BARRIER();
  for (size_t width = items / 2; width > 0; width /= 2) {
    XHAL_FIRST_ITEMS(width) {
      const size_t item = xhal_local_index();
      scratch[item] += scratch[item + width];
    }
    XHAL_GROUP_BARRIER();
  }
  XHAL_FIRST_ITEMS(first < n ? 1 : 0) { sums[group] = scratch[0]; }
}
