// SPDX-License-Identifier: Apache-2.0
// Structures by value of the sizes that a calling convention may treat apart, packed and over-aligned ones, a union, and in local memory.
#include "xhal_kernel.h"

struct one {
  uchar a;
};
struct twelve {
  float a, b, c;
};
struct twenty_four {
  ulong a, b, c;
};
struct __attribute__((packed)) packed {
  uchar a;
  ulong b;
};
struct __attribute__((aligned(64))) wide {
  uint a;
};
union either {
  ulong a;
  uchar b[12];
};
struct nested {
  struct one first[3];
  struct packed second;
  uint3 third;
};

kernel void test_structures(global ulong* out, struct one one, struct twelve twelve, struct twenty_four more,
                            struct packed packed, struct wide wide, union either either,
                            struct nested nested) {
  out[0] = one.a;
  out[1] = as_uint(twelve.a) + (ulong)as_uint(twelve.b) * 3 + (ulong)as_uint(twelve.c) * 5;
  out[2] = more.a + more.b * 3 + more.c * 5;
  out[3] = packed.a + packed.b * 3;
  out[4] = wide.a;
  out[5] = either.a + either.b[11];
  out[6] = nested.first[2].a + nested.second.b * 3 + nested.third.z * 5;
}

// The value crosses a barrier, and its copy lies in local memory.
kernel void test_local_structure(global ulong* out, struct nested nested, struct twelve twelve) {
  local struct nested shared[2];
  local struct twelve other;
  const uint item = (uint)xhal_local_index();
  if (item == 0) {
    shared[1] = nested;
    other = twelve;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  out[xhal_global_index()] = shared[1].second.b + nested.third.y + (ulong)other.c + (ulong)twelve.b + item;
}
