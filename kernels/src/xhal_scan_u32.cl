// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

kernel void xhal_scan_u32(global uint* dst, global const uint* src, ulong n, local uint* scratch) {
  const uint items = (uint)xhal_group_items();
  const uint item = (uint)xhal_local_index();
  const size_t i = xhal_group_index() * items + item;
  // Two halves in turn, so that one barrier a step is enough.
  local uint* from = scratch;
  local uint* to = scratch + items;
  from[item] = i < n ? src[i] : 0;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint step = 1; step < items; step *= 2) {
    to[item] = item >= step ? from[item] + from[item - step] : from[item];
    barrier(CLK_LOCAL_MEM_FENCE);
    local uint* const written = to;
    to = from;
    from = written;
  }
  if (i < n) {
    dst[i] = from[item];
  }
}
