// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

kernel void xhal_trap_u32(global const uint* flag) {
  if (xhal_global_index() == 0 && *flag != 0) {
    XHAL_TRAP();
  }
}
