// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

kernel void xhal_ids_u32(global uint* out) {
  global uint* ids = out + 19 * xhal_global_index();
  for (uint dimension = 0; dimension < 3; ++dimension) {
    ids[dimension] = (uint)get_global_id(dimension);
    ids[3 + dimension] = (uint)get_local_id(dimension);
    ids[6 + dimension] = (uint)get_group_id(dimension);
    ids[10 + dimension] = (uint)get_global_size(dimension);
    ids[13 + dimension] = (uint)get_local_size(dimension);
    ids[16 + dimension] = (uint)get_num_groups(dimension);
  }
  ids[9] = (uint)xhal_group_items();
}
