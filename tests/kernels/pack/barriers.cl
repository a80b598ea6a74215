// SPDX-License-Identifier: Apache-2.0
// Barriers where a simple translation goes wrong: in a function, in nested loops, with much state, and left out by some items.
#include "xhal_kernel.h"

void exchange(local uint* scratch, uint item, uint value) {
  scratch[item] = value;
  barrier(CLK_LOCAL_MEM_FENCE);
}

// Every item ends with the value of the item `group - 1 - itself`, `rounds` times over.
kernel void test_mirror(global uint* values, uint rounds, local uint* scratch) {
  const uint items = (uint)xhal_group_items();
  const uint item = (uint)xhal_local_index();
  const size_t i = xhal_group_index() * items + item;
  for (uint round = 0; round < rounds; ++round) {
    for (uint part = 0; part < 2; ++part) {
      exchange(scratch, item, values[i] + part);
      values[i] = scratch[items - 1 - item];
      barrier(CLK_LOCAL_MEM_FENCE);
    }
  }
}

// A vector and an array stay alive across a barrier.
kernel void test_state(global float16* out, global const float16* in, local float* scratch) {
  const uint item = (uint)xhal_local_index();
  const uint items = (uint)xhal_group_items();
  const float16 before = in[xhal_global_index()];
  global const float* lanes = (global const float*)(in + xhal_global_index());
  float kept[16];
  for (uint lane = 0; lane < 16; ++lane) {
    kept[lane] = lanes[(lane + item) % 16];
  }
  scratch[item] = before.s0;
  barrier(CLK_LOCAL_MEM_FENCE);
  const float neighbour = scratch[(item + 1) % items];
  barrier(CLK_LOCAL_MEM_FENCE);
  const float16 after = before * neighbour;
  float sum = 0;
  for (uint lane = 0; lane < 16; ++lane) {
    sum += kept[lane] * (float)(lane + 1);
  }
  out[xhal_global_index()] = after + sum;
}

// OpenCL leaves this undefined: only some items reach the barrier. It must end all the same.
kernel void test_left_out(global uint* out, uint leavers) {
  const uint item = (uint)xhal_local_index();
  if (item < leavers) {
    out[xhal_global_index()] = 1;
    return;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  out[xhal_global_index()] = 2;
}
