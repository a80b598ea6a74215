// SPDX-License-Identifier: Apache-2.0
// The objects behind the handles.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "xhal/driver.h"
#include "xhal/kit/driver.hpp"
#include "xhal/kit/handles.hpp"

namespace minimal {

inline constexpr uint64_t kMemoryBytes = uint64_t{256} << 20;
inline constexpr uint64_t kAlignment = 256;

// A handle that goes with its object: before it, when it is the object's last member.
template <class Handle>
class Owned {
 public:
  Owned() = default;
  ~Owned() {
    if (handle_ != nullptr) xhal::kit::free_handle(handle_);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;

  // False when memory is exhausted.
  [[nodiscard]] bool make(void* object) {
    handle_ = xhal::kit::make_handle<Handle>(object);
    return handle_ != nullptr;
  }
  [[nodiscard]] Handle get() const { return handle_; }

 private:
  Handle handle_ = nullptr;
};

struct Device;

// The operations of one stream take turns in the order of their submission, whichever thread submits them. Outlives the stream when it is
// destroyed with work in flight.
struct Queue {
  uint64_t submitted = 0;
  uint64_t done = 0;
};

struct Stream {
  Device* device = nullptr;
  uint64_t id = 0;
  bool is_default = false;
  std::shared_ptr<Queue> queue = std::make_shared<Queue>();
  Owned<xhal_stream_t> handle;
};

struct Event {
  Device* device = nullptr;
  Owned<xhal_event_t> handle;
};

struct Allocation {
  Allocation() = default;
  ~Allocation();  // gives the memory back
  Allocation(const Allocation&) = delete;
  Allocation& operator=(const Allocation&) = delete;

  void* pointer = nullptr;
  uint64_t size = 0;
  uint64_t taken = 0;  // of the device's memory; none of it for pinned memory
  uint64_t id = 0;
  uint32_t kind = 0;
};

// Freed; given back when all operations with smaller numbers are done, since these may still touch it.
struct Freed {
  uint64_t before = 0;
  std::unique_ptr<Allocation> allocation;
};

struct Device {
  struct Driver* driver = nullptr;
  std::atomic<bool> active{false};

  // Guards what follows. Held for moments only, never while an operation runs or something is waited for.
  std::mutex mutex;
  std::condition_variable changed;  // an operation is done
  uint64_t next_operation = 0;
  std::set<uint64_t> unfinished;  // numbers of operations that run or wait for their turn
  std::map<uintptr_t, std::unique_ptr<Allocation>> allocations;
  std::vector<Freed> freed;
  std::map<Stream*, std::unique_ptr<Stream>> streams;
  std::map<Event*, std::unique_ptr<Event>> events;

  Stream default_stream;
  Owned<xhal_device_t> handle;
};

struct Driver {
  void* host_context = nullptr;
  Device device;
  Owned<xhal_driver_t> handle;
};

// The first call that needs the device: from now on the instance does not survive a fork.
void activate(Device& device);

// SUCCESS, or CALL_FORBIDDEN inside a host function. First of all in each entry that does more than ask.
inline xhal_result_t may_call() {
  if (!xhal::kit::in_host_function()) return XHAL_SUCCESS;
  return xhal::kit::fail(XHAL_ERROR_CALL_FORBIDDEN, "a host function may only ask, see xhal_host_fn");
}

// An operation of a stream from its submission to its end; wait for the turn before doing the work. [XHAL-STREAM-1]
class Operation {
 public:
  explicit Operation(Stream& stream);  // throws bad_alloc with nothing changed
  ~Operation();
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  void wait_for_turn();

 private:
  Device& device_;
  const std::shared_ptr<Queue> queue_;
  uint64_t number_ = 0;
  uint64_t turn_ = 0;
};

// Finds the allocation that holds `address`; null when none does. Under the device's mutex.
const Allocation* find(const Device& device, const void* address);

// The entries, by file.
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
