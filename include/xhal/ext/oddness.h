/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xhal/ext/oddness.h - the extension table "xhal.oddness", version 1: how often a driver or layer that was told to be odd, within the contract,
 * was so in this process. Experimental; only the simulator and the layer `variants` answer. Not part of xhal/xhal.h.
 *
 * A test suite is fair when drivers that keep the contract in unusual ways pass; these numbers show that they were unusual meanwhile.
 */
#ifndef XHAL_EXT_ODDNESS_H_
#define XHAL_EXT_ODDNESS_H_

#include "xhal/base.h"

XHAL_BEGIN_DECLS

#define XHAL_ODDNESS_NAME "xhal.oddness"
#define XHAL_ODDNESS_VERSION 1u

/* Alive for the life of the process; may be used after the instance was destroyed. */
typedef struct xhal_oddness {
  uint32_t struct_size;
  uint32_t reserved;
  /*
   * How many kinds of oddness there are, and of the first `capacity` of them the name and how often it happened in all instances of the process
   * until now. A layer tells those of what lies below it behind its own. Names live as long as the process. Never waits.
   */
  uint32_t (*read)(uint32_t capacity, const char** out_names, uint64_t* out_counts);
} xhal_oddness_t;

XHAL_END_DECLS

#endif
