/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver for tests of libxhal, written against driver.h alone and without the kit: it sees the contract from the other side.
 * Its devices have no memory and no work; it counts calls and answers what it is told to.
 */
#ifndef TESTS_HAL_FAKE_DRIVER_H_
#define TESTS_HAL_FAKE_DRIVER_H_

#include "xhal/driver.h"

/* The extension "fake.state", version 1: one for each open driver. Set and read by one thread at a time unless said otherwise. */
typedef struct fake_state {
  uint32_t negotiations; /* of the library, in this process */
  uint32_t opens;
  uint32_t calls;       /* of the table; atomic */
  uint32_t raw_devices; /* devices that driver_get_devices tells */
  /* stream_synchronize reports report_code with report_text where that is not null, then returns result; stream_create reports the same
   * and succeeds. */
  int32_t result;
  int32_t report_code;
  int64_t report_native_code;
  const char* report_text;
  uint32_t forbid_close;                  /* so many closes return CALL_FORBIDDEN */
  void (*on_forbidden_close)(void* user); /* called by such a close */
  void* on_forbidden_close_user;
  int32_t attributes_result; /* of driver_get_pointer_attributes when it is not 0 */
  const void* owned_pointer; /* what driver_get_pointer_attributes knows, as memory of the last device */
  uint64_t owned_size;
  void* host_context;
  const xhal_host_services_t* services;
  /* The last open's options, "key=value;" each. */
  char options[512];
} fake_state_t;

#endif
