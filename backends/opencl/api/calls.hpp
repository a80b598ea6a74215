// SPDX-License-Identifier: Apache-2.0
// OpenCL's calls, by its loader. The loader is opened at run time: the driver is there on machines without OpenCL, too.
#pragma once

#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <CL/cl_ext.h>

#include <string>

namespace xhal::opencl {

#define XHAL_OPENCL_CALLS(X)      \
  X(clGetPlatformIDs)             \
  X(clGetPlatformInfo)            \
  X(clGetDeviceIDs)               \
  X(clGetDeviceInfo)              \
  X(clCreateContext)              \
  X(clReleaseContext)             \
  X(clCreateCommandQueue)         \
  X(clReleaseCommandQueue)        \
  X(clFlush)                      \
  X(clFinish)                     \
  X(clGetEventInfo)               \
  X(clGetEventProfilingInfo)      \
  X(clReleaseEvent)               \
  X(clWaitForEvents)              \
  X(clSetEventCallback)           \
  X(clCreateUserEvent)            \
  X(clSetUserEventStatus)         \
  X(clEnqueueMarkerWithWaitList)  \
  X(clEnqueueBarrierWithWaitList) \
  X(clEnqueueNDRangeKernel)       \
  X(clCreateProgramWithSource)    \
  X(clCreateProgramWithBinary)    \
  X(clBuildProgram)               \
  X(clGetProgramInfo)             \
  X(clGetProgramBuildInfo)        \
  X(clReleaseProgram)             \
  X(clCreateKernel)               \
  X(clReleaseKernel)              \
  X(clSetKernelArg)               \
  X(clGetKernelInfo)              \
  X(clGetKernelArgInfo)           \
  X(clGetKernelWorkGroupInfo)     \
  X(clCreateKernelsInProgram)     \
  X(clCreateBuffer)               \
  X(clReleaseMemObject)           \
  X(clEnqueueReadBuffer)          \
  X(clEnqueueWriteBuffer)         \
  X(clEnqueueCopyBuffer)          \
  X(clEnqueueFillBuffer)          \
  X(clGetExtensionFunctionAddressForPlatform)

// Of later versions of OpenCL; an older loader lacks them, and a device that needs one is not offered then.
#define XHAL_OPENCL_LATER_CALLS(X) \
  X(clSVMAlloc)                    \
  X(clSVMFree)                     \
  X(clEnqueueSVMMemcpy)            \
  X(clEnqueueSVMMemFill)           \
  X(clSetKernelArgSVMPointer)      \
  X(clSetKernelExecInfo)           \
  X(clCreateProgramWithIL)

struct Calls {
#define XHAL_OPENCL_MEMBER(name) decltype(&::name) name = nullptr;
  XHAL_OPENCL_CALLS(XHAL_OPENCL_MEMBER)
  XHAL_OPENCL_LATER_CALLS(XHAL_OPENCL_MEMBER)
#undef XHAL_OPENCL_MEMBER
};

inline constexpr const char* kUsualLoader = "libOpenCL.so.1";

// Opens the loader, once in a process, and never closes it: drivers below it have threads. Null with the reason when there is none, or
// another one is open.
const Calls* load_calls(const std::string& loader, std::string& why);
// Whether this process has opened it: then its drivers may have threads here.
bool calls_are_loaded();

// "CL_INVALID_VALUE", or "OpenCL error -1234".
std::string name_of_error(cl_int code);

}  // namespace xhal::opencl
