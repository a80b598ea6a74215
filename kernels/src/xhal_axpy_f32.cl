// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

kernel void xhal_axpy_f32(global float* y, global const float* x, float a, ulong n) {
  const size_t i = xhal_global_index();
  if (i < n) {
    y[i] = a * x[i] + y[i];
  }
}
