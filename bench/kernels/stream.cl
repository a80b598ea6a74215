// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

kernel void bench_triad_f32(global float* a, global const float* b, global const float* c, float scalar,
                            ulong n) {
  const size_t i = xhal_global_index();
  if (i < n) {
    a[i] = b[i] + scalar * c[i];
  }
}

// A group sums up `each` elements an item, neighbours by neighbours, and then its items, whose number is a power of two.
kernel void bench_dot_f32(global float* sums, global const float* a, global const float* b, uint each,
                          ulong n, local float* scratch) {
  const size_t items = xhal_group_items();
  const size_t group = xhal_group_index();
  const size_t first = group * items * each;
  XHAL_EACH_ITEM { scratch[xhal_local_index()] = 0; }
  for (uint k = 0; k < each; ++k) {
    XHAL_EACH_ITEM {
      const size_t i = first + k * items + xhal_local_index();
      scratch[xhal_local_index()] += i < n ? a[i] * b[i] : 0;
    }
  }
  XHAL_GROUP_BARRIER();
  for (size_t width = items / 2; width > 0; width /= 2) {
    XHAL_FIRST_ITEMS(width) {
      const size_t item = xhal_local_index();
      scratch[item] += scratch[item + width];
    }
    XHAL_GROUP_BARRIER();
  }
  XHAL_FIRST_ITEMS(1) { sums[group] = scratch[0]; }
}
