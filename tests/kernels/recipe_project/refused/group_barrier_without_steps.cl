// SPDX-License-Identifier: Apache-2.0
// refused: group_barrier_without_steps.o:\(items_run_groups\)
#include "xhal_kernel.h"
kernel void items(global uint* out, local uint* kept) {
  kept[xhal_local_index()] = 1;
  XHAL_GROUP_BARRIER();
  out[xhal_global_index()] = kept[0];
}
