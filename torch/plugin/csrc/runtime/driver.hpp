// SPDX-License-Identifier: Apache-2.0
// The driver whose devices PyTorch sees. Nothing is opened before somebody asks; to count devices opens no context.
#pragma once

#include <c10/core/Device.h>

#include <string>
#include <vector>

#include "xhal/xhal.h"

// The library hides all else; the Python module sees this.
#pragma GCC visibility push(default)
namespace torch_xhal {

inline constexpr c10::DeviceType kDevice = c10::DeviceType::PrivateUse1;
inline constexpr int kMostDevices = 64;

struct Device {
  xhal_device_t handle = nullptr;
  xhal_device_properties_t properties = {};
};

struct Driver {
  xhal_instance_t instance = nullptr;
  xhal_driver_t handle = nullptr;
  std::vector<Device> devices;
  std::string why_none;  // why there is no device, when there is none
};

// The first driver of XHAL_DRIVERS that has devices; without XHAL_DRIVERS, of all that are installed, the one of real hardware, then the
// one that claims most features. Never throws: without a driver it has no devices. It lives until the process ends.
const Driver& driver() noexcept;
c10::DeviceIndex device_count() noexcept;
// Throws what a user of CUDA expects for a wrong index, or without any device.
const Device& device_at(c10::DeviceIndex index);
// -1 is the current one.
c10::DeviceIndex checked_index(c10::DeviceIndex index);
bool has_feature(const Device& device, uint32_t feature);

// Whether any call has opened the device's context.
bool is_active(c10::DeviceIndex index) noexcept;
// Whether this process is the child of one in which a context was open.
bool is_in_bad_fork() noexcept;

// This thread's.
c10::DeviceIndex current_device() noexcept;
void set_current_device(c10::DeviceIndex index);
void set_current_device_unchecked(c10::DeviceIndex index) noexcept;

// The device's name as PyTorch's messages have it: "XHAL".
std::string device_title();

}  // namespace torch_xhal
#pragma GCC visibility pop
