// SPDX-License-Identifier: Apache-2.0
// refused: unknown_builtin.cl: calls what the native format does not supply .*: sinpi\(float\)
kernel void root(global float* x) { x[get_global_id(0)] = sinpi(x[get_global_id(0)]); }
