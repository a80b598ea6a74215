/* SPDX-License-Identifier: Apache-2.0 */
/* A published version of an extension's table never changes: a build that disagrees here needs the next number. */
#include <stddef.h>

#include "xhal/ext/host_function.h"
#include "xhal/ext/lose_device.h"
#include "xhal/ext/native_probe.h"
#include "xhal/ext/oddness.h"

#define NAMED(name, text) _Static_assert(sizeof(name) == sizeof(text), #name)

NAMED(XHAL_LOSE_DEVICE_NAME, "xhal.lose_device");
_Static_assert(XHAL_LOSE_DEVICE_VERSION == 1, "layout of version 1");
_Static_assert(sizeof(xhal_lose_device_t) == 16, "layout of version 1");
_Static_assert(offsetof(xhal_lose_device_t, lose) == 8, "layout of version 1");

NAMED(XHAL_HOST_FUNCTION_NAME, "xhal.host_function");
_Static_assert(XHAL_HOST_FUNCTION_VERSION == 1, "layout of version 1");
_Static_assert(sizeof(xhal_host_function_t) == 16, "layout of version 1");
_Static_assert(offsetof(xhal_host_function_t, is_inside) == 8, "layout of version 1");

NAMED(XHAL_ODDNESS_NAME, "xhal.oddness");
_Static_assert(XHAL_ODDNESS_VERSION == 1, "layout of version 1");
_Static_assert(sizeof(xhal_oddness_t) == 16, "layout of version 1");
_Static_assert(offsetof(xhal_oddness_t, read) == 8, "layout of version 1");

NAMED(XHAL_NATIVE_PROBE_NAME, "xhal.native_probe");
_Static_assert(XHAL_NATIVE_PROBE_VERSION == 1, "layout of version 1");
_Static_assert(XHAL_NATIVE_PROBE_DEVICE == 1 && XHAL_NATIVE_PROBE_CONTEXT == 2 &&
                   XHAL_NATIVE_PROBE_STREAM == 3 && XHAL_NATIVE_PROBE_EVENT == 4 &&
                   XHAL_NATIVE_PROBE_MODULE == 5,
               "values of version 1");
_Static_assert(sizeof(xhal_native_probe_t) == 120, "layout of version 1");
_Static_assert(offsetof(xhal_native_probe_t, zero_streams) == 4, "layout of version 1");
_Static_assert(offsetof(xhal_native_probe_t, ask) == 8, "layout of version 1");
_Static_assert(offsetof(xhal_native_probe_t, stream_create) == 16, "layout of version 1");
_Static_assert(offsetof(xhal_native_probe_t, stream_destroy) == 24, "layout of version 1");
_Static_assert(offsetof(xhal_native_probe_t, stream_fill) == 32, "layout of version 1");
_Static_assert(offsetof(xhal_native_probe_t, stream_hold) == 40, "layout of version 1");
_Static_assert(offsetof(xhal_native_probe_t, stream_release) == 48, "layout of version 1");
_Static_assert(offsetof(xhal_native_probe_t, context_create) == 56, "layout of version 1");
_Static_assert(offsetof(xhal_native_probe_t, context_destroy) == 64, "layout of version 1");
_Static_assert(offsetof(xhal_native_probe_t, allocate) == 72, "layout of version 1");
_Static_assert(offsetof(xhal_native_probe_t, free) == 80, "layout of version 1");
_Static_assert(offsetof(xhal_native_probe_t, semaphore_create) == 88, "layout of version 1");
_Static_assert(offsetof(xhal_native_probe_t, semaphore_signal) == 96, "layout of version 1");
_Static_assert(offsetof(xhal_native_probe_t, semaphore_get) == 104, "layout of version 1");
_Static_assert(offsetof(xhal_native_probe_t, semaphore_destroy) == 112, "layout of version 1");
