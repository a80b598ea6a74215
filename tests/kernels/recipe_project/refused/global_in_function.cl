// SPDX-License-Identifier: Apache-2.0
// refused: variable 'count\.times' is static and can be written
kernel void count(global int* out) {
  static global int times = 1;
  out[0] = ++times;
}
