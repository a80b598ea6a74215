/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xhal/ext/native_probe.h - the extension table "xhal.native_probe", version 1: the vendor's own calls, as far as somebody who does not link the
 * vendor's library needs them to see what the contract says about native handles, foreign contexts, foreign memory and semaphores
 * [XHAL-INTEROP-1..8] [XHAL-INTEROP-12] [XHAL-INTEROP-13]. The conformance suite is that somebody. Experimental; a driver for production
 * does not offer it. Not part of xhal/xhal.h.
 *
 *     const void* table = NULL;
 *     if (xhal_driver_get_extension(driver, XHAL_NATIVE_PROBE_NAME, XHAL_NATIVE_PROBE_VERSION, &table) == XHAL_SUCCESS)
 *       ((const xhal_native_probe_t*)table)->ask(device, XHAL_NATIVE_PROBE_STREAM, &native);
 *
 * Each function does what its comment says by the vendor's calls alone, past everything that the driver knows of its own streams and memory:
 * an application that uses both would do the same. A null function is one that the vendor's API has no calls for. `device` is a live device of
 * the driver that gave the table; what is made belongs to the caller, who destroys it by the function beside. An error of the vendor is
 * given as the driver would give it from a call of the contract, and changes nothing.
 */
#ifndef XHAL_EXT_NATIVE_PROBE_H_
#define XHAL_EXT_NATIVE_PROBE_H_

#include "xhal/interop.h"

XHAL_BEGIN_DECLS

#define XHAL_NATIVE_PROBE_NAME "xhal.native_probe"
#define XHAL_NATIVE_PROBE_VERSION 1u

/* What a native handle is of. */
enum {
  XHAL_NATIVE_PROBE_DEVICE = 1,
  XHAL_NATIVE_PROBE_CONTEXT = 2,
  XHAL_NATIVE_PROBE_STREAM = 3,
  XHAL_NATIVE_PROBE_EVENT = 4,
  XHAL_NATIVE_PROBE_MODULE = 5
};

typedef struct xhal_native_probe {
  uint32_t struct_size;
  /*
   * Bit 1 << XHAL_NATIVE_x: the vendor's API has a stream of this kind whose value is 0. Bit 1 << XHAL_NATIVE_HANDLE stands for APIs in
   * which 0 is the handle of an ordinary stream. [XHAL-INTEROP-2]
   */
  uint32_t zero_streams;

  /*
   * A harmless question of the vendor's about the object, as cuStreamGetCtx, hipEventQuery or clGetContextInfo. SUCCESS: the vendor knows it as a
   * live object of this sort; else the error. `object` is an XHAL_NATIVE_PROBE_x. [XHAL-INTEROP-1]
   */
  xhal_result_t (*ask)(xhal_device_t device, uint32_t object, const xhal_native_t* native);

  /* A stream of the application's own, in the context in which the driver works. Its destroy comes when nothing runs on it. */
  xhal_result_t (*stream_create)(xhal_device_t device, xhal_native_t* out_stream);
  xhal_result_t (*stream_destroy)(xhal_device_t device, const xhal_native_t* stream);
  /* Submits: `count` 32-bit words at destination, an address that kernels of the device reach, become value. Does not wait. */
  xhal_result_t (*stream_fill)(xhal_device_t device, const xhal_native_t* stream, void* destination,
                               uint32_t value, uint64_t count);
  /*
   * Submits an operation that does not end before stream_release is called with what is given out here: a wait for a value, for an event that
   * the host sets, or a kernel that spins. Each hold is released once, from any thread; after that it is gone. [XHAL-INTEROP-3]
   */
  xhal_result_t (*stream_hold)(xhal_device_t device, const xhal_native_t* stream, void** out_hold);
  xhal_result_t (*stream_release)(xhal_device_t device, void* hold);

  /* A context of the application's own for this device. Does not make the device active. [XHAL-INTEROP-6] */
  xhal_result_t (*context_create)(xhal_device_t device, xhal_native_t* out_context);
  xhal_result_t (*context_destroy)(xhal_device_t device, const xhal_native_t* context);

  /* Device memory of the vendor's own allocator, in this context. [XHAL-INTEROP-7] */
  xhal_result_t (*allocate)(xhal_device_t device, const xhal_native_t* context, uint64_t size,
                            void** out_pointer);
  xhal_result_t (*free)(xhal_device_t device, const xhal_native_t* context, void* pointer);

  /*
   * A timeline semaphore that somebody else made, at value 0. out_desc is filled as xhal_semaphore_import takes it, with a descriptor that belongs
   * to the caller. Signal sets a larger value, get asks for the present one. [XHAL-INTEROP-12]
   */
  xhal_result_t (*semaphore_create)(xhal_device_t device, xhal_external_semaphore_desc_t* out_desc,
                                    void** out_semaphore);
  xhal_result_t (*semaphore_signal)(xhal_device_t device, void* semaphore, uint64_t value);
  xhal_result_t (*semaphore_get)(xhal_device_t device, void* semaphore, uint64_t* out_value);
  xhal_result_t (*semaphore_destroy)(xhal_device_t device, void* semaphore);
} xhal_native_probe_t;

XHAL_END_DECLS

#endif
