// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

// Kernels that do nothing with so many arguments: v0 is a count, always 0, which the compiler does not know, so that every argument is a real one.
kernel void bench_empty_1(ulong v0) { (void)v0; }

kernel void bench_empty_3(global ulong* out, global const ulong* in1, ulong v0) {
  const size_t i = xhal_global_index();
  if (i < v0) {
    out[i] = in1[i];
  }
}

// Nothing is done when both values are the same, whatever they are: all four arguments can change between two launches.
kernel void bench_empty_4(global ulong* out, global const ulong* in1, ulong v0, ulong v1) {
  const size_t i = xhal_global_index();
  if (i < (v0 ^ v1)) {
    out[i] = in1[i];
  }
}

kernel void bench_empty_8(global ulong* out, global const ulong* in1, global const ulong* in2,
                          global const ulong* in3, ulong v0, ulong v1, ulong v2, ulong v3) {
  const size_t i = xhal_global_index();
  if (i < v0) {
    out[i] = in1[i] + in2[i] + in3[i] + v1 + v2 + v3;
  }
}

kernel void bench_empty_32(global ulong* out, global const ulong* in1, global const ulong* in2,
                           global const ulong* in3, global const ulong* in4, global const ulong* in5,
                           global const ulong* in6, global const ulong* in7, ulong v0, ulong v1, ulong v2,
                           ulong v3, ulong v4, ulong v5, ulong v6, ulong v7, ulong v8, ulong v9, ulong v10,
                           ulong v11, ulong v12, ulong v13, ulong v14, ulong v15, ulong v16, ulong v17,
                           ulong v18, ulong v19, ulong v20, ulong v21, ulong v22, ulong v23) {
  const size_t i = xhal_global_index();
  if (i < v0) {
    out[i] = in1[i] + in2[i] + in3[i] + in4[i] + in5[i] + in6[i] + in7[i] + v1 + v2 + v3 + v4 + v5 + v6 + v7 +
             v8 + v9 + v10 + v11 + v12 + v13 + v14 + v15 + v16 + v17 + v18 + v19 + v20 + v21 + v22 + v23;
  }
}

kernel void bench_empty_64(global ulong* out, global const ulong* in1, global const ulong* in2,
                           global const ulong* in3, global const ulong* in4, global const ulong* in5,
                           global const ulong* in6, global const ulong* in7, ulong v0, ulong v1, ulong v2,
                           ulong v3, ulong v4, ulong v5, ulong v6, ulong v7, ulong v8, ulong v9, ulong v10,
                           ulong v11, ulong v12, ulong v13, ulong v14, ulong v15, ulong v16, ulong v17,
                           ulong v18, ulong v19, ulong v20, ulong v21, ulong v22, ulong v23, ulong v24,
                           ulong v25, ulong v26, ulong v27, ulong v28, ulong v29, ulong v30, ulong v31,
                           ulong v32, ulong v33, ulong v34, ulong v35, ulong v36, ulong v37, ulong v38,
                           ulong v39, ulong v40, ulong v41, ulong v42, ulong v43, ulong v44, ulong v45,
                           ulong v46, ulong v47, ulong v48, ulong v49, ulong v50, ulong v51, ulong v52,
                           ulong v53, ulong v54, ulong v55) {
  const size_t i = xhal_global_index();
  if (i < v0) {
    out[i] = in1[i] + in2[i] + in3[i] + in4[i] + in5[i] + in6[i] + in7[i] + v1 + v2 + v3 + v4 + v5 + v6 + v7 +
             v8 + v9 + v10 + v11 + v12 + v13 + v14 + v15 + v16 + v17 + v18 + v19 + v20 + v21 + v22 + v23 +
             v24 + v25 + v26 + v27 + v28 + v29 + v30 + v31 + v32 + v33 + v34 + v35 + v36 + v37 + v38 + v39 +
             v40 + v41 + v42 + v43 + v44 + v45 + v46 + v47 + v48 + v49 + v50 + v51 + v52 + v53 + v54 + v55;
  }
}
