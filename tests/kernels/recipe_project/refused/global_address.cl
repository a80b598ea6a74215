// SPDX-License-Identifier: Apache-2.0
// refused: the value of 'where' holds an address
global int there = 1;
global int* global where = &there;
kernel void follow(global int* out) { out[0] = *where; }
