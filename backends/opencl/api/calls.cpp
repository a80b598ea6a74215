// SPDX-License-Identifier: Apache-2.0
#include "api/calls.hpp"

#include <dlfcn.h>

#include <atomic>
#include <iterator>
#include <mutex>

namespace xhal::opencl {
namespace {

std::atomic<bool> loaded{false};

bool open_calls(const std::string& loader, Calls& calls, std::string& why) {
  void* const library = dlopen(loader.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const reason = dlerror();
    why = std::string("OpenCL's loader cannot be opened: ") + (reason != nullptr ? reason : loader) +
          "; install it (Debian: ocl-icd-libopencl1)";
    return false;
  }
#define XHAL_OPENCL_LOAD(name) calls.name = reinterpret_cast<decltype(calls.name)>(dlsym(library, #name));
  XHAL_OPENCL_CALLS(XHAL_OPENCL_LOAD)
  XHAL_OPENCL_LATER_CALLS(XHAL_OPENCL_LOAD)
#undef XHAL_OPENCL_LOAD
#define XHAL_OPENCL_NEED(name)                                      \
  if (calls.name == nullptr) {                                      \
    why = loader + " lacks " #name ": it is older than OpenCL 1.2"; \
    return false;                                                   \
  }
  XHAL_OPENCL_CALLS(XHAL_OPENCL_NEED)
#undef XHAL_OPENCL_NEED
  return true;
}

struct Name {
  cl_int code;
  const char* name;
};
constexpr Name kNames[] = {
#define XHAL_OPENCL_NAME(name) \
  Name { name, #name }
    XHAL_OPENCL_NAME(CL_DEVICE_NOT_FOUND),
    XHAL_OPENCL_NAME(CL_DEVICE_NOT_AVAILABLE),
    XHAL_OPENCL_NAME(CL_COMPILER_NOT_AVAILABLE),
    XHAL_OPENCL_NAME(CL_MEM_OBJECT_ALLOCATION_FAILURE),
    XHAL_OPENCL_NAME(CL_OUT_OF_RESOURCES),
    XHAL_OPENCL_NAME(CL_OUT_OF_HOST_MEMORY),
    XHAL_OPENCL_NAME(CL_PROFILING_INFO_NOT_AVAILABLE),
    XHAL_OPENCL_NAME(CL_MEM_COPY_OVERLAP),
    XHAL_OPENCL_NAME(CL_BUILD_PROGRAM_FAILURE),
    XHAL_OPENCL_NAME(CL_MISALIGNED_SUB_BUFFER_OFFSET),
    XHAL_OPENCL_NAME(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST),
    XHAL_OPENCL_NAME(CL_COMPILE_PROGRAM_FAILURE),
    XHAL_OPENCL_NAME(CL_LINKER_NOT_AVAILABLE),
    XHAL_OPENCL_NAME(CL_LINK_PROGRAM_FAILURE),
    XHAL_OPENCL_NAME(CL_KERNEL_ARG_INFO_NOT_AVAILABLE),
    XHAL_OPENCL_NAME(CL_INVALID_VALUE),
    XHAL_OPENCL_NAME(CL_INVALID_DEVICE_TYPE),
    XHAL_OPENCL_NAME(CL_INVALID_PLATFORM),
    XHAL_OPENCL_NAME(CL_INVALID_DEVICE),
    XHAL_OPENCL_NAME(CL_INVALID_CONTEXT),
    XHAL_OPENCL_NAME(CL_INVALID_QUEUE_PROPERTIES),
    XHAL_OPENCL_NAME(CL_INVALID_COMMAND_QUEUE),
    XHAL_OPENCL_NAME(CL_INVALID_HOST_PTR),
    XHAL_OPENCL_NAME(CL_INVALID_MEM_OBJECT),
    XHAL_OPENCL_NAME(CL_INVALID_BINARY),
    XHAL_OPENCL_NAME(CL_INVALID_BUILD_OPTIONS),
    XHAL_OPENCL_NAME(CL_INVALID_PROGRAM),
    XHAL_OPENCL_NAME(CL_INVALID_PROGRAM_EXECUTABLE),
    XHAL_OPENCL_NAME(CL_INVALID_KERNEL_NAME),
    XHAL_OPENCL_NAME(CL_INVALID_KERNEL_DEFINITION),
    XHAL_OPENCL_NAME(CL_INVALID_KERNEL),
    XHAL_OPENCL_NAME(CL_INVALID_ARG_INDEX),
    XHAL_OPENCL_NAME(CL_INVALID_ARG_VALUE),
    XHAL_OPENCL_NAME(CL_INVALID_ARG_SIZE),
    XHAL_OPENCL_NAME(CL_INVALID_KERNEL_ARGS),
    XHAL_OPENCL_NAME(CL_INVALID_WORK_DIMENSION),
    XHAL_OPENCL_NAME(CL_INVALID_WORK_GROUP_SIZE),
    XHAL_OPENCL_NAME(CL_INVALID_WORK_ITEM_SIZE),
    XHAL_OPENCL_NAME(CL_INVALID_GLOBAL_OFFSET),
    XHAL_OPENCL_NAME(CL_INVALID_EVENT_WAIT_LIST),
    XHAL_OPENCL_NAME(CL_INVALID_EVENT),
    XHAL_OPENCL_NAME(CL_INVALID_OPERATION),
    XHAL_OPENCL_NAME(CL_INVALID_BUFFER_SIZE),
    XHAL_OPENCL_NAME(CL_INVALID_GLOBAL_WORK_SIZE),
    XHAL_OPENCL_NAME(CL_INVALID_PROPERTY),
    XHAL_OPENCL_NAME(CL_PLATFORM_NOT_FOUND_KHR),
#undef XHAL_OPENCL_NAME
};

}  // namespace

const Calls* load_calls(const std::string& loader, std::string& why) {
  static std::mutex mutex;
  static Calls calls;
  static std::string opened;
  const std::lock_guard lock(mutex);
  if (loaded && opened == loader) return &calls;
  if (loaded) {
    why =
        "this process has opened " + opened + " as OpenCL's loader and cannot open " + loader + " beside it";
    return nullptr;
  }
  if (!open_calls(loader, calls, why)) return nullptr;
  opened = loader;
  loaded = true;
  return &calls;
}

bool calls_are_loaded() { return loaded; }

std::string name_of_error(cl_int code) {
  for (const Name& one : kNames)
    if (one.code == code) return one.name;
  return "OpenCL error " + std::to_string(code);
}

}  // namespace xhal::opencl
