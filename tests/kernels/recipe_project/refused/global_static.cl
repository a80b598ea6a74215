// SPDX-License-Identifier: Apache-2.0
// refused: variable 'hidden' is static and can be written
static global int hidden = 1;
kernel void count(global int* out) { out[0] = ++hidden; }
