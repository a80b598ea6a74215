// SPDX-License-Identifier: Apache-2.0
// One queue's kernel: an OpenCL kernel object and the arguments that it has.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "api/calls.hpp"
#include "xhal/driver.h"

namespace xhal::opencl {

struct Device;
class Kernel;

// Whether the launch is one of this kernel and device; tells why not.
xhal_result_t check_launch(const Kernel& kernel, const Device& device, const xhal_launch_t& launch);

class LaunchKernel {
 public:
  // Null with OpenCL's code.
  static std::unique_ptr<LaunchKernel> make(const Kernel& kernel, cl_int& code);
  ~LaunchKernel();
  LaunchKernel(const LaunchKernel&) = delete;
  LaunchKernel& operator=(const LaunchKernel&) = delete;

  // Of a launch that was checked: those that differ from what the kernel has.
  cl_int set_arguments(const xhal_launch_t& launch);
  cl_int enqueue(cl_command_queue queue, const xhal_launch_t& launch, cl_event* event) const;

 private:
  // What was set last. Values up to a few words are kept to compare; larger ones are set each time.
  struct Set {
    static constexpr uint64_t kMostKept = 16;
    uint32_t place = 0;  // among the arguments of OpenCL's kernel
    uint32_t kind = UINT32_MAX;
    uint64_t size = 0;
    alignas(16) unsigned char bytes[kMostKept] = {};
  };

  LaunchKernel(const Kernel& kernel, cl_kernel native);
  cl_int set(uint32_t place, const xhal_argument_t& argument);
  cl_int set_memory(uint32_t place, const void* pointer);
  void forget_freed();
  cl_int set_ranges(const xhal_launch_t& launch);

  const Device& device_;
  const cl_kernel kernel_;
  std::vector<Set> set_;
  bool has_ranges_ = false;
  uint64_t frees_ =
      0;  // when memory arguments were last known to be those of the allocations at their addresses
};

}  // namespace xhal::opencl
