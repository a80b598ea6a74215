// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"
#include "xhal_mix.h"

kernel void xhal_spin_u64(global ulong* cell, ulong turns) {
  if (xhal_global_index() != 0) {
    return;
  }
  ulong value = cell[0];
  for (ulong turn = 0; turn < turns; ++turn) {
    value = xhal_mix(value, turn);
    if (turn % 4096 == 4095 && XHAL_ABANDONED()) {
      return;
    }
  }
  cell[0] = value;
}
