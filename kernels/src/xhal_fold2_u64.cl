// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"
#include "xhal_mix.h"

kernel void xhal_fold2_u64(global ulong* dst, global const ulong* src, ulong op, ulong n) {
  const size_t i = xhal_global_index();
  if (i < n) {
    dst[i] = xhal_mix(xhal_mix(dst[i], src[i]), op);
  }
}
