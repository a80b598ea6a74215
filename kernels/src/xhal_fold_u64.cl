// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"
#include "xhal_mix.h"

kernel void xhal_fold_u64(global ulong* cells, ulong op, ulong n) {
  const size_t i = xhal_global_index();
  if (i < n) {
    cells[i] = xhal_mix(cells[i], op);
  }
}
