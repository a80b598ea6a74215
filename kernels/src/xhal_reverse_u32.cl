// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

kernel void xhal_reverse_u32(global uint* dst, global const uint* src, uint chunk, ulong n,
                             local uint* stage) {
  const uint items = (uint)xhal_group_items();
  const uint item = (uint)xhal_local_index();
  const ulong first = xhal_group_index() * (ulong)chunk;
  const ulong left = first < n ? n - first : 0;
  const uint count = left < chunk ? (uint)left : chunk;
  for (uint k = item; k < count; k += items) {
    stage[k] = src[first + k];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint k = item; k < count; k += items) {
    dst[first + k] = stage[count - 1 - k];
  }
}
