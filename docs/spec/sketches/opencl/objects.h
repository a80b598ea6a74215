/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of a driver's objects that the sketches of OpenCL touch. A device is listed only when it has shared virtual memory with
 * fine-grain buffers (OpenCL 2.0; PoCL has it): memory objects have no address, sub-buffers cannot begin at any byte, and coarse-grain
 * memory is not reached by the host without mapping. Intel's unified shared memory serves as well; its calls are named in coverage.md.
 */
#ifndef XHAL_SKETCH_OPENCL_H_
#define XHAL_SKETCH_OPENCL_H_

#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <CL/cl_ext.h>

#include "sketch.h"

typedef struct {
  cl_platform_id platform;
  cl_device_id device;
  cl_context context; /* one for all devices of the platform, so that events and memory reach across them */
  uint64_t allocated; /* there is no query for free memory */
} Device;

/*
 * An in-order queue with profiling on. `last` is the event of the last command, which query and synchronise look at. Before another
 * queue or the host waits for one of its events, the queue is flushed: OpenCL submits nothing before that.
 */
typedef struct {
  Device* device;
  cl_command_queue queue;
  cl_event last;
} Stream;

/* A cl_event belongs to one command, so each record makes one: a generation is a cl_event of its own. */
typedef struct {
  Device* device;
  cl_event current; /* null: generation 0 */
} Event;

typedef struct {
  Device* device;
  cl_program program;
} Module;

typedef struct {
  Module* module;
  cl_kernel kernel; /* argument values are its state: locked from the first argument to the launch */
} Kernel;

xhal_result_t result(cl_int code);

/* Takes the place of `last`; returns what the call that made the event returned. */
static inline cl_int then(Stream* stream, cl_event next) {
  if (stream->last != NULL) (void)clReleaseEvent(stream->last);
  stream->last = next;
  return CL_SUCCESS;
}

#endif
