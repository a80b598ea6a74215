// SPDX-License-Identifier: Apache-2.0
#pragma once

// The pack on whatever device OpenCL's loader finds first, in plain OpenCL calls: no driver of ours is asked.
// OPENCL_TEST_ITEMS=few: small launches, for a device that interprets; OPENCL_TEST_IMAGE=<format>.<target>: that image in place of the one
// that the device's answers choose; OPENCL_TEST_PACK=<folder>: of that pack.

#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS  // the queue that every device has
#include <CL/cl.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace xhal::opencl_test {

#define XHAL_OPENCL_CALLS(X)   \
  X(clBuildProgram)            \
  X(clCreateBuffer)            \
  X(clCreateCommandQueue)      \
  X(clCreateContext)           \
  X(clCreateKernel)            \
  X(clCreateProgramWithIL)     \
  X(clCreateProgramWithSource) \
  X(clEnqueueNDRangeKernel)    \
  X(clEnqueueReadBuffer)       \
  X(clEnqueueSVMMap)           \
  X(clEnqueueSVMUnmap)         \
  X(clFinish)                  \
  X(clGetDeviceIDs)            \
  X(clGetDeviceInfo)           \
  X(clGetKernelArgInfo)        \
  X(clGetPlatformIDs)          \
  X(clGetProgramBuildInfo)     \
  X(clReleaseKernel)           \
  X(clReleaseMemObject)        \
  X(clSetKernelArg)            \
  X(clSetKernelArgSVMPointer)  \
  X(clSetKernelExecInfo)       \
  X(clSVMAlloc)                \
  X(clSVMFree)

using Extent = std::array<std::uint32_t, 3>;

// The first device, the image of the pack that it takes, and the program made of it. A step that fails ends the process with a line that names it.
class Device {
 public:
  static Device& the();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

#define XHAL_OPENCL_MEMBER(name) decltype(&::name) name = nullptr;
  XHAL_OPENCL_CALLS(XHAL_OPENCL_MEMBER)
#undef XHAL_OPENCL_MEMBER
  cl_device_id device = nullptr;
  cl_context context = nullptr;
  cl_command_queue queue = nullptr;
  cl_program program = nullptr;

  // Kinds of memory that host and kernels share by address; 0: none.
  [[nodiscard]] cl_device_svm_capabilities shared_memory() const;
  [[nodiscard]] const std::string& image() const { return image_; }  // "opencl-c.1.2", "spirv.1.0", ...
  // What the manifest says of it.
  [[nodiscard]] const std::set<std::string>& kernels() const { return kernels_; }
  [[nodiscard]] bool has(const std::string& kernel) const { return kernels_.contains(kernel); }
  std::set<std::string> launched;

 private:
  Device();
  void open_loader();
  void choose_image(const std::string& wanted);
  void build();
  [[nodiscard]] std::string text_of(cl_device_info what) const;

  std::string image_;
  std::string file_;
  std::set<std::string> kernels_;
};

// One launch, argument by argument. Buffers have exactly the bytes of their vectors, so that a device that checks bounds sees every stray access.
class Call {
 public:
  explicit Call(const std::string& kernel);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  template <typename T>
  Call& memory(std::vector<T>& data) {
    return buffer(data.data(), data.size() * sizeof(T), true);
  }
  template <typename T>
  Call& reads(const std::vector<T>& data) {
    return buffer(const_cast<T*>(data.data()), data.size() * sizeof(T), false);
  }
  template <typename T>
  Call& value(const T& value) {
    return argument(&value, sizeof value);
  }
  Call& local(std::size_t bytes) { return argument(nullptr, bytes); }
  // A pointer into shared memory, and all such memory that the kernel may reach.
  Call& shared(const void* pointer, std::vector<void*> reachable);

  // Runs whole groups to their end; then the vectors of memory() hold what the kernel left.
  void run(Extent groups, Extent group_size);

 private:
  Call& argument(const void* bytes, std::size_t size);
  Call& buffer(void* data, std::size_t bytes, bool is_written);

  struct Buffer {
    cl_mem memory;
    void* host;  // null: only read
    std::size_t bytes;
  };
  cl_kernel kernel_ = nullptr;
  cl_uint next_ = 0;
  std::vector<Buffer> buffers_;
};

inline std::uint32_t groups_for(std::uint64_t items, std::uint32_t group_size) {
  return static_cast<std::uint32_t>((items + group_size - 1) / group_size);
}

}  // namespace xhal::opencl_test
