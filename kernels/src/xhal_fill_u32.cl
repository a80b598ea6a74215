// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

kernel void xhal_fill_u32(global uint* dst, uint value, ulong n) {
  const size_t i = xhal_global_index();
  if (i < n) {
    dst[i] = value;
  }
}
