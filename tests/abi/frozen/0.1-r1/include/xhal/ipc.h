/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xhal/ipc.h - memory and events shared with other processes (features ipc_memory, ipc_event).
 *
 * A handle is ipc_handle_bytes (device properties) of position-independent bytes that any transport may carry to another process of the
 * same user on the same machine. The receiving driver treats them as untrusted. [XHAL-IPC-2] [XHAL-IPC-4]
 */
#ifndef XHAL_IPC_H_
#define XHAL_IPC_H_

#include "xhal/base.h"

XHAL_BEGIN_DECLS

/*
 * pointer is the base of a device allocation, else INVALID_POINTER; LIMIT_EXCEEDED when capacity is below ipc_handle_bytes. [XHAL-IPC-3]
 * It discloses that allocation alone, as it is: clear what others shall not see. [XHAL-IPC-7] It lives until its free and the last close. [XHAL-IPC-6]
 */
XHAL_EXPORT xhal_result_t xhal_ipc_export_memory(xhal_device_t device, const void* pointer, uint64_t capacity,
                                                 void* out_bytes);
/*
 * Opening it twice in a process gives the same address and counts. In the exporting process: its own address. [XHAL-IPC-1] [XHAL-IPC-5]
 * Its attributes say that it is imported. [XHAL-IPC-8] Errors: INVALID_ARGUMENT (altered, truncated, outlived or another device's bytes [XHAL-IPC-4]).
 */
XHAL_EXPORT xhal_result_t xhal_ipc_import_memory(xhal_device_t device, const void* bytes, uint64_t size,
                                                 void** out_pointer);
/* Once for each import; the address is valid until the last. [XHAL-IPC-5] */
XHAL_EXPORT xhal_result_t xhal_ipc_close_memory(xhal_device_t device, void* pointer);
/* The event was created with XHAL_EVENT_IPC, else INVALID_ARGUMENT. [XHAL-IPC-10] */
XHAL_EXPORT xhal_result_t xhal_ipc_export_event(xhal_event_t event, uint64_t capacity, void* out_bytes);
/* Waits bind what any process recorded before the call [XHAL-IPC-9], and end when the recorder dies. [XHAL-IPC-11] */
XHAL_EXPORT xhal_result_t xhal_ipc_import_event(xhal_device_t device, const void* bytes, uint64_t size,
                                                xhal_event_t* out_event);

XHAL_END_DECLS

#endif
