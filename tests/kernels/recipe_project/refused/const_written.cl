// SPDX-License-Identifier: Apache-2.0
// refused: const_written.cl: parameter 'x' is declared const, but the compiler cannot show that nothing is written
kernel void cheat(global const int* x) { ((global int*)x)[get_global_id(0)] = 1; }
