// SPDX-License-Identifier: Apache-2.0
// refused: local_structure.cl: a local variable of type '%struct.Pair' has a size that is not known here
struct Pair {
  int a;
  float b;
};
kernel void keep(global int* out) {
  local struct Pair pairs[1];
  pairs[0].a = 1;
  barrier(CLK_LOCAL_MEM_FENCE);
  out[get_global_id(0)] = pairs[0].a;
}
