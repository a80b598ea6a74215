// SPDX-License-Identifier: Apache-2.0
// Kernels in steps: ids and kept values of each item, steps of some items only, declared local memory, functions, traps.
#include "xhal_kernel.h"

static inline void note(global ulong* out, uint kept, uint seen) {
  global ulong* const place = out + 6 * xhal_global_index();
  place[0] = get_local_id(0);
  place[1] = get_local_id(1);
  place[2] = get_local_id(2);
  place[3] = xhal_local_index();
  place[4] = kept;
  place[5] = seen;
}

// Item `items - 1 - i` sees `i + 1` for the first `count` of all i, others 0, in each of `rounds`.
kernel void test_steps(global ulong* out, uint count, uint rounds) {
  local uint scratch[1024];
  XHAL_PRIVATE(uint, kept);
  XHAL_EACH_ITEM { XHAL_OWN(kept) = 3 * (uint)xhal_global_index(); }
  for (uint round = 0; round < rounds; ++round) {
    XHAL_EACH_ITEM { scratch[xhal_local_index()] = 0; }
    XHAL_GROUP_BARRIER();
    XHAL_FIRST_ITEMS(count) {
      scratch[xhal_group_items() - 1 - xhal_local_index()] = (uint)xhal_local_index() + 1;
    }
    XHAL_GROUP_BARRIER();
    XHAL_EACH_ITEM { XHAL_OWN(kept) += scratch[xhal_local_index()]; }
    if (round + 1 == rounds) {
      XHAL_EACH_ITEM { note(out, XHAL_OWN(kept), scratch[xhal_local_index()]); }
    }
    XHAL_GROUP_BARRIER();
  }
}

// No item waits for another one. Group `fails` traps and, like those before it, has written.
kernel void test_lone_step(global uint* out, uint fails) {
  XHAL_EACH_ITEM {
    out[xhal_global_index()] = 1;
    if (xhal_group_index() == fails && xhal_local_index() == 0) {
      XHAL_TRAP();
    }
  }
}
