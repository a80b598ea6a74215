// SPDX-License-Identifier: Apache-2.0
// The instances that are open, for calls whose handles libxhal has not checked, and what they share: contexts, which have ids of their own
// in the process.
#pragma once

#include <mutex>
#include <vector>

#include "memory/allocation.hpp"
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

  // ---- Contexts: where the memory of one device lies. Each device of an instance has its own and may work in another one's.

  // One that no instance has. 0 is no id.
  uint64_t create_context(uint32_t device_index);
  // False when it is none that create_context() made.
  [[nodiscard]] bool destroy_context(uint64_t id);
  // Whether somebody has such a context for devices of that index.
  [[nodiscard]] bool has_context(uint64_t id, uint32_t device_index);
  // The allocation around an address that another instance made in the context in which `device` works; kind UNMANAGED when there is none.
  [[nodiscard]] Allocation find_shared(const Device& device, const void* pointer);

 private:
  friend struct LiveInstancesFork;

  [[nodiscard]] Device* find(xhal_device_t handle) const;

  // Held around what a device does in with_device: before every other lock of the simulator, also in a fork.
  std::mutex mutex_;
  std::vector<Instance*> instances_;
  struct Context {
    uint64_t id;
    uint32_t device_index;
  };
  std::vector<Context> contexts_;
};

}  // namespace xhal::sim
