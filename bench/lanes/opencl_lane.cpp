// SPDX-License-Identifier: Apache-2.0
#include "bench/lanes/opencl_lane.hpp"

#if __has_include(<CL/cl.h>)

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <dlfcn.h>

#include <string>
#include <vector>

#include "bench/peers/peers.hpp"

namespace xhal::bench {
namespace {

#define XHAL_BENCH_OPENCL_CALLS(X) \
  X(clBuildProgram)                \
  X(clCreateBuffer)                \
  X(clCreateCommandQueue)          \
  X(clCreateContext)               \
  X(clCreateKernel)                \
  X(clCreateProgramWithSource)     \
  X(clEnqueueBarrierWithWaitList)  \
  X(clEnqueueMarkerWithWaitList)   \
  X(clEnqueueNDRangeKernel)        \
  X(clFinish)                      \
  X(clFlush)                       \
  X(clGetDeviceIDs)                \
  X(clGetEventInfo)                \
  X(clGetPlatformIDs)              \
  X(clReleaseCommandQueue)         \
  X(clReleaseContext)              \
  X(clReleaseEvent)                \
  X(clReleaseKernel)               \
  X(clReleaseMemObject)            \
  X(clReleaseProgram)              \
  X(clSetKernelArg)                \
  X(clWaitForEvents)

struct OpenCl {
#define XHAL_BENCH_OPENCL_MEMBER(name) decltype(&::name) name = nullptr;
  XHAL_BENCH_OPENCL_CALLS(XHAL_BENCH_OPENCL_MEMBER)
#undef XHAL_BENCH_OPENCL_MEMBER
  cl_platform_id platform = nullptr;
  cl_device_id device = nullptr;

  bool open() {
    void* const loader = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
    if (loader == nullptr) return false;
    bool whole = true;
#define XHAL_BENCH_OPENCL_LOAD(name)                             \
  name = reinterpret_cast<decltype(name)>(dlsym(loader, #name)); \
  whole = whole && name != nullptr;
    XHAL_BENCH_OPENCL_CALLS(XHAL_BENCH_OPENCL_LOAD)
#undef XHAL_BENCH_OPENCL_LOAD
    if (!whole) return false;
    cl_uint count = 0;
    if (clGetPlatformIDs(0, nullptr, &count) != CL_SUCCESS || count == 0) return false;
    std::vector<cl_platform_id> platforms(count);
    clGetPlatformIDs(count, platforms.data(), nullptr);
    for (const cl_platform_id one : platforms) {
      if (clGetDeviceIDs(one, CL_DEVICE_TYPE_CPU, 1, &device, nullptr) != CL_SUCCESS) continue;
      platform = one;
      return true;
    }
    return false;
  }
};

// Null when there is none. Loaded once, for the life of the process.
const OpenCl* opencl() {
  static OpenCl calls;
  static const bool is_there = calls.open();
  return is_there ? &calls : nullptr;
}

void need(const char* call, cl_int result) {
  if (result != CL_SUCCESS) throw RowFailed(std::string(call) + ": OpenCL error " + std::to_string(result));
}

// As bench_empty_3: two memories and a count that is 0.
constexpr const char* kSource =
    "kernel void empty(global ulong* out, global const ulong* in1, ulong v0) {\n"
    "  if (get_global_id(0) < v0) out[get_global_id(0)] = in1[get_global_id(0)];\n"
    "}\n";

}  // namespace

struct OpenClLane::Objects {
  const OpenCl& cl = *opencl();
  cl_context context = nullptr;
  cl_command_queue queue = nullptr;
  cl_command_queue second = nullptr;
  cl_program program = nullptr;
  cl_kernel kernel = nullptr;
  cl_mem memory[2] = {};
  cl_event event = nullptr;

  Objects() {
    cl_int result = CL_SUCCESS;
    context = cl.clCreateContext(nullptr, 1, &cl.device, nullptr, nullptr, &result);
    need("clCreateContext", result);
    queue = cl.clCreateCommandQueue(context, cl.device, 0, &result);
    need("clCreateCommandQueue", result);
    second = cl.clCreateCommandQueue(context, cl.device, 0, &result);
    need("clCreateCommandQueue", result);
  }
  ~Objects() {
    if (event != nullptr) cl.clReleaseEvent(event);
    for (const cl_mem one : memory) {
      if (one != nullptr) cl.clReleaseMemObject(one);
    }
    if (kernel != nullptr) cl.clReleaseKernel(kernel);
    if (program != nullptr) cl.clReleaseProgram(program);
    for (const cl_command_queue one : {queue, second}) {
      if (one != nullptr) cl.clReleaseCommandQueue(one);
    }
    if (context != nullptr) cl.clReleaseContext(context);
  }
};

OpenClLane::OpenClLane(Bench&) : objects_(std::make_unique<Objects>()) {}
OpenClLane::~OpenClLane() = default;

bool OpenClLane::applies(const Bench& bench) { return peers_folder(bench) && opencl() != nullptr; }

void OpenClLane::prepare_launch(Bench&, int) {
  Objects& o = *objects_;
  cl_int result = CL_SUCCESS;
  const char* source = kSource;
  o.program = o.cl.clCreateProgramWithSource(o.context, 1, &source, nullptr, &result);
  need("clCreateProgramWithSource", result);
  need("clBuildProgram", o.cl.clBuildProgram(o.program, 1, &o.cl.device, "", nullptr, nullptr));
  o.kernel = o.cl.clCreateKernel(o.program, "empty", &result);
  need("clCreateKernel", result);
  constexpr size_t kPage = 4096;
  for (cl_uint i = 0; i < 2; ++i) {
    o.memory[i] = o.cl.clCreateBuffer(o.context, CL_MEM_READ_WRITE, kPage, nullptr, &result);
    need("clCreateBuffer", result);
    need("clSetKernelArg",
         o.cl.clSetKernelArg(o.kernel, i, sizeof(cl_mem), static_cast<const void*>(&o.memory[i])));
  }
  const cl_ulong count = 0;
  need("clSetKernelArg", o.cl.clSetKernelArg(o.kernel, 2, sizeof(count), &count));
}

void OpenClLane::launch() {
  Objects& o = *objects_;
  const size_t one = 1;
  need("clEnqueueNDRangeKernel",
       o.cl.clEnqueueNDRangeKernel(o.queue, o.kernel, 1, nullptr, &one, &one, 0, nullptr, nullptr));
}

void OpenClLane::synchronize() { need("clFinish", objects_->cl.clFinish(objects_->queue)); }
void OpenClLane::synchronize_second() { need("clFinish", objects_->cl.clFinish(objects_->second)); }

void OpenClLane::record() {
  Objects& o = *objects_;
  if (o.event != nullptr) need("clReleaseEvent", o.cl.clReleaseEvent(o.event));
  need("clEnqueueMarkerWithWaitList", o.cl.clEnqueueMarkerWithWaitList(o.queue, 0, nullptr, &o.event));
}

bool OpenClLane::query_event() {
  Objects& o = *objects_;
  cl_int status = CL_QUEUED;
  need("clGetEventInfo",
       o.cl.clGetEventInfo(o.event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, nullptr));
  return status == CL_COMPLETE;
}

void OpenClLane::synchronize_event() {
  need("clWaitForEvents", objects_->cl.clWaitForEvents(1, &objects_->event));
}

void OpenClLane::wait_event() {
  Objects& o = *objects_;
  need("clFlush", o.cl.clFlush(o.queue));
  need("clEnqueueBarrierWithWaitList", o.cl.clEnqueueBarrierWithWaitList(o.second, 1, &o.event, nullptr));
}

}  // namespace xhal::bench

#else

namespace xhal::bench {

struct OpenClLane::Objects {};
OpenClLane::OpenClLane(Bench&) { throw NotHere("built without OpenCL's headers"); }
OpenClLane::~OpenClLane() = default;
bool OpenClLane::applies(const Bench&) { return false; }
void OpenClLane::prepare_launch(Bench&, int) {}
void OpenClLane::launch() {}
void OpenClLane::synchronize() {}
void OpenClLane::synchronize_second() {}
void OpenClLane::record() {}
bool OpenClLane::query_event() { return false; }
void OpenClLane::synchronize_event() {}
void OpenClLane::wait_event() {}

}  // namespace xhal::bench

#endif
