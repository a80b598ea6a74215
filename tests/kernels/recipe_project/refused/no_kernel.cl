// SPDX-License-Identifier: Apache-2.0
// refused: no_kernel.cl: defines no kernel
int twice(int x) { return 2 * x; }
