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

  // Gives the kernel what differs from the launch before, and checks that alone; tells why not.
  xhal_result_t take(const xhal_launch_t& launch);
  // Of what was taken.
  cl_int enqueue(cl_command_queue queue, const xhal_launch_t& launch, cl_event* event) const;

 private:
  // What was set last. Values up to a few words are kept to compare; larger ones are set each time.
  struct Set {
    static constexpr uint64_t kMostKept = 16;
    static constexpr uint32_t kNothing = UINT32_MAX;
    xhal_argument_t argument = {kNothing, 0, 0, nullptr};
    alignas(16) unsigned char bytes[kMostKept] = {};

    [[nodiscard]] bool is(const xhal_argument_t& given) const;
    void keep(const xhal_argument_t& given);
    void forget() { argument.kind = kNothing; }
  };

  LaunchKernel(const Kernel& kernel, cl_kernel native);
  [[nodiscard]] bool has_shape_of(const xhal_launch_t& launch) const;
  cl_int set(uint32_t place, const xhal_argument_t& argument);
  cl_int set_memory(uint32_t place, const void* pointer);
  void forget_freed();
  cl_int set_ranges(const xhal_launch_t& launch);

  const Kernel& kernel_;
  const Device& device_;
  const cl_kernel native_;
  std::vector<Set> set_;
  xhal_launch_t shape_ = {};  // of the launch that was taken last; its pointers mean nothing
  bool has_shape_ = false;
  bool has_ranges_ = false;
  uint64_t frees_ =
      0;  // when memory arguments were last known to be those of the allocations at their addresses
};

}  // namespace xhal::opencl
