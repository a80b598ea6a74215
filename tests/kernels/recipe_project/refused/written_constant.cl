// SPDX-License-Identifier: Apache-2.0
// refused: program scope variable must reside in constant address space
global int shared_by_all;
kernel void count(global int* out) { out[0] = ++shared_by_all; }
