// SPDX-License-Identifier: Apache-2.0
// Every work-item function, in and outside of the three dimensions.
#include "xhal_kernel.h"

kernel void test_work_items(global ulong* out, uint dimension) {
  global ulong* row = out + 8 * xhal_global_index();
  row[0] = get_global_id(dimension);
  row[1] = get_global_size(dimension);
  row[2] = get_local_id(dimension);
  row[3] = get_local_size(dimension);
  row[4] = get_group_id(dimension);
  row[5] = get_num_groups(dimension);
  row[6] = get_global_offset(dimension);
  row[7] = get_work_dim();
}

// Guards of other shapes than the pack's: reversed, with a lower bound, of a neighbour.
kernel void test_guards(global uint* out, global const uint* in, ulong first, ulong n) {
  const size_t i = get_global_id(0);
  if (i >= n) {
    return;
  }
  if (i < first) {
    return;
  }
  uint sum = in[i];
  if (i + 1 < n) {
    sum += in[i + 1];
  }
  out[i] = sum;
}

// Traps in one group of a row; each group says that it ran.
kernel void test_trap_in_group(global uint* ran, uint group) {
  if (get_local_id(0) == 0) {
    ran[get_group_id(0)] = 1;
  }
  if (get_group_id(0) == group) {
    XHAL_TRAP();
  }
}

// Cannot tell a group from its neighbour but through a function that it calls, which hides it.
uint number_in_group(void) { return (uint)get_local_id(0); }
uint hidden(uint depth) { return depth == 0 ? number_in_group() : number_in_group() + depth; }
kernel void test_hidden_local_id(global uint* out) { out[get_global_id(0)] = hidden(2) - 2; }

// Asks for nothing that differs from group to group of a row: sizes are the same in each.
kernel void test_alike(global uint* out, ulong n) {
  const size_t i = xhal_global_index();
  if (i < n) {
    out[i] = (uint)(i + 1000 * get_local_size(0) + 100000 * get_num_groups(0));
  }
}
