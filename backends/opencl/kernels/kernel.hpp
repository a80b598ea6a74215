// SPDX-License-Identifier: Apache-2.0
// Modules, which are OpenCL's programs, and their kernels.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/calls.hpp"
#include "xhal/driver.h"
#include "xhal/kit/launch.hpp"

namespace xhal::opencl {

struct Device;
class Module;

struct Param {
  using Kind = kit::ParameterKind;
  Kind kind = Kind::kUnknown;
  uint32_t place = 0;  // among the arguments of OpenCL's kernel
};

class Kernel {
 public:
  uint64_t id = 0;  // never used again
  Module* module = nullptr;
  std::string name;
  std::string native_name;  // with plain buffers, of the form that takes offsets
  std::vector<Param> params;
  uint64_t max_group_items = 0;
  uint64_t static_local_bytes = 0;
  uint64_t private_bytes = 0;
  uint64_t preferred_multiple = 0;
  xhal_kernel_t handle = nullptr;
};

// Graphs hold modules that were destroyed.
class Module : public std::enable_shared_from_this<Module> {
 public:
  Module(Device& device, cl_program program) : device_(device), program_(program) {}
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // Tells its own errors.
  static xhal_result_t load(Device& device, const xhal_module_desc_t& desc, std::unique_ptr<Module>& out);
  // Nobody can use it by its handles any more.
  void retire();
  xhal_result_t get_kernel(const char* name, xhal_kernel_t* out);

  [[nodiscard]] Device& device() const { return device_; }
  [[nodiscard]] cl_program program() const { return program_; }
  xhal_module_t handle = nullptr;

 private:
  static bool load_kept(Device& device, const std::vector<unsigned char>& binary, const std::string& options,
                        std::unique_ptr<Module>& out);
  xhal_result_t make_kernel(const std::string& name, std::unique_ptr<Kernel>& out) const;

  Device& device_;
  const cl_program program_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Kernel>> kernels_;
};

// What the device loads, best first.
std::vector<xhal_image_format_t> image_formats(const Device& device);

}  // namespace xhal::opencl
