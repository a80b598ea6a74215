// SPDX-License-Identifier: Apache-2.0
#if __has_include(<CL/cl.h>)

#include "bench/lanes/opencl_calls.hpp"

#include <dlfcn.h>

#include <vector>

namespace xhal::bench {
namespace {

bool load(OpenCl& cl) {
  void* const loader = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
  if (loader == nullptr) return false;
  bool whole = true;
#define XHAL_BENCH_OPENCL_LOAD(name)                                   \
  cl.name = reinterpret_cast<decltype(cl.name)>(dlsym(loader, #name)); \
  whole = whole && cl.name != nullptr;
  XHAL_BENCH_OPENCL_CALLS(XHAL_BENCH_OPENCL_LOAD)
#undef XHAL_BENCH_OPENCL_LOAD
  return whole;
}

std::string text_of(const OpenCl& cl, cl_device_id device, cl_device_info what) {
  size_t size = 0;
  if (cl.clGetDeviceInfo(device, what, 0, nullptr, &size) != CL_SUCCESS || size == 0) return "";
  std::string out(size, '\0');
  cl.clGetDeviceInfo(device, what, size, out.data(), nullptr);
  out.resize(size - 1);
  return out;
}

template <class Value>
Value value_of(const OpenCl& cl, cl_device_id device, cl_device_info what) {
  Value out{};
  cl.clGetDeviceInfo(device, what, sizeof(out), &out, nullptr);
  return out;
}

// How many devices of the driver come before the one under test and have its name: devices of one name are told apart by their order.
size_t namesakes_before(const Bench& bench) {
  const auto& session = bench.session();
  size_t out = 0;
  for (size_t i = 1; i < session.device_count(); ++i) {
    const xhal_device_properties_t& other = session.properties(i);
    if (other.index < bench.properties().index &&
        conformance::bounded_text(other.name) == conformance::bounded_text(bench.properties().name))
      ++out;
  }
  return out;
}

bool choose_device(OpenCl& cl, const Bench& bench) {
  const bool is_same = is_of_opencl(bench);
  const std::string name = conformance::bounded_text(bench.properties().name);
  size_t skipped = is_same ? namesakes_before(bench) : 0;
  cl_uint count = 0;
  if (cl.clGetPlatformIDs(0, nullptr, &count) != CL_SUCCESS || count == 0) return false;
  std::vector<cl_platform_id> platforms(count);
  cl.clGetPlatformIDs(count, platforms.data(), nullptr);
  for (const cl_platform_id platform : platforms) {
    const cl_device_type kind = is_same ? CL_DEVICE_TYPE_ALL : CL_DEVICE_TYPE_CPU;
    cl_uint devices = 0;
    if (cl.clGetDeviceIDs(platform, kind, 0, nullptr, &devices) != CL_SUCCESS || devices == 0) continue;
    std::vector<cl_device_id> ids(devices);
    cl.clGetDeviceIDs(platform, kind, devices, ids.data(), nullptr);
    for (const cl_device_id one : ids) {
      // The properties' name may be cut off.
      if (is_same && !text_of(cl, one, CL_DEVICE_NAME).starts_with(name)) continue;
      if (skipped > 0) {
        --skipped;
        continue;
      }
      cl.platform = platform;
      cl.device = one;
      return true;
    }
  }
  return false;
}

template <class Call>
void find(const OpenCl& cl, const char* name, Call& out) {
  out = reinterpret_cast<Call>(cl.clGetExtensionFunctionAddressForPlatform(cl.platform, name));
}

bool find_memory(OpenCl& cl) {
  const std::string extensions = text_of(cl, cl.device, CL_DEVICE_EXTENSIONS);
  if (extensions.find("cl_intel_unified_shared_memory") != std::string::npos) {
    OpenCl::Usm& usm = cl.usm;
    find(cl, "clHostMemAllocINTEL", usm.host_allocate);
    find(cl, "clDeviceMemAllocINTEL", usm.device_allocate);
    find(cl, "clMemFreeINTEL", usm.free);
    find(cl, "clSetKernelArgMemPointerINTEL", usm.set_argument);
    find(cl, "clEnqueueMemcpyINTEL", usm.copy);
    find(cl, "clEnqueueMemFillINTEL", usm.fill);
    cl.has_usm = usm.host_allocate != nullptr && usm.device_allocate != nullptr && usm.free != nullptr &&
                 usm.set_argument != nullptr && usm.copy != nullptr && usm.fill != nullptr;
    if (cl.has_usm) return true;
  }
  const auto svm = value_of<cl_device_svm_capabilities>(cl, cl.device, CL_DEVICE_SVM_CAPABILITIES);
  if ((svm & CL_DEVICE_SVM_ATOMICS) != 0) cl.svm_flags |= CL_MEM_SVM_ATOMICS;
  return (svm & CL_DEVICE_SVM_FINE_GRAIN_BUFFER) != 0;
}

bool open(OpenCl& cl, const Bench& bench) {
  if (!load(cl) || !choose_device(cl, bench) || !find_memory(cl)) return false;
  const auto runs = value_of<cl_device_exec_capabilities>(cl, cl.device, CL_DEVICE_EXECUTION_CAPABILITIES);
  cl.runs_native_kernels = (runs & CL_EXEC_NATIVE_KERNEL) != 0;
  cl_int code = CL_SUCCESS;
  cl.context = cl.clCreateContext(nullptr, 1, &cl.device, nullptr, nullptr, &code);
  return code == CL_SUCCESS;
}

}  // namespace

bool is_of_opencl(const Bench& bench) {
  return conformance::bounded_text(bench.session().driver_properties().name) == "opencl";
}

const OpenCl* opencl_of(const Bench& bench) {
  static OpenCl cl;
  static const bool is_there = open(cl, bench);
  return is_there ? &cl : nullptr;
}

std::string nothing_kernel(int arguments, int memories) {
  std::string out = "kernel void empty(";
  for (int i = 0; i < arguments; ++i) {
    if (i > 0) out += ", ";
    out += (i >= memories ? "ulong a"
            : i == 0      ? "global ulong* a"
                          : "global const ulong* a") +
           std::to_string(i);
  }
  out += ") {\n  const size_t i = get_global_id(0);\n";
  if (memories > 0) {
    const auto value = [&](int i) { return "a" + std::to_string(memories + i); };
    const std::string limit = arguments - memories > 1 ? "(" + value(0) + " ^ " + value(1) + ")" : value(0);
    out += "  if (i < " + limit + ") a0[i] = ";
    for (int i = 1; i < memories; ++i) out += "a" + std::to_string(i) + "[i] + ";
    for (int i = memories + 1; i < arguments; ++i) out += "a" + std::to_string(i) + " + ";
    out += "0;\n";
  }
  return out + "}\n";
}

}  // namespace xhal::bench

#endif
