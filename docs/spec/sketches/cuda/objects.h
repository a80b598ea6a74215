/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a driver's objects that the sketches of CUDA touch. */
#ifndef XHAL_SKETCH_CUDA_H_
#define XHAL_SKETCH_CUDA_H_

#include <cuda.h>

#include "sketch.h"

typedef struct {
  CUdevice device;
  CUcontext context; /* the primary one, or the application's (device_set_native_context) */
  int is_foreign;    /* the context is the application's */
  CUstream default_stream;
  int priority_least, priority_greatest;
} Device;

typedef struct {
  Device* device;
  CUstream stream;
  int is_foreign;
} Stream;

typedef struct {
  Device* device;
  CUevent event;
  uint64_t generation; /* 0: never recorded */
} Event;

typedef struct {
  Device* device;
  CUmodule module;
} Module;

typedef struct {
  Module* module;
  CUfunction function;
} Kernel;

typedef struct {
  CUgraph graph;
} Graph;

typedef struct {
  CUgraphExec exec;
} GraphExec;

typedef struct {
  Device* device;
  CUmemoryPool pool;
} Pool;

typedef struct {
  CUmemGenericAllocationHandle handle;
} Physical;

typedef struct {
  CUexternalSemaphore semaphore;
  int is_timeline;
} Semaphore;

/* CUDA's codes to the contract's; keeps the native code and CUDA's text for the error report. */
xhal_result_t result(CUresult code);

/*
 * Calls without a stream work in the current context of the calling thread. It is pushed and popped, never set: the application's stays
 * where it was, and so does what the runtime API believes. [XHAL-ABI-16]
 */
static inline CUresult enter(const Device* device) { return cuCtxPushCurrent(device->context); }
static inline void leave(void) {
  CUcontext ours;
  (void)cuCtxPopCurrent(&ours);
}
#define IN_CONTEXT(device, call)           \
  do {                                     \
    TRY(enter(device));                    \
    const CUresult in_context_code = call; \
    leave();                               \
    TRY(in_context_code);                  \
  } while (0)

static inline CUdeviceptr address(const void* pointer) { return (CUdeviceptr)(uintptr_t)pointer; }

#endif
