// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

#ifdef cl_khr_fp64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif

// Chains of multiplications and additions that wait for nothing but themselves: six vectors side by side keep any processor's units busy and still fit
// into its registers.
#define CHAINS(name, type, wide, sum_of)                                                                  \
  kernel void bench_fma_##name(global type* out, type a, type b, uint turns, ulong n) {                   \
    const size_t i = xhal_global_index();                                                                 \
    if (i < n) {                                                                                          \
      wide x0 = (wide)((type)(i % 8));                                                                    \
      wide x1 = x0 + (type)1, x2 = x0 + (type)2, x3 = x0 + (type)3, x4 = x0 + (type)4, x5 = x0 + (type)5; \
      for (uint turn = 0; turn < turns; ++turn) {                                                         \
        x0 = x0 * a + b;                                                                                  \
        x1 = x1 * a + b;                                                                                  \
        x2 = x2 * a + b;                                                                                  \
        x3 = x3 * a + b;                                                                                  \
        x4 = x4 * a + b;                                                                                  \
        x5 = x5 * a + b;                                                                                  \
      }                                                                                                   \
      const wide all = ((x0 + x1) + (x2 + x3)) + (x4 + x5);                                               \
      out[i] = sum_of(all);                                                                               \
    }                                                                                                     \
  }
#define SUM8(v) (((v.s0 + v.s1) + (v.s2 + v.s3)) + ((v.s4 + v.s5) + (v.s6 + v.s7)))
#define SUM16(v) (SUM8(v.lo) + SUM8(v.hi))

CHAINS(f32, float, float16, SUM16)
#ifdef cl_khr_fp64
CHAINS(f64, double, double8, SUM8)
#endif

// Sixteen multiplications and additions for the eight bytes of an element.
kernel void bench_mixed_f32(global float* out, global const float* in, float a, float b, ulong n) {
  const size_t i = xhal_global_index();
  if (i < n) {
    float value = in[i];
    for (uint step = 0; step < 16; ++step) {
      value = value * a + b;
    }
    out[i] = value;
  }
}
