/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xhal.h - the application's side of the contract: one C ABI between frameworks and accelerators.
 *
 * Start at base.h (rules, results, handles), then instance.h and device.h (what is there), stream.h, event.h, memory.h, kernel.h
 * (work). The rest are features that a device may claim. docs/spec numbers every rule; [XHAL-EVENT-3] in a comment points there.
 */
#ifndef XHAL_XHAL_H_
#define XHAL_XHAL_H_

#include "xhal/base.h"
#include "xhal/device.h"
#include "xhal/event.h"
#include "xhal/graph.h"
#include "xhal/instance.h"
#include "xhal/interop.h"
#include "xhal/ipc.h"
#include "xhal/kernel.h"
#include "xhal/memory.h"
#include "xhal/observe.h"
#include "xhal/pool.h"
#include "xhal/stream.h"
#include "xhal/vmm.h"

#endif
