// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

kernel void xhal_scan_u32(global uint* dst, global const uint* src, ulong n, local uint* scratch) {
  const size_t items = xhal_group_items();
  const size_t first = xhal_group_index() * items;
  // Two halves in turn, so that one barrier a step is enough.
  local uint* from = scratch;
  local uint* to = scratch + items;
  XHAL_EACH_ITEM {
    const size_t i = first + xhal_local_index();
    from[xhal_local_index()] = i < n ? src[i] : 0;
  }
  XHAL_GROUP_BARRIER();
  for (size_t step = 1; step < items; step *= 2) {
    XHAL_FIRST_ITEMS(step) {
      const size_t item = xhal_local_index();
      to[item] = from[item];
    }
    XHAL_FIRST_ITEMS(items - step) {
      const size_t item = xhal_local_index();
      to[item + step] = from[item + step] + from[item];
    }
    XHAL_GROUP_BARRIER();
    local uint* const written = to;
    to = from;
    from = written;
  }
  XHAL_FIRST_ITEMS(first < n ? n - first : 0) {
    const size_t item = xhal_local_index();
    dst[first + item] = from[item];
  }
}
