/* SPDX-License-Identifier: Apache-2.0 */
/* A published version of an extension's table never changes: a build that disagrees here needs the next number. */
#include <stddef.h>

#include "xhal/ext/host_function.h"
#include "xhal/ext/lose_device.h"

#define NAMED(name, text) _Static_assert(sizeof(name) == sizeof(text), #name)

NAMED(XHAL_LOSE_DEVICE_NAME, "xhal.lose_device");
_Static_assert(XHAL_LOSE_DEVICE_VERSION == 1, "layout of version 1");
_Static_assert(sizeof(xhal_lose_device_t) == 16, "layout of version 1");
_Static_assert(offsetof(xhal_lose_device_t, lose) == 8, "layout of version 1");

NAMED(XHAL_HOST_FUNCTION_NAME, "xhal.host_function");
_Static_assert(XHAL_HOST_FUNCTION_VERSION == 1, "layout of version 1");
_Static_assert(sizeof(xhal_host_function_t) == 16, "layout of version 1");
_Static_assert(offsetof(xhal_host_function_t, is_inside) == 8, "layout of version 1");
