// SPDX-License-Identifier: Apache-2.0
// refused: not_opencl.cl:[0-9]+:[0-9]+: error:
kernel void broken(global int* out) { out[0] = ; }
