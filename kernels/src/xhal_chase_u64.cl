// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

kernel void xhal_chase_u64(global ulong* out, global const ulong* head, uint steps) {
  if (xhal_global_index() != 0) {
    return;
  }
  global const ulong* p = head;
  for (uint step = 0; step < steps; ++step) {
    p = XHAL_POINTER(global const ulong*, p[0]);
  }
  out[0] = p[1];
}
