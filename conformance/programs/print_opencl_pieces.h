// SPDX-License-Identifier: Apache-2.0
// The fixed parts of a program that is printed in plain OpenCL. C11, in C's style.
#pragma once

namespace xhal::programs::pieces {

inline constexpr const char* kOpenClIncludes = R"c(#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <CL/cl_ext.h>

#define HELPER __attribute__((unused)) static /* not every program needs every one */

)c";

// Behind enum { DEVICES, STREAMS, EVENTS, MEMORIES }.
inline constexpr const char* kOpenClObjects = R"c(static void check(const char* call, int line, cl_int code) {
  if (code == CL_SUCCESS) return;
  printf("line %d: %s\n  OpenCL error %d\n", line, call, (int)code);
  fflush(stdout);
  _exit(1);
}
#define CHECK(call) check(#call, __LINE__, (call))

enum path { USM, SVM, BUFFERS };
static const char* const path_names[] = {"usm", "svm", "buffers"};
enum kind { DEVICE, PINNED, PAGEABLE };

/* Device memory and pinned memory are a pointer of OpenCL's, or a buffer where the path is BUFFERS; pageable memory is malloc's. */
struct memory {
  unsigned char* pointer;
  cl_mem buffer;
  enum kind kind;
  int device;
};
struct place {
  struct memory* memory;
  size_t offset;
};
struct stream {
  int device;
  cl_command_queue queue; /* in order; NULL once it is destroyed */
  cl_kernel kernels[4];
  cl_event last; /* of a queue that was destroyed */
};

static cl_platform_id platform;
static cl_device_id d[16];
static cl_context context;
static cl_program program;
static enum path path;
static clHostMemAllocINTEL_fn host_allocate;
static clDeviceMemAllocINTEL_fn device_allocate;
static clMemFreeINTEL_fn memory_free;
static clEnqueueMemcpyINTEL_fn enqueue_copy;
static clEnqueueMemFillINTEL_fn enqueue_fill;
static clSetKernelArgMemPointerINTEL_fn set_pointer;

static struct stream service[DEVICES]; /* for what is no part of the program */
static struct stream s[STREAMS];
static pthread_mutex_t streams_mutex = PTHREAD_MUTEX_INITIALIZER; /* s[].queue comes and goes */
static cl_event e[EVENTS]; /* NULL: never recorded */
static struct memory m[MEMORIES];

static struct place at(int memory, size_t offset) { return (struct place){&m[memory], offset}; }
#define NOWHERE ((struct place){NULL, 0})
static unsigned char* address(struct place place) { return place.memory->pointer + place.offset; }

)c";

inline constexpr const char* kOpenClKernels =
    R"c(/* With a pointer the first cell is 0; with a buffer, where the place begins. Cells have 64 bits. */
static const char kernel_text[] =
    "ulong mix_cell(ulong cell, ulong value) {\n"
    "  return (((cell << 5) | (cell >> 59)) ^ value) * 0x9E3779B97F4A7C15UL + 0x7F4A7C15UL;\n"
    "}\n"
    "kernel void fold(global ulong* to, ulong to_first, ulong value, ulong n) {\n"
    "  const size_t i = get_global_id(0);\n"
    "  to += to_first;\n"
    "  if (i < n) to[i] = mix_cell(to[i], value);\n"
    "}\n"
    "kernel void fold2(global ulong* to, ulong to_first, ulong value, ulong n, global const ulong* from, ulong from_first) {\n"
    "  const size_t i = get_global_id(0);\n"
    "  to += to_first;\n"
    "  from += from_first;\n"
    "  if (i < n) to[i] = mix_cell(mix_cell(to[i], from[i]), value);\n"
    "}\n"
    "kernel void axpy(global ulong* to, ulong to_first, ulong value, ulong n, global const ulong* from, ulong from_first) {\n"
    "  const size_t i = get_global_id(0);\n"
    "  to += to_first;\n"
    "  from += from_first;\n"
    "  if (i < n) to[i] += value * from[i];\n"
    "}\n"
    "kernel void copy(global ulong* to, ulong to_first, ulong value, ulong n, global const ulong* from, ulong from_first) {\n"
    "  const size_t i = get_global_id(0);\n"
    "  to += to_first;\n"
    "  from += from_first;\n"
    "  if (i < n) to[i] = from[i];\n"
    "}\n";
static const char* const kernel_names[] = {"fold", "fold2", "axpy", "copy"};
enum { FOLD, FOLD2, AXPY, COPY };

)c";

inline constexpr const char* kOpenClOpen = R"c(static void* extension(const char* name) {
  void* function = clGetExtensionFunctionAddressForPlatform(platform, name);
  if (function == NULL) printf("the platform lacks %s\n", name), exit(2);
  return function;
}

static int has(enum path wanted, cl_device_id device) {
  if (wanted == BUFFERS) return DEVICES == 1; /* a buffer's bytes move as a whole from device to device */
  if (wanted == SVM) {
    cl_device_svm_capabilities svm = 0;
    clGetDeviceInfo(device, CL_DEVICE_SVM_CAPABILITIES, sizeof(svm), &svm, NULL);
    return (svm & CL_DEVICE_SVM_FINE_GRAIN_BUFFER) != 0;
  }
  char extensions[20000] = "";
  clGetDeviceInfo(device, CL_DEVICE_EXTENSIONS, sizeof(extensions) - 1, extensions, NULL);
  return strstr(extensions, "cl_intel_unified_shared_memory") != NULL;
}

static int can(enum path wanted) {
  for (int i = 0; i < DEVICES; ++i) {
    if (!has(wanted, d[i])) return 0;
  }
  return 1;
}

static void make_stream(struct stream* stream, int device) {
  cl_int code = CL_SUCCESS;
  *stream = (struct stream){.device = device};
  stream->queue = clCreateCommandQueue(context, d[device], 0, &code);
  CHECK(code);
  for (int i = 0; i < 4; ++i) {
    stream->kernels[i] = clCreateKernel(program, kernel_names[i], &code);
    CHECK(code);
  }
}

/* PLATFORM: a part of its name; "" is any. */
static void open_platform(const char* wanted, const char* wanted_path) {
  cl_platform_id platforms[32];
  cl_uint count = 0, devices = 0;
  if (clGetPlatformIDs(32, platforms, &count) != CL_SUCCESS) count = 0;
  for (cl_uint i = 0; i < count && i < 32 && devices < DEVICES; ++i) {
    char name[1000] = "";
    devices = 0;
    clGetPlatformInfo(platforms[i], CL_PLATFORM_NAME, sizeof(name) - 1, name, NULL);
    if (strstr(name, wanted) == NULL) continue;
    platform = platforms[i];
    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 16, d, &devices) != CL_SUCCESS) devices = 0;
    if (devices >= DEVICES) printf("platform %s\n", name);
  }
  if (devices < DEVICES) printf("no platform of %d devices with '%s' in its name\n", DEVICES, wanted), exit(2);
  path = USM;
  while (path <= BUFFERS && ((*wanted_path != 0 && strcmp(wanted_path, path_names[path]) != 0) || !can(path))) ++path;
  if (path > BUFFERS) printf("memory path '%s': not with these devices, of which the program needs %d; usm, svm or buffers\n", wanted_path, DEVICES), exit(2);
  printf("memory by %s\n", path_names[path]);
  if (path == USM) {
    host_allocate = (clHostMemAllocINTEL_fn)extension("clHostMemAllocINTEL");
    device_allocate = (clDeviceMemAllocINTEL_fn)extension("clDeviceMemAllocINTEL");
    memory_free = (clMemFreeINTEL_fn)extension("clMemFreeINTEL");
    enqueue_copy = (clEnqueueMemcpyINTEL_fn)extension("clEnqueueMemcpyINTEL");
    enqueue_fill = (clEnqueueMemFillINTEL_fn)extension("clEnqueueMemFillINTEL");
    set_pointer = (clSetKernelArgMemPointerINTEL_fn)extension("clSetKernelArgMemPointerINTEL");
  }
  cl_int code = CL_SUCCESS;
  context = clCreateContext(NULL, DEVICES, d, NULL, NULL, &code);
  CHECK(code);
  const char* text = kernel_text;
  program = clCreateProgramWithSource(context, 1, &text, NULL, &code);
  CHECK(code);
  CHECK(clBuildProgram(program, DEVICES, d, "", NULL, NULL));
  for (int i = 0; i < DEVICES; ++i) make_stream(&service[i], i);
}

)c";

inline constexpr const char* kOpenClWork = R"c(/* ---- Work ---- */

/* Not by clFinish, which waits for nothing on some drivers once all was flushed: a program is not to fail by that alone. */
static void finish(struct stream* stream) {
  cl_event end = NULL;
  CHECK(clEnqueueMarkerWithWaitList(stream->queue, 0, NULL, &end));
  CHECK(clWaitForEvents(1, &end));
  CHECK(clReleaseEvent(end));
}

static void copy(struct stream* stream, struct place to, struct place from, size_t bytes) {
  const cl_bool at_once = from.memory->kind == PAGEABLE; /* its bytes are taken before the call returns */
  if (at_once && to.memory->kind == PAGEABLE) {
    finish(stream);
    memcpy(address(to), address(from), bytes);
  } else if (path == USM) {
    CHECK(enqueue_copy(stream->queue, at_once, address(to), address(from), bytes, 0, NULL, NULL));
  } else if (path == SVM) {
    CHECK(clEnqueueSVMMemcpy(stream->queue, at_once, address(to), address(from), bytes, 0, NULL, NULL));
  } else if (at_once) {
    CHECK(clEnqueueWriteBuffer(stream->queue, to.memory->buffer, CL_TRUE, to.offset, bytes, address(from), 0, NULL, NULL));
  } else if (to.memory->kind == PAGEABLE) {
    CHECK(clEnqueueReadBuffer(stream->queue, from.memory->buffer, CL_FALSE, from.offset, bytes, address(to), 0, NULL, NULL));
  } else {
    CHECK(clEnqueueCopyBuffer(stream->queue, from.memory->buffer, to.memory->buffer, from.offset, to.offset, bytes, 0, NULL, NULL));
  }
}

HELPER void fill(struct stream* stream, struct place to, uint64_t pattern, size_t width, size_t bytes) {
  if (path == USM) {
    CHECK(enqueue_fill(stream->queue, address(to), &pattern, width, bytes, 0, NULL, NULL));
  } else if (path == SVM) {
    CHECK(clEnqueueSVMMemFill(stream->queue, address(to), &pattern, width, bytes, 0, NULL, NULL));
  } else {
    CHECK(clEnqueueFillBuffer(stream->queue, to.memory->buffer, &pattern, width, to.offset, bytes, 0, NULL, NULL));
  }
}

static void set_place(cl_kernel kernel, cl_uint index, struct place place) {
  const cl_ulong first = path == BUFFERS ? place.offset / 8 : 0;
  if (path == USM) {
    CHECK(set_pointer(kernel, index, address(place)));
  } else if (path == SVM) {
    CHECK(clSetKernelArgSVMPointer(kernel, index, address(place)));
  } else {
    CHECK(clSetKernelArg(kernel, index, sizeof(cl_mem), &place.memory->buffer));
  }
  CHECK(clSetKernelArg(kernel, index + 1, sizeof(first), &first));
}

HELPER void launch(struct stream* stream, int which, struct place to, struct place from, size_t bytes, cl_ulong value) {
  const cl_kernel kernel = stream->kernels[which];
  const cl_ulong n = bytes / 8;
  const size_t group = 32, items = (n + group - 1) / group * group;
  set_place(kernel, 0, to);
  CHECK(clSetKernelArg(kernel, 2, sizeof(value), &value));
  CHECK(clSetKernelArg(kernel, 3, sizeof(n), &n));
  if (from.memory != NULL) set_place(kernel, 4, from);
  CHECK(clEnqueueNDRangeKernel(stream->queue, kernel, 1, NULL, &items, &group, 0, NULL, NULL));
}

/* A marker calls back when the stream comes to it; a thread runs the function and lets the stream go on. */
struct host_call {
  void (*function)(void*);
  void* user;
  cl_event released;
};
static void* run_host_call(void* user) {
  struct host_call* call = user;
  call->function(call->user);
  CHECK(clSetUserEventStatus(call->released, CL_COMPLETE));
  CHECK(clReleaseEvent(call->released));
  free(call);
  return NULL;
}
static void CL_CALLBACK turn_has_come(cl_event event, cl_int status, void* call) {
  (void)event;
  CHECK(status < 0 ? status : CL_SUCCESS);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, run_host_call, call));
  CHECK(pthread_detach(thread));
}
HELPER void host_function(struct stream* stream, void (*function)(void*), void* user) {
  struct host_call* call = malloc(sizeof(*call));
  cl_int code = CL_SUCCESS;
  cl_event turn = NULL;
  *call = (struct host_call){function, user, clCreateUserEvent(context, &code)};
  CHECK(code);
  CHECK(clEnqueueMarkerWithWaitList(stream->queue, 0, NULL, &turn));
  CHECK(clFlush(stream->queue)); /* some drivers tell the end of all that was flushed together, and the marker's is waited for */
  CHECK(clEnqueueBarrierWithWaitList(stream->queue, 1, &call->released, NULL));
  CHECK(clSetEventCallback(turn, CL_COMPLETE, turn_has_come, call));
  CHECK(clReleaseEvent(turn));
  CHECK(clFlush(stream->queue));
}

)c";

inline constexpr const char* kOpenClWaits = R"c(/* ---- Events and waits ---- */

HELPER void record(int event, struct stream* stream) {
  if (e[event] != NULL) CHECK(clReleaseEvent(e[event]));
  CHECK(clEnqueueMarkerWithWaitList(stream->queue, 0, NULL, &e[event]));
  CHECK(clFlush(stream->queue));
}
HELPER void wait_event(struct stream* stream, int event) {
  if (e[event] != NULL) CHECK(clEnqueueBarrierWithWaitList(stream->queue, 1, &e[event], NULL));
}
HELPER void renew_event(int event) {
  if (e[event] != NULL) CHECK(clReleaseEvent(e[event]));
  e[event] = NULL;
}
static int is_done(cl_event event) {
  cl_int status = CL_COMPLETE;
  if (event != NULL) CHECK(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL));
  CHECK(status < 0 ? status : CL_SUCCESS);
  return status == CL_COMPLETE;
}
/* OpenCL does not promise a program that knows of a command's end that a query knows, too: only a failure is one. */
HELPER void query_event(int event) { is_done(e[event]); }
HELPER void query_stream(struct stream* stream) { CHECK(clFlush(stream->queue)); }
HELPER void poll_event(int event) {
  while (!is_done(e[event])) sched_yield();
}
HELPER void synchronize_event(int event) {
  if (e[event] != NULL) CHECK(clWaitForEvents(1, &e[event]));
}
HELPER void synchronize_stream(struct stream* stream) { finish(stream); }

HELPER void destroy_stream(struct stream* stream) {
  pthread_mutex_lock(&streams_mutex);
  CHECK(clEnqueueMarkerWithWaitList(stream->queue, 0, NULL, &stream->last));
  for (int i = 0; i < 4; ++i) CHECK(clReleaseKernel(stream->kernels[i]));
  CHECK(clFlush(stream->queue));
  CHECK(clReleaseCommandQueue(stream->queue));
  stream->queue = NULL;
  pthread_mutex_unlock(&streams_mutex);
}

/* An event behind all that the stream has got; NULL where there is nothing. */
static cl_event end_of(struct stream* stream) {
  cl_event out = NULL;
  pthread_mutex_lock(&streams_mutex);
  if (stream->queue != NULL) {
    CHECK(clEnqueueMarkerWithWaitList(stream->queue, 0, NULL, &out));
    CHECK(clFlush(stream->queue));
  } else if (stream->last != NULL) {
    out = stream->last;
    CHECK(clRetainEvent(out));
  }
  pthread_mutex_unlock(&streams_mutex);
  return out;
}
static void synchronize_device(int device) {
  for (int i = 0; i < STREAMS; ++i) {
    if (s[i].device != device) continue;
    const cl_event end = end_of(&s[i]);
    if (end == NULL) continue;
    CHECK(clWaitForEvents(1, &end));
    CHECK(clReleaseEvent(end));
  }
}

)c";

inline constexpr const char* kOpenClPass = R"c(static struct memory witness[DEVICES];
static void pass(int device) {
  if (witness[device].pointer == NULL && witness[device].buffer == NULL) witness[device] = allocate(device, DEVICE, 64);
  fill(&service[device], (struct place){&witness[device], 0}, 1, 4, 64);
  finish(&service[device]);
}

)c";

inline constexpr const char* kOpenClHold = R"c(static void hold(void* gate) { wait_for_gate(gate); }

)c";

}  // namespace xhal::programs::pieces
