// SPDX-License-Identifier: Apache-2.0
#include "xhal_element.h"
#include "xhal_kernel.h"

#define ADD(name, type, value)                                                                         \
  kernel void xhal_add_##name(global type* dst, global const type* a, global const type* b, ulong n) { \
    const size_t i = xhal_global_index();                                                              \
    if (i < n) {                                                                                       \
      dst[i] = value;                                                                                  \
    }                                                                                                  \
  }
#define ADD_INTEGER(name, type, word) ADD(name, type, (type)((word)a[i] + (word)b[i]))
#define ADD_FLOAT(name, type) ADD(name, type, a[i] + b[i])
#define ADD_SHORT_FLOAT(name) \
  ADD(name, ushort, xhal_##name##_of_float(xhal_float_of_##name(a[i]) + xhal_float_of_##name(b[i])))

XHAL_FOR_EACH_INTEGER(ADD_INTEGER)
XHAL_FOR_EACH_FLOAT(ADD_FLOAT)
XHAL_FOR_EACH_SHORT_FLOAT(ADD_SHORT_FLOAT)
