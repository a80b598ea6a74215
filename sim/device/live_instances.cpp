// SPDX-License-Identifier: Apache-2.0
#include "device/live_instances.hpp"

#include <pthread.h>

#include <algorithm>

#include "device/instance.hpp"
#include "xhal/kit/driver.hpp"

namespace xhal::sim {

// A child must find the lock free and the list whole. What was active does not live on in it, and its locks may be held by nobody.
struct LiveInstancesFork {
  static LiveInstances& instances() {
    static LiveInstances* const kInstances = [] {
      live = new LiveInstances;
      pthread_atfork([] { live->mutex_.lock(); }, [] { live->mutex_.unlock(); },
                     [] {
                       std::erase_if(live->instances_, [](const Instance* i) { return i->is_active(); });
                       live->mutex_.unlock();
                     });
      return live;
    }();
    return *kInstances;
  }
  static inline LiveInstances* live = nullptr;
};

LiveInstances& LiveInstances::of_process() { return LiveInstancesFork::instances(); }

void LiveInstances::add(Instance& instance) {
  const std::lock_guard lock(mutex_);
  instances_.push_back(&instance);
}

void LiveInstances::remove(Instance& instance) {
  const std::lock_guard lock(mutex_);
  std::erase(instances_, &instance);
}

// ---- Contexts ------------------------------------------------------------------------------------------------------------------

uint64_t LiveInstances::create_context(uint32_t device_index) {
  const std::lock_guard lock(mutex_);
  return contexts_.emplace_back(Context{kit::services().next_id(), device_index}).id;
}

bool LiveInstances::destroy_context(uint64_t id) {
  const std::lock_guard lock(mutex_);
  return std::erase_if(contexts_, [&](const Context& context) { return context.id == id; }) != 0;
}

bool LiveInstances::has_context(uint64_t id, uint32_t device_index) {
  const std::lock_guard lock(mutex_);
  const auto made = std::ranges::find(contexts_, id, &Context::id);
  if (made != contexts_.end()) return made->device_index == device_index;
  return std::ranges::any_of(instances_, [&](const Instance* instance) {
    return device_index < instance->devices.size() && instance->devices[device_index]->owns_context(id);
  });
}

Allocation LiveInstances::find_shared(const Device& device, const void* pointer) {
  const std::lock_guard lock(mutex_);
  for (const Instance* instance : instances_) {
    if (instance == &device.instance || device.index >= instance->devices.size()) continue;
    const Device& other = *instance->devices[device.index];
    if (other.context() != device.context()) continue;
    const Allocation found = instance->memory.find(pointer);
    const bool is_its_own = !found.has(Allocation::kImported) || found.has(Allocation::kNative);
    if (found.kind == XHAL_MEMORY_DEVICE && found.device == device.index && found.epoch == other.epoch() &&
        is_its_own && !found.has(Allocation::kMapped))
      return found;
  }
  return {};
}

Device* LiveInstances::find(xhal_device_t handle) const {
  if (handle == nullptr) return nullptr;
  for (const Instance* instance : instances_) {
    for (const auto& device : instance->devices) {
      if (device->handle == handle) return device.get();
    }
  }
  return nullptr;
}

}  // namespace xhal::sim
