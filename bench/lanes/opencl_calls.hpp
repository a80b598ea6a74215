// SPDX-License-Identifier: Apache-2.0
// OpenCL's calls as the raw references make them, by the loader, which is opened at run time; only where its headers are.
#pragma once

#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <CL/cl_ext.h>

#include <string>

#include "bench/runner/bench.hpp"

namespace xhal::bench {

#define XHAL_BENCH_OPENCL_CALLS(X)            \
  X(clBuildProgram)                           \
  X(clCreateCommandQueue)                     \
  X(clCreateContext)                          \
  X(clCreateKernel)                           \
  X(clCreateProgramWithIL)                    \
  X(clCreateProgramWithSource)                \
  X(clCreateUserEvent)                        \
  X(clEnqueueBarrierWithWaitList)             \
  X(clEnqueueMarkerWithWaitList)              \
  X(clEnqueueNDRangeKernel)                   \
  X(clEnqueueNativeKernel)                    \
  X(clEnqueueSVMMemFill)                      \
  X(clEnqueueSVMMemcpy)                       \
  X(clFinish)                                 \
  X(clFlush)                                  \
  X(clGetDeviceIDs)                           \
  X(clGetDeviceInfo)                          \
  X(clGetEventInfo)                           \
  X(clGetExtensionFunctionAddressForPlatform) \
  X(clGetPlatformIDs)                         \
  X(clReleaseCommandQueue)                    \
  X(clReleaseEvent)                           \
  X(clReleaseKernel)                          \
  X(clReleaseProgram)                         \
  X(clSVMAlloc)                               \
  X(clSVMFree)                                \
  X(clSetKernelArg)                           \
  X(clSetKernelArgSVMPointer)                 \
  X(clSetUserEventStatus)                     \
  X(clWaitForEvents)

// A device with the calls for it, and a context in which it is alone.
struct OpenCl {
#define XHAL_BENCH_OPENCL_MEMBER(name) decltype(&::name) name = nullptr;
  XHAL_BENCH_OPENCL_CALLS(XHAL_BENCH_OPENCL_MEMBER)
#undef XHAL_BENCH_OPENCL_MEMBER
  // The memory that xhal's driver takes: unified where there is, else fine-grained shared virtual memory.
  struct Usm {
    clHostMemAllocINTEL_fn host_allocate = nullptr;
    clDeviceMemAllocINTEL_fn device_allocate = nullptr;
    clMemFreeINTEL_fn free = nullptr;
    clSetKernelArgMemPointerINTEL_fn set_argument = nullptr;
    clEnqueueMemcpyINTEL_fn copy = nullptr;
    clEnqueueMemFillINTEL_fn fill = nullptr;
  };
  cl_platform_id platform = nullptr;
  cl_device_id device = nullptr;
  cl_context context = nullptr;
  Usm usm;
  bool has_usm = false;
  cl_svm_mem_flags svm_flags = CL_MEM_READ_WRITE | CL_MEM_SVM_FINE_GRAIN_BUFFER;
  bool runs_native_kernels = false;
};

// Whether the driver under test is OpenCL's: then the raw calls are of the same device.
bool is_of_opencl(const Bench& bench);
// The device under test, or the first processor when that is another driver's; null when there is none, or none with pointers. Opened once, for the
// life of the process.
const OpenCl* opencl_of(const Bench& bench);

inline void need(const char* call, cl_int result) {
  if (result != CL_SUCCESS) [[unlikely]]
    throw RowFailed(std::string(call) + ": OpenCL error " + std::to_string(result));
}

// As the bench's pack has it, with so many arguments: memory first, then values of which the first two differ when it has anything to do.
std::string nothing_kernel(int arguments, int memories);

}  // namespace xhal::bench
