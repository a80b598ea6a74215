// SPDX-License-Identifier: Apache-2.0
#include "xhal_element.h"
#include "xhal_kernel.h"

#define COPY(name, type)                                                            \
  kernel void xhal_copy_##name(global type* dst, global const type* src, ulong n) { \
    const size_t i = xhal_global_index();                                           \
    if (i < n) {                                                                    \
      dst[i] = src[i];                                                              \
    }                                                                               \
  }
#define COPY_INTEGER(name, type, word) COPY(name, type)
#define COPY_SHORT_FLOAT(name) COPY(name, ushort)

COPY(u32, uint)
XHAL_FOR_EACH_INTEGER(COPY_INTEGER)
XHAL_FOR_EACH_FLOAT(COPY)
XHAL_FOR_EACH_SHORT_FLOAT(COPY_SHORT_FLOAT)
