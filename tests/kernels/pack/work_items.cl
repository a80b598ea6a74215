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
