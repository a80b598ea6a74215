// SPDX-License-Identifier: Apache-2.0
// One instance's simulated machine: its devices and what they share.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "device/device.hpp"
#include "engine/fault.hpp"
#include "engine/progress.hpp"
#include "graph/capture.hpp"
#include "ipc/event_watcher.hpp"
#include "ipc/shared_memory.hpp"
#include "memory/memory.hpp"
#include "memory/staging.hpp"
#include "memory/window.hpp"
#include "options.hpp"
#include "xhal/driver.h"

namespace xhal::sim {

class Instance {
 public:
  Instance(const Options& wanted, void* context);
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  // Stops everything: work that has not run is dropped, work that runs is waited for.
  ~Instance();

  const uint64_t id;
  const Options options;
  void* const host_context;
  xhal_driver_t handle = nullptr;

  Window& window;
  ProgressPool progresses;
  FaultLog faults;
  StagingBudget staging;
  Memory memory;
  SharedMemory shared_memory;
  EventWatcher event_watcher;
  kit::Captures captures;
  std::vector<std::unique_ptr<Device>> devices;

  // Before anything that does not survive a fork. Errors: OUT_OF_HOST_MEMORY.
  xhal_result_t activate();
  [[nodiscard]] bool is_active() const { return active_.load(std::memory_order_acquire); }
  // Positions of all work that is submitted and not done.
  [[nodiscard]] Memory::Pending pending();
  // Runs body() while no work is under way and none can be submitted; false when there is some. Not for long.
  template <class Body>
  [[nodiscard]] bool while_idle(Body&& body) {
    size_t held = 0;
    const auto end = [&] {
      while (held != 0) devices[--held]->end_idle();
    };
    while (held != devices.size() && devices[held]->begin_idle()) ++held;
    const bool is_idle = held == devices.size();
    try {
      if (is_idle) body();
    } catch (...) {
      end();
      throw;
    }
    end();
    return is_idle;
  }
  // Events that other processes are given, until they are destroyed.
  xhal_result_t export_event(DeviceEvent& event, ShareHandle& out, std::string& why);
  void withdraw(DeviceEvent& event);

 private:
  std::atomic<bool> active_{false};
  std::mutex activate_mutex_;
  std::mutex exports_mutex_;  // guards what events know of their export
};

}  // namespace xhal::sim
