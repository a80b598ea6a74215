// SPDX-License-Identifier: Apache-2.0
// refused: xhal_step_stands_in_no_step = xhal_in_step
#include "xhal_kernel.h"
kernel void nested(global uint* out) {
  XHAL_EACH_ITEM {
    XHAL_FIRST_ITEMS(2) { out[xhal_global_index()] = 1; }
  }
}
