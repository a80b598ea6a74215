// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

kernel void xhal_matmul_f32(global float* c, global const float* a, global const float* b, uint m, uint n,
                            uint k, local float* tile_a, local float* tile_b) {
  const size_t side = get_local_size(0);
  XHAL_PRIVATE(float, sum);
  XHAL_EACH_ITEM { XHAL_OWN(sum) = 0; }
  for (size_t first = 0; first < k; first += side) {
    XHAL_EACH_ITEM {
      const size_t x = get_local_id(0);
      const size_t y = get_local_id(1);
      const size_t column = get_global_id(0);
      const size_t row = get_global_id(1);
      tile_a[y * side + x] = row < m && first + x < k ? a[row * k + first + x] : 0;
      tile_b[y * side + x] = column < n && first + y < k ? b[(first + y) * n + column] : 0;
    }
    XHAL_GROUP_BARRIER();
    for (size_t inner = 0; inner < side; ++inner) {
      XHAL_EACH_ITEM {
        XHAL_OWN(sum) += tile_a[get_local_id(1) * side + inner] * tile_b[inner * side + get_local_id(0)];
      }
    }
    XHAL_GROUP_BARRIER();
  }
  XHAL_EACH_ITEM {
    const size_t column = get_global_id(0);
    const size_t row = get_global_id(1);
    if (row < m && column < n) {
      c[row * n + column] = XHAL_OWN(sum);
    }
  }
}
