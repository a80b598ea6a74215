// SPDX-License-Identifier: Apache-2.0
#include "xhal_element.h"
#include "xhal_kernel.h"

#define FILL(name, type)                                                \
  kernel void xhal_fill_##name(global type* dst, type value, ulong n) { \
    const size_t i = xhal_global_index();                               \
    if (i < n) {                                                        \
      dst[i] = value;                                                   \
    }                                                                   \
  }
#define FILL_INTEGER(name, type, word) FILL(name, type)
#define FILL_SHORT_FLOAT(name) FILL(name, ushort)

FILL(u32, uint)
XHAL_FOR_EACH_INTEGER(FILL_INTEGER)
XHAL_FOR_EACH_FLOAT(FILL)
XHAL_FOR_EACH_SHORT_FLOAT(FILL_SHORT_FLOAT)
