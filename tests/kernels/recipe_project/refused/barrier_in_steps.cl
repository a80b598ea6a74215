// SPDX-License-Identifier: Apache-2.0
// refused: barrier_in_steps.cl: kernel 'both' is written in steps \(XHAL_EACH_ITEM\), but calls barrier\(\): write XHAL_GROUP_BARRIER\(\)
#include "xhal_kernel.h"
void wait(void) { barrier(CLK_LOCAL_MEM_FENCE); }
kernel void both(global uint* out, local uint* kept) {
  XHAL_EACH_ITEM { kept[xhal_local_index()] = 1; }
  wait();
  XHAL_EACH_ITEM { out[xhal_global_index()] = kept[0]; }
}
