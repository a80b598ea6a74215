// SPDX-License-Identifier: Apache-2.0
#include "device/live_instances.hpp"

#include <pthread.h>

#include "device/instance.hpp"

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
