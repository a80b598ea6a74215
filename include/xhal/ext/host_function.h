/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xhal/ext/host_function.h - the extension table "xhal.host_function", version 1: whether the calling thread is inside a host function of
 * the driver that gave it. libxhal asks before it closes the drivers of an instance, so that an xhal_instance_destroy inside a host function
 * is refused before anything has changed, also when the instance has several drivers. The driver kit answers for each of its drivers.
 * Not part of xhal/xhal.h.
 */
#ifndef XHAL_EXT_HOST_FUNCTION_H_
#define XHAL_EXT_HOST_FUNCTION_H_

#include "xhal/base.h"

XHAL_BEGIN_DECLS

#define XHAL_HOST_FUNCTION_NAME "xhal.host_function"
#define XHAL_HOST_FUNCTION_VERSION 1u

/* Alive for the life of the process; may be used after the driver was closed. */
typedef struct xhal_host_function {
  uint32_t struct_size;
  uint32_t reserved;
  /* 1 inside a host function of whichever instance of this driver, else 0. Never waits, takes no lock. */
  uint32_t (*is_inside)(void);
} xhal_host_function_t;

XHAL_END_DECLS

#endif
