// SPDX-License-Identifier: Apache-2.0
// refused: half_value.cl: parameter 'value' has the type 'half': pass scalars, vectors, structures and pointers only
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
kernel void take(global half* out, half value) { out[0] = value; }
