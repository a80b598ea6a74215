// SPDX-License-Identifier: Apache-2.0
// The objects behind the handles.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "xhal/driver.h"

namespace minimal {

inline constexpr uint64_t kMemoryBytes = uint64_t{256} << 20;
inline constexpr uint64_t kAlignment = 256;

struct Stream {
  xhal_stream_t handle = nullptr;
  struct Device* device = nullptr;
  uint64_t id = 0;
  bool is_default = false;
  std::mutex turn;                   // operations of one stream take turns, whichever thread submits them
  std::atomic<uint32_t> pending{0};  // callers inside or waiting for their turn
};

struct Event {
  xhal_event_t handle = nullptr;
  struct Device* device = nullptr;
};

struct Allocation {
  uint64_t size = 0;
  uint64_t id = 0;
  uint32_t kind = 0;
};

struct Device {
  xhal_device_t handle = nullptr;
  struct Driver* driver = nullptr;
  Stream default_stream;
  std::atomic<bool> active{false};
  std::mutex mutex;  // guards what follows
  std::map<uintptr_t, Allocation> allocations;
  std::set<Stream*> streams;
  std::set<Event*> events;
};

struct Driver {
  xhal_driver_t handle = nullptr;
  void* host_context = nullptr;
  Device device;
};

// The first call that needs the device: from now on the instance does not survive a fork.
void activate(Device& device);

// Finds the allocation that holds `address`.
const std::pair<const uintptr_t, Allocation>* find(const Device& device, uintptr_t address);
void release_all(Device& device);

// The entries, by file.
extern const xhal_functions_t kFunctions;
xhal_result_t get_pointer_attributes(xhal_driver_t driver, const void* pointer,
                                     xhal_pointer_attributes_t* out);
xhal_result_t get_memory_info(xhal_device_t device, xhal_memory_info_t* out);
xhal_result_t memory_allocate(xhal_device_t device, const xhal_memory_desc_t* desc, void** out);
xhal_result_t memory_free(xhal_device_t device, void* pointer);
xhal_result_t memory_copy(xhal_stream_t stream, void* destination, const void* source, uint64_t size);
xhal_result_t memory_fill(xhal_stream_t stream, void* destination, uint64_t pattern, uint32_t width,
                          uint64_t size);
xhal_result_t device_synchronize(xhal_device_t device, uint64_t timeout_ns);
xhal_result_t get_default_stream(xhal_device_t device, xhal_stream_t* out);
xhal_result_t stream_create(xhal_device_t device, const xhal_stream_desc_t* desc, xhal_stream_t* out);
xhal_result_t stream_destroy(xhal_stream_t stream);
xhal_result_t stream_get_info(xhal_stream_t stream, xhal_stream_info_t* out);
xhal_result_t stream_get_device(xhal_stream_t stream, xhal_device_t* out);
xhal_result_t stream_query(xhal_stream_t stream);
xhal_result_t stream_synchronize(xhal_stream_t stream, uint64_t timeout_ns);
xhal_result_t stream_wait_event(xhal_stream_t stream, xhal_event_t event, uint32_t flags);
xhal_result_t stream_host_function(xhal_stream_t stream, xhal_host_fn function, void* user);
xhal_result_t event_create(xhal_device_t device, const xhal_event_desc_t* desc, xhal_event_t* out);
xhal_result_t event_destroy(xhal_event_t event);
xhal_result_t event_record(xhal_event_t event, xhal_stream_t stream, uint32_t flags);
xhal_result_t event_query(xhal_event_t event);
xhal_result_t event_synchronize(xhal_event_t event, uint64_t timeout_ns);
xhal_result_t event_get_elapsed(xhal_event_t start, xhal_event_t end, int64_t* out);

}  // namespace minimal
