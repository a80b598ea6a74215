// SPDX-License-Identifier: Apache-2.0
// refused: undefined symbol: xhal_item_id_asked_for_outside_of_XHAL_EACH_ITEM
#include "xhal_kernel.h"
kernel void id_between(global uint* out, local uint* kept) {
  XHAL_EACH_ITEM { kept[xhal_local_index()] = 1; }
  XHAL_GROUP_BARRIER();
  out[get_local_id(0)] = kept[0];
}
