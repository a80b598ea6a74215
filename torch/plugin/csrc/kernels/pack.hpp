// SPDX-License-Identifier: Apache-2.0
// The operator packs that xhal is installed with: a pack is loaded on a device when the first of its kernels is asked for there.
#pragma once

#include <array>
#include <atomic>

#include "runtime/driver.hpp"

namespace torch_xhal {

// One kernel of a pack, found once on each device; "builtin NAME" is a pack that a device has in itself. Objects are static.
class Kernel {
 public:
  constexpr Kernel(const char* pack, const char* name) : pack_(pack), name_(name) {}

  bool exists() const { return name_ != nullptr; }
  // Whether the device has it: a pack that is built into devices is not on all of them.
  bool is_on(c10::DeviceIndex device);
  xhal_kernel_t on(c10::DeviceIndex device) {
    const xhal_kernel_t known = handles_[static_cast<size_t>(device)].load(std::memory_order_acquire);
    return C10_LIKELY(known != nullptr) ? known : load(device);
  }

 private:
  xhal_kernel_t load(c10::DeviceIndex device);

  const char* pack_;
  const char* name_;
  std::array<std::atomic<xhal_kernel_t>, kMostDevices> handles_{};
};

}  // namespace torch_xhal
