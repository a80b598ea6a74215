// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

kernel void xhal_copy_u32(global uint* dst, global const uint* src, ulong n) {
  const size_t i = xhal_global_index();
  if (i < n) {
    dst[i] = src[i];
  }
}
