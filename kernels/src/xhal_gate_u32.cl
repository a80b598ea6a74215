// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

kernel void xhal_gate_u32(global uint* flag, uint open, global uint* entered) {
  if (xhal_global_index() != 0) {
    return;
  }
  XHAL_STORE_RELEASE_U32(entered, 1);
  while (XHAL_LOAD_ACQUIRE_U32(flag) < open) {
    if (XHAL_ABANDONED()) {
      return;
    }
  }
}
