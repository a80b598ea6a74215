// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

kernel void xhal_reverse_u32(global uint* dst, global const uint* src, uint chunk, ulong n,
                             local uint* stage) {
  const size_t items = xhal_group_items();
  const size_t first = xhal_group_index() * chunk;
  const size_t left = first < n ? n - first : 0;
  const size_t count = left < chunk ? left : chunk;
  for (size_t done = 0; done < count; done += items) {
    XHAL_FIRST_ITEMS(count - done) {
      const size_t k = done + xhal_local_index();
      stage[k] = src[first + k];
    }
  }
  XHAL_GROUP_BARRIER();
  for (size_t done = 0; done < count; done += items) {
    XHAL_FIRST_ITEMS(count - done) {
      const size_t k = done + xhal_local_index();
      dst[first + k] = stage[count - 1 - k];
    }
  }
}
