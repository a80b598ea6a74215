// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

kernel void xhal_transpose_u32(global uint* dst, global const uint* src, uint rows, uint columns,
                               local uint* tile) {
  const size_t side = get_local_size(0);
  // A line of the tile is one element longer than it holds: on a device with banks a column then meets each bank once.
  const size_t line = side + 1;
  const size_t first_column = get_group_id(0) * side;
  const size_t first_row = get_group_id(1) * side;
  XHAL_EACH_ITEM {
    const size_t x = get_local_id(0);
    const size_t y = get_local_id(1);
    if (first_column + x < columns && first_row + y < rows) {
      tile[y * line + x] = src[(first_row + y) * columns + first_column + x];
    }
  }
  XHAL_GROUP_BARRIER();
  XHAL_EACH_ITEM {
    const size_t x = get_local_id(0);
    const size_t y = get_local_id(1);
    if (first_column + y < columns && first_row + x < rows) {
      dst[(first_column + y) * rows + first_row + x] = tile[x * line + y];
    }
  }
}
