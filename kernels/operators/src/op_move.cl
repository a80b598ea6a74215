// SPDX-License-Identifier: Apache-2.0
// Elements as they are, from one layout to another: by their size alone.
#include "op_element.h"

#define OP_MOVE(bytes, T)                                                                        \
  kernel void xhal_move_##bytes(global T* y, global const T* a, xhal_op_shape shape) {           \
    if (op_is_inside(&shape)) y[op_offset(&shape, 0) / bytes] = a[op_offset(&shape, 1) / bytes]; \
  }
OP_MOVE(1, uchar)
OP_MOVE(2, ushort)
OP_MOVE(4, uint)
OP_MOVE(8, ulong)
OP_MOVE(16, ulong2)
