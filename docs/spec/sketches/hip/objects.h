/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a driver's objects that the sketches of HIP touch. Written against HIP 5.2 (Debian 12's libamdhip64-dev). */
#ifndef XHAL_SKETCH_HIP_H_
#define XHAL_SKETCH_HIP_H_

#ifndef __HIP_PLATFORM_AMD__
#define __HIP_PLATFORM_AMD__ 1
#endif
#include <hip/hip_runtime_api.h>

#include "sketch.h"

typedef struct {
  int ordinal;
  hipStream_t default_stream;
  int priority_least, priority_greatest;
} Device;

typedef struct {
  Device* device;
  hipStream_t stream;
  int is_foreign;
} Stream;

typedef struct {
  Device* device;
  hipEvent_t event;
  uint64_t generation; /* 0: never recorded */
} Event;

typedef struct {
  Device* device;
  hipModule_t module;
} Module;

typedef struct {
  Module* module;
  hipFunction_t function;
} Kernel;

typedef struct {
  hipGraph_t graph;
} Graph;

typedef struct {
  hipGraphExec_t exec;
} GraphExec;

typedef struct {
  hipMemPool_t pool;
} Pool;

typedef struct {
  hipMemGenericAllocationHandle_t handle;
} Physical;

typedef struct {
  hipExternalSemaphore_t semaphore;
} Semaphore;

xhal_result_t result(hipError_t code);

/*
 * HIP has a current device and a last error a thread, and both are the application's: the device is set back, and an error that a call of
 * ours left is taken away again unless one was pending before. hipErrorNotReady of a query counts as one. [XHAL-ABI-16]
 */
typedef struct {
  int former_device;
  hipError_t pending;
} Thread;

static inline Thread enter(const Device* device) {
  Thread thread = {0, hipPeekAtLastError()};
  (void)hipGetDevice(&thread.former_device);
  if (thread.former_device != device->ordinal) (void)hipSetDevice(device->ordinal);
  return thread;
}
static inline hipError_t leave(const Device* device, Thread thread, hipError_t code) {
  if (thread.former_device != device->ordinal) (void)hipSetDevice(thread.former_device);
  if (thread.pending == hipSuccess && code != hipSuccess) (void)hipGetLastError();
  return code;
}
#define ON_DEVICE(device, call)                     \
  do {                                              \
    const Thread on_device_thread = enter(device);  \
    TRY(leave((device), on_device_thread, (call))); \
  } while (0)

#endif
