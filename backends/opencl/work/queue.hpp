// SPDX-License-Identifier: Apache-2.0
// One stream's queue of OpenCL commands, and waiting for them.
//
// A stream is an in-order queue. What other streams and the host wait for are markers: an OpenCL event is made where somebody asks, not for
// each command. Commands of the contract that are several commands of OpenCL go in under the queue's mutex, as one.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "api/calls.hpp"
#include "xhal/driver.h"

namespace xhal::opencl {

struct Device;
struct Platform;
class Kernel;
class LaunchKernel;

// Holds one reference to an OpenCL event.
class EventRef {
 public:
  EventRef() = default;
  EventRef(const Calls& calls, cl_event event) : calls_(&calls), event_(event) {}  // takes the reference over
  EventRef(EventRef&& other) noexcept : calls_(other.calls_), event_(std::exchange(other.event_, nullptr)) {}
  EventRef& operator=(EventRef&& other) noexcept {
    std::swap(calls_, other.calls_);
    std::swap(event_, other.event_);
    return *this;
  }
  ~EventRef() { reset(); }
  EventRef(const EventRef&) = delete;
  EventRef& operator=(const EventRef&) = delete;

  [[nodiscard]] cl_event get() const { return event_; }
  explicit operator bool() const { return event_ != nullptr; }
  [[nodiscard]] EventRef another() const {
    if (event_ == nullptr) return {};
    calls_->clRetainEvent(event_);
    return {*calls_, event_};
  }
  void reset() {
    if (event_ != nullptr) calls_->clReleaseEvent(std::exchange(event_, nullptr));
  }
  // SUCCESS, NOT_READY, or the failure's code; no event is done.
  [[nodiscard]] xhal_result_t status() const;
  [[nodiscard]] cl_int native_status() const;
  // SUCCESS, TIMEOUT, or the failure's code.
  [[nodiscard]] xhal_result_t wait(uint64_t timeout_ns) const;

 private:
  const Calls* calls_ = nullptr;
  cl_event event_ = nullptr;
};

// Ends with the time that a call was given, whatever it waits for first.
class Deadline {
 public:
  explicit Deadline(uint64_t timeout_ns);
  [[nodiscard]] uint64_t left_ns() const;  // XHAL_WAIT_FOREVER stays that

 private:
  uint64_t end_ns_;
};

// Outlives its stream while commands are under way.
class Queue : public std::enable_shared_from_this<Queue> {
 public:
  Queue(Device& device, cl_command_queue queue);
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  [[nodiscard]] Device& device() const { return device_; }

  // Adds one command: `enqueue(queue)` returns OpenCL's code.
  template <class Enqueue>
  xhal_result_t submit(const char* what, Enqueue&& enqueue) {
    const std::lock_guard lock(mutex_);
    const cl_int code = enqueue(queue_);
    return code == CL_SUCCESS ? submitted() : refused(what, code);
  }
  // Adds a launch; the kernel's arguments are this queue's own.
  xhal_result_t launch(Kernel& kernel, const xhal_launch_t& launch);
  xhal_result_t host_function(xhal_host_fn function, void* user);
  // `from`: the platform that the event is of.
  xhal_result_t wait_for(EventRef event, const Platform* from);

  // What ends when all that was submitted before does. None when nothing is under way. `own`: one that nobody has asked for before, with its
  // own time.
  xhal_result_t marker(EventRef& out, bool own = false);
  // SUCCESS, NOT_READY, or the failure's code.
  xhal_result_t query();
  xhal_result_t synchronize(uint64_t timeout_ns);
  // Of a kernel that nobody can launch any more.
  void forget(uint64_t kernel_id);

 private:
  // Under the mutex.
  xhal_result_t submitted();
  xhal_result_t refused(const char* what, cl_int code);
  xhal_result_t make_marker(EventRef& out);
  xhal_result_t bridged(EventRef event, EventRef& out);
  xhal_result_t prepare(Kernel& kernel);

  Device& device_;
  const cl_command_queue queue_;
  std::mutex mutex_;
  bool unmarked_ = false;  // something was submitted since the last marker
  EventRef last_;          // the last marker, while it may be pending
  std::atomic<bool> idle_{true};
  // Each queue has kernels of its own, whose arguments nobody else sets; one that is launched again with the same sets none.
  std::unordered_map<uint64_t, std::unique_ptr<LaunchKernel>> kernels_;
  uint64_t last_kernel_id_ = 0;
  LaunchKernel* last_kernel_ = nullptr;
};

}  // namespace xhal::opencl
