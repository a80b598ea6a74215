// SPDX-License-Identifier: Apache-2.0
// refused: kernel_calls_kernel.cl: 'outer' calls the kernel 'inner', which declares local memory
kernel void inner(global int* out) {
  local int kept[4];
  kept[get_local_id(0)] = 1;
  barrier(CLK_LOCAL_MEM_FENCE);
  out[get_global_id(0)] = kept[0];
}
kernel void outer(global int* out) { inner(out); }
