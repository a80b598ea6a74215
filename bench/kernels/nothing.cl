// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

// No work with n == 0, which the compiler does not know: so that every argument is a real one.
kernel void bench_nothing_3(global ulong* out, global const ulong* in, ulong n) {
  const size_t i = xhal_global_index();
  if (i < n) {
    out[i] = in[i];
  }
}

// What an element-wise operation of a framework hands over: memory, a count, and a few numbers.
kernel void bench_nothing_8(global ulong* out, global const ulong* a, global const ulong* b,
                            global const ulong* c, ulong n, ulong x, uint y, uint z) {
  const size_t i = xhal_global_index();
  if (i < n) {
    out[i] = a[i] * x + b[i] * y + c[i] * z;
  }
}
