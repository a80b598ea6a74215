// SPDX-License-Identifier: Apache-2.0
// refused: variable 'elsewhere' is declared and not defined
extern global int elsewhere;
kernel void count(global int* out) { out[0] = ++elsewhere; }
