// SPDX-License-Identifier: Apache-2.0
// refused: stack frame size \([0-9]+\) exceeds limit \(16384\)
kernel void wide(global ulong* x, uint n) {
  ulong row[4000];
  for (uint i = 0; i < n; ++i) row[x[i] % 4000] = x[i];
  for (uint i = 0; i < n; ++i) x[i] += row[(x[i] * 7) % 4000];
}
