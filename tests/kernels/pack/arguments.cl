// SPDX-License-Identifier: Apache-2.0
// Parameters of every kind that the native format takes.
#pragma OPENCL EXTENSION cl_khr_fp64 : enable

kernel void test_values(global uchar* out, char a, uchar b, short c, ushort d, int e, uint f, long g, ulong h,
                        float i, double j, uchar3 k, int2 l, float4 m, ulong16 n) {
  if (get_global_id(0) != 0) {
    return;
  }
  *(global char*)(out + 0) = a;
  *(global uchar*)(out + 1) = b;
  *(global short*)(out + 2) = c;
  *(global ushort*)(out + 4) = d;
  *(global int*)(out + 8) = e;
  *(global uint*)(out + 12) = f;
  *(global long*)(out + 16) = g;
  *(global ulong*)(out + 24) = h;
  *(global float*)(out + 32) = i;
  *(global double*)(out + 40) = j;
  out[48] = k.x;
  out[49] = k.y;
  out[50] = k.z;
  *(global int2*)(out + 56) = l;
  *(global float4*)(out + 64) = m;
  *(global ulong16*)(out + 128) = n;
}

kernel void test_pointers(global uint* both, const global uint* in, global uint* out, constant uint* fixed,
                          global volatile uint* watched, local uint* scratch) {
  const size_t i = get_global_id(0);
  scratch[get_local_id(0)] = in[i] + fixed[0];
  out[i] = scratch[get_local_id(0)] + watched[0];
  both[i] += 1;
}

kernel void test_nothing(void) {}
