// SPDX-License-Identifier: Apache-2.0
// refused: structure.cl: parameter 'pair' has the type 'struct Pair': pass scalars, vectors and pointers only
struct Pair {
  int a;
  float b;
};
kernel void take(global int* out, struct Pair pair) { out[0] = pair.a; }
