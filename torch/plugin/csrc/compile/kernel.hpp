// SPDX-License-Identifier: Apache-2.0
// A kernel of an image that was made while the program runs, launched on tensors by the current stream of their device.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <array>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "xhal/xhal.h"

// The library hides all else; the Python module sees this.
#pragma GCC visibility push(default)
namespace torch_xhal {

// The target of the best image of this format that the device takes; nothing when it takes none. A target may be "".
std::vector<std::string> targets_of(c10::DeviceIndex device, const std::string& format);

class Kernel {
 public:
  using Argument = std::variant<at::Tensor, int64_t, double>;

  // A letter for each parameter: memory that is read (r), written (w), both (b); values q (8 bytes), i (4 bytes), f (float), d (double).
  Kernel(c10::DeviceIndex device, const std::string& format, const std::string& target,
         std::string_view image, std::string name, std::string parameters);
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  ~Kernel();

  void launch(const std::array<uint32_t, 3>& groups, const std::array<uint32_t, 3>& items,
              const std::vector<Argument>& arguments) const;

 private:
  const c10::DeviceIndex device_;
  const std::string name_, parameters_;
  xhal_module_t module_ = nullptr;
  xhal_kernel_t kernel_ = nullptr;
};

}  // namespace torch_xhal
#pragma GCC visibility pop
