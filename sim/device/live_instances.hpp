// SPDX-License-Identifier: Apache-2.0
// The instances that are open: for calls whose handles libxhal has not checked.
#pragma once

#include <mutex>
#include <vector>

#include "xhal/driver.h"

namespace xhal::sim {

class Device;
class Instance;

class LiveInstances {
 public:
  // The process's one; never destroyed. A forked child finds those that were not active yet.
  static LiveInstances& of_process();

  void add(Instance& instance);
  void remove(Instance& instance);

  // body(device) for the device of that handle, which does not end meanwhile; false, without a look at what the handle points to, when no
  // open instance has it.
  template <class Body>
  [[nodiscard]] bool with_device(xhal_device_t handle, Body&& body) {
    const std::lock_guard lock(mutex_);
    Device* const device = find(handle);
    if (device == nullptr) return false;
    body(*device);
    return true;
  }

 private:
  friend struct LiveInstancesFork;

  [[nodiscard]] Device* find(xhal_device_t handle) const;

  // Held around what a device does in with_device: before every other lock of the simulator, also in a fork.
  std::mutex mutex_;
  std::vector<Instance*> instances_;
};

}  // namespace xhal::sim
