// SPDX-License-Identifier: Apache-2.0
#include "xhal_element.h"
#include "xhal_kernel.h"

#define IOTA(name, type, value)                                                    \
  kernel void xhal_iota_##name(global type* dst, type start, type step, ulong n) { \
    const size_t i = xhal_global_index();                                          \
    if (i < n) {                                                                   \
      dst[i] = value;                                                              \
    }                                                                              \
  }
#define IOTA_INTEGER(name, type, word) IOTA(name, type, (type)((word)start + (word)i * (word)step))
// As a signed number, which more processors convert at once; no index has the highest bit.
#define IOTA_FLOAT(name, type) IOTA(name, type, start + (type)(long)i * step)
#define IOTA_SHORT_FLOAT(name) \
  IOTA(name, ushort,           \
       xhal_##name##_of_float(xhal_float_of_##name(start) + (float)(long)i * xhal_float_of_##name(step)))

IOTA_INTEGER(u32, uint, uint)
XHAL_FOR_EACH_INTEGER(IOTA_INTEGER)
XHAL_FOR_EACH_FLOAT(IOTA_FLOAT)
XHAL_FOR_EACH_SHORT_FLOAT(IOTA_SHORT_FLOAT)
