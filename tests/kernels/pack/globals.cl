// SPDX-License-Identifier: Apache-2.0
// Global variables of several types, in functions, beside local ones, at constant places, in kernels of every kind.
#include "xhal_kernel.h"

typedef struct {
  uchar tag;
  ulong words[3];
} test_record;

global test_record test_global_record = {7, {11, 12, 13}};
global short test_global_table[4][2] = {{1, -1}, {2, -2}, {3, -3}, {4, -4}};
global float4 test_global_vector = (float4)(0.5f, 1.5f, 2.5f, 3.5f);
global uchar test_global_bytes[5];
constant ulong test_constant[2] = {100, 200};

static ulong last_word(void) { return test_global_record.words[2]; }
static global uchar* second_byte(void) { return &test_global_bytes[1]; }

kernel void test_globals(global ulong* out) {
  if (xhal_global_index() != 0) {
    return;
  }
  out[0] = test_global_record.tag;
  out[1] = last_word();
  out[2] = (ulong)(long)test_global_table[3][1];
  out[3] = as_uint(test_global_vector.z);
  out[4] = *second_byte();
  out[5] = test_constant[1];
  test_global_record.words[2] += test_constant[0];
  test_global_table[3][1] = 44;
  second_byte()[1] = 9;
}

// Through a pointer that is one or the other.
kernel void test_globals_chosen(global ulong* out, uint which) {
  global ulong* const word = which == 0 ? &test_global_record.words[0] : out;
  if (xhal_global_index() == 0) {
    *word += 1;
  }
}

kernel void test_globals_barrier(global ulong* out) {
  local ulong stage[64];
  stage[get_local_id(0)] = test_global_record.words[0] + get_local_id(0);
  barrier(CLK_LOCAL_MEM_FENCE);
  out[get_global_id(0)] = stage[(get_local_id(0) + 1) % get_local_size(0)] + test_global_record.words[1];
}

kernel void test_globals_in_steps(global ulong* out, local ulong* stage) {
  XHAL_EACH_ITEM { stage[xhal_local_index()] = test_global_record.words[1] + xhal_local_index(); }
  XHAL_GROUP_BARRIER();
  XHAL_FIRST_ITEMS(1) {
    ulong sum = 0;
    for (uint i = 0; i < xhal_group_items(); ++i) {
      sum += stage[i];
    }
    out[xhal_group_index()] = sum;
  }
}
