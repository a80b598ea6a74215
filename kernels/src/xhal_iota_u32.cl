// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

kernel void xhal_iota_u32(global uint* dst, uint start, uint step, ulong n) {
  const size_t i = xhal_global_index();
  if (i < n) {
    dst[i] = start + (uint)i * step;
  }
}
