/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xhal/ext/lose_device.h - the extension table "xhal.lose_device", version 1: makes a device lost, as if it had fallen off its bus, so that
 * code which must survive that can be tested. Experimental; a driver for production does not offer it. Not part of xhal/xhal.h.
 *
 *     const void* table = NULL;
 *     if (xhal_driver_get_extension(driver, XHAL_LOSE_DEVICE_NAME, XHAL_LOSE_DEVICE_VERSION, &table) == XHAL_SUCCESS)
 *       ((const xhal_lose_device_t*)table)->lose(device);
 */
#ifndef XHAL_EXT_LOSE_DEVICE_H_
#define XHAL_EXT_LOSE_DEVICE_H_

#include "xhal/base.h"

XHAL_BEGIN_DECLS

#define XHAL_LOSE_DEVICE_NAME "xhal.lose_device"
#define XHAL_LOSE_DEVICE_VERSION 1u

typedef struct xhal_lose_device {
  uint32_t struct_size;
  uint32_t reserved;
  /*
   * Loses a device of the driver that gave the table. Never waits: work that has not run is dropped, work that runs is told to end, host
   * functions that wait run with DEVICE_LOST. A lost device may be lost again, which changes nothing. What holds afterwards is
   * [XHAL-ERROR-14]. Errors: INVALID_HANDLE for whatever is no live device of that driver, which is not looked into.
   */
  xhal_result_t (*lose)(xhal_device_t device);
} xhal_lose_device_t;

XHAL_END_DECLS

#endif
