// SPDX-License-Identifier: Apache-2.0
// One stream's queue of OpenCL commands, and waiting for them.
//
// A stream is an in-order queue, whose last command's event is what other streams and the host wait for: drivers make an event for each
// command anyway. Commands of the contract that are several commands of OpenCL go in under the queue's mutex, as one.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "api/calls.hpp"
#include "xhal/driver.h"

namespace xhal::opencl {

class Capture;
struct Device;
struct Event;
struct GraphExec;
struct GraphNode;
struct Platform;
class Kernel;
class LaunchKernel;

// Holds a reference to an OpenCL event. How many of us hold the same one is counted here: a driver's count is a call that costs ten times as
// much.
class EventRef {
 public:
  EventRef() = default;
  EventRef(const Calls& calls, cl_event event) : calls_(&calls), event_(event) {}  // takes the reference over
  EventRef(EventRef&& other) noexcept
      : calls_(other.calls_),
        event_(std::exchange(other.event_, nullptr)),
        holders_(std::exchange(other.holders_, nullptr)) {}
  EventRef& operator=(EventRef&& other) noexcept {
    std::swap(calls_, other.calls_);
    std::swap(event_, other.event_);
    std::swap(holders_, other.holders_);
    return *this;
  }
  ~EventRef() { reset(); }
  EventRef(const EventRef&) = delete;
  EventRef& operator=(const EventRef&) = delete;

  [[nodiscard]] cl_event get() const { return event_; }
  explicit operator bool() const { return event_ != nullptr; }
  [[nodiscard]] EventRef another() {
    if (event_ == nullptr) return {};
    if (holders_ == nullptr) holders_ = new std::atomic<uint32_t>(1);
    holders_->fetch_add(1, std::memory_order_relaxed);
    EventRef out(*calls_, event_);
    out.holders_ = holders_;
    return out;
  }
  void reset() {
    const cl_event event = std::exchange(event_, nullptr);
    if (event == nullptr) return;
    if (auto* const holders = std::exchange(holders_, nullptr); holders != nullptr) {
      if (holders->fetch_sub(1, std::memory_order_acq_rel) != 1) return;
      delete holders;
    }
    calls_->clReleaseEvent(event);
  }
  // SUCCESS, NOT_READY, or the failure's code; no event is done.
  [[nodiscard]] xhal_result_t status() const;
  [[nodiscard]] cl_int native_status() const;
  // SUCCESS, TIMEOUT, or the failure's code.
  [[nodiscard]] xhal_result_t wait(uint64_t timeout_ns) const;

 private:
  const Calls* calls_ = nullptr;
  cl_event event_ = nullptr;
  std::atomic<uint32_t>* holders_ = nullptr;  // null while there is one
};

// Ends with the time that a call was given, whatever it waits for first.
class Deadline {
 public:
  explicit Deadline(uint64_t timeout_ns);
  [[nodiscard]] uint64_t left_ns() const;  // XHAL_WAIT_FOREVER stays that

 private:
  uint64_t end_ns_;
};

// Tells that OpenCL did not take a command, or an argument of one.
xhal_result_t refused(const char* what, cl_int code);

// Outlives its stream while commands are under way.
class Queue : public std::enable_shared_from_this<Queue> {
 public:
  Queue(Device& device, cl_command_queue queue);
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  [[nodiscard]] Device& device() const { return device_; }

  // ---- What is submitted becomes a node while the stream captures.

  // One command of the contract: `enqueue(queue, event)` returns OpenCL's code and gives its last command's event, where that is
  // asked for; none, where it has nothing to do. A graph keeps it: it holds what it needs by value.
  template <class Enqueue>
  xhal_result_t submit(const char* what, const Enqueue& enqueue) {
    const std::lock_guard lock(mutex_);
    if (in_capture()) [[unlikely]]
      return capture_commands(what, enqueue);
    return add(what, enqueue);
  }
  // Checks the launch: of one like that before, what differs.
  xhal_result_t launch(Kernel& kernel, const xhal_launch_t& launch);
  xhal_result_t host_function(xhal_host_fn function, void* user);
  // `external`: as a node of its own.
  xhal_result_t record(Event& event, bool external);
  xhal_result_t wait(Event& event, bool external);
  xhal_result_t launch_graph(GraphExec& exec);

  // ---- Captures. Codes without a text.

  xhal_result_t begin_capture(const std::shared_ptr<Capture>& capture);
  xhal_result_t end_capture(std::vector<GraphNode>& out);
  // That the stream takes part in; null for none. Cheap while it takes part in none.
  [[nodiscard]] std::shared_ptr<Capture> capture();
  // Its stream is destroyed.
  void leave();

  // ---- What was submitted

  // Whether all that was submitted is known to be done.
  [[nodiscard]] bool is_idle() const { return idle_.load(std::memory_order_acquire); }
  // What ends when all that was submitted before does. None when nothing is under way.
  EventRef under_way();
  // SUCCESS, NOT_READY, or the failure's code.
  xhal_result_t query();
  xhal_result_t synchronize(uint64_t timeout_ns);
  // Of a kernel that nobody can launch any more.
  void forget(uint64_t kernel_id);

 private:
  // Under the mutex, as all to the next blank line.
  template <class Enqueue>
  xhal_result_t add(const char* what, const Enqueue& enqueue) {
    cl_event event = nullptr;
    const cl_int code = enqueue(queue_, is_synchronous_ ? nullptr : &event);
    return code == CL_SUCCESS ? submitted({calls_, event}) : refused(what, code);
  }
  xhal_result_t add_launch(LaunchKernel& kernel, const xhal_launch_t& launch);
  xhal_result_t add_host_function(xhal_host_fn function, void* user);
  xhal_result_t add_record(Event& event);
  // `from`: the platform that the event is of.
  xhal_result_t add_wait(EventRef event, const Platform* from);
  xhal_result_t add_node(GraphExec& exec, size_t index);
  // A capture may have been ended by another of its streams.
  bool in_capture() { return capture_ != nullptr && still_captures(); }
  bool still_captures();
  xhal_result_t capture_commands(const char* what,
                                 std::function<cl_int(cl_command_queue, cl_event*)> enqueue);
  xhal_result_t capture_node(GraphNode node);
  xhal_result_t mark(Event& event);
  // SUCCESS, NOT_READY, or the failure's code, of all that was submitted.
  xhal_result_t status();
  xhal_result_t submitted(EventRef event);
  xhal_result_t stamp(EventRef& out);
  xhal_result_t start_timing();
  xhal_result_t bridged(EventRef event, EventRef& out);
  xhal_result_t prepare(Kernel& kernel);

  // Without the mutex.
  [[nodiscard]] bool waits_by_finish(uint64_t timeout_ns) const;
  xhal_result_t finish();
  xhal_result_t wait_for(EventRef event, const Platform* from);

  Device& device_;
  const Calls& calls_;
  const bool is_synchronous_;  // nothing is under way when a call has returned
  std::mutex mutex_;
  cl_command_queue queue_;
  cl_command_queue untimed_queue_ = nullptr;  // what it was before: somebody may be waiting for it
  bool has_times_ = false;  // its commands have times: only where somebody asks for them, as it costs
  EventRef last_;           // of the last command, while it may be pending
  std::atomic<bool> idle_{true};
  std::atomic<bool> calls_back_{false};  // a synchronous device's host function runs
  std::shared_ptr<Capture> capture_;
  std::atomic<bool> may_capture_{false};
  // Each queue has kernels of its own, whose arguments nobody else sets; one that is launched again with the same sets none.
  std::unordered_map<uint64_t, std::unique_ptr<LaunchKernel>> kernels_;
  uint64_t last_kernel_id_ = 0;
  LaunchKernel* last_kernel_ = nullptr;
};

}  // namespace xhal::opencl
