/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_HAL_FAKE_LAYER_H_
#define TESTS_HAL_FAKE_LAYER_H_

#include "xhal/driver.h"

/* The extension "layer.<name>", version 1: one for each attach, readable after detach. */
typedef struct fake_layer_state {
  const xhal_functions_t* next;
  uint32_t slot;
  uint32_t queries;       /* atomic */
  int32_t query_result;   /* not 0: stream_query is refused with it, and with a text */
  uint32_t saw_unstamped; /* atomic */
  uint32_t hide_last;     /* option hide: the last device is not listed */
  uint32_t detached;
  char driver_name[64];
  char options[256];
} fake_layer_state_t;

#endif
