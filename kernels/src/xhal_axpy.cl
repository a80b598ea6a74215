// SPDX-License-Identifier: Apache-2.0
#include "xhal_element.h"
#include "xhal_kernel.h"

#define AXPY(name, type, value)                                                         \
  kernel void xhal_axpy_##name(global type* y, global const type* x, type a, ulong n) { \
    const size_t i = xhal_global_index();                                               \
    if (i < n) {                                                                        \
      y[i] = value;                                                                     \
    }                                                                                   \
  }
#define AXPY_INTEGER(name, type, word) AXPY(name, type, (type)((word)a * (word)x[i] + (word)y[i]))
#define AXPY_FLOAT(name, type) AXPY(name, type, a* x[i] + y[i])
#define AXPY_SHORT_FLOAT(name)                                                       \
  AXPY(name, ushort,                                                                 \
       xhal_##name##_of_float(xhal_float_of_##name(a) * xhal_float_of_##name(x[i]) + \
                              xhal_float_of_##name(y[i])))

XHAL_FOR_EACH_INTEGER(AXPY_INTEGER)
XHAL_FOR_EACH_FLOAT(AXPY_FLOAT)
XHAL_FOR_EACH_SHORT_FLOAT(AXPY_SHORT_FLOAT)
