// SPDX-License-Identifier: Apache-2.0
// refused: xhal_barrier_stands_in_no_step = xhal_in_step
#include "xhal_kernel.h"
kernel void wait_inside(global uint* out, local uint* kept) {
  XHAL_EACH_ITEM {
    kept[xhal_local_index()] = 1;
    XHAL_GROUP_BARRIER();
    out[xhal_global_index()] = kept[0];
  }
}
