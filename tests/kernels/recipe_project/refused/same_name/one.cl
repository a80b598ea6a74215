// SPDX-License-Identifier: Apache-2.0
kernel void twin(global int* x) { x[0] = 1; }
