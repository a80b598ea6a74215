// SPDX-License-Identifier: Apache-2.0
// Windows that slide over images.
#ifndef XHAL_OP_WINDOW_H_
#define XHAL_OP_WINDOW_H_

#include "xhal/operators.h"

// Which outputs begin and end to see the input along a dimension, at a place of the window.
static inline void op_seen(const xhal_op_window* window, uint d, ulong place, long* begin, ulong* from,
                           ulong* to) {
  *begin = (long)(place * window->dilation[d]) - window->padding[d];
  const long stride = (long)window->stride[d];
  const long last = (long)window->input[d] - 1 - *begin;
  *from = *begin >= 0 ? 0 : (ulong)((-*begin + stride - 1) / stride);
  *to = last < 0 ? 0 : (ulong)(last / stride) + 1;
  if (*to > window->output[d]) *to = window->output[d];
  if (*from > *to) *from = *to;
}

#endif
