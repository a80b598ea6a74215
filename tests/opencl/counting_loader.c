// SPDX-License-Identifier: Apache-2.0
// OpenCL's loader, but for the calls that set arguments and launch: those are counted and passed on. Linked to the real one, which has the others.
#define _GNU_SOURCE
#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <dlfcn.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

// A function from an object pointer, as POSIX has dlsym and C11 has no cast for.
static void find(const char* name, void* out_function) {
  void* const symbol = dlsym(RTLD_NEXT, name);
  memcpy(out_function, &symbol, sizeof(symbol));
}
// The real one's, as the call of this name and type.
#define REAL(name, type) \
  type real;             \
  find(#name, &real)

EXPORTED unsigned arguments_set = 0;
EXPORTED unsigned launches = 0;

typedef cl_int (*set_argument_fn)(cl_kernel, cl_uint, size_t, const void*);
typedef cl_int (*set_pointer_fn)(cl_kernel, cl_uint, const void*);
typedef cl_int (*launch_fn)(cl_command_queue, cl_kernel, cl_uint, const size_t*, const size_t*, const size_t*,
                            cl_uint, const cl_event*, cl_event*);

EXPORTED cl_int clSetKernelArg(cl_kernel kernel, cl_uint index, size_t size, const void* value) {
  REAL(clSetKernelArg, set_argument_fn);
  ++arguments_set;
  return real(kernel, index, size, value);
}

EXPORTED cl_int clSetKernelArgSVMPointer(cl_kernel kernel, cl_uint index, const void* value) {
  REAL(clSetKernelArgSVMPointer, set_pointer_fn);
  ++arguments_set;
  return real(kernel, index, value);
}

EXPORTED cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                                       const size_t* offset, const size_t* global, const size_t* local,
                                       cl_uint waits, const cl_event* list, cl_event* event) {
  REAL(clEnqueueNDRangeKernel, launch_fn);
  ++launches;
  return real(queue, kernel, dimensions, offset, global, local, waits, list, event);
}
