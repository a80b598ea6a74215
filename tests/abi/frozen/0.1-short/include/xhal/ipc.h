/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xhal/ipc.h - memory and events shared with other processes (features ipc_memory, ipc_event).
 *
 * A handle is ipc_handle_bytes (device properties) of position-independent bytes that any transport may carry to another process of the
 * same user on the same machine. The receiving driver treats them as untrusted.
 */
#ifndef XHAL_IPC_H_
#define XHAL_IPC_H_

#include "xhal/base.h"

XHAL_BEGIN_DECLS

/* pointer is the base of a device allocation. LIMIT_EXCEEDED when capacity is below ipc_handle_bytes. */
XHAL_EXPORT xhal_result_t xhal_ipc_export_memory(xhal_device_t device, const void* pointer, uint64_t capacity, void* out_bytes);
/* Opening it twice in a process gives the same address and counts. In the exporting process: its own address. */
XHAL_EXPORT xhal_result_t xhal_ipc_import_memory(xhal_device_t device, const void* bytes, uint64_t size, void** out_pointer);
XHAL_EXPORT xhal_result_t xhal_ipc_close_memory(xhal_device_t device, void* pointer);
/* The event was created with XHAL_EVENT_IPC. */
XHAL_EXPORT xhal_result_t xhal_ipc_export_event(xhal_event_t event, uint64_t capacity, void* out_bytes);
XHAL_EXPORT xhal_result_t xhal_ipc_import_event(xhal_device_t device, const void* bytes, uint64_t size, xhal_event_t* out_event);

XHAL_END_DECLS

#endif
