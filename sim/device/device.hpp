// SPDX-License-Identifier: Apache-2.0
// A simulated device: its streams, events and modules, its failure and its reset.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "activity/activity.hpp"
#include "engine/event.hpp"
#include "engine/stream.hpp"
#include "graph/graph.hpp"
#include "kernels/image.hpp"
#include "memory/memory.hpp"
#include "xhal/driver.h"

namespace xhal::sim {

class Device;
class Instance;
struct Module;

// What a handle of an event points to. Whoever submits looks at the last ones, which lie apart from what whoever executes writes.
class DeviceEvent final : public Event {
 public:
  const bool is_imported;

  DeviceEvent(Device& owner, bool takes_time, std::shared_ptr<SharedEvent> with_others, bool imported);

  // Made when it is first asked for: events are many, and few are ever shown to others.
  [[nodiscard]] uint64_t native_id();

 private:
  friend class EventList;
  std::atomic<uint64_t> native_id_{0};
  DeviceEvent* former_ = nullptr;
  DeviceEvent* next_ = nullptr;

 public:
  xhal_event_t handle = nullptr;
  Device& device;
};

// The events of a device, which are many and small: linked through themselves.
class EventList {
 public:
  void add(DeviceEvent& event);
  void remove(DeviceEvent& event);
  [[nodiscard]] DeviceEvent* first() const { return first_; }
  [[nodiscard]] bool has_native(uint64_t id) const;

 private:
  DeviceEvent* first_ = nullptr;
};

struct Kernel {
  Device& device;
  const uint32_t epoch;
  const std::shared_ptr<const Image> image;
  const KernelCode& code;
  xhal_kernel_t handle = nullptr;
};

struct Module {
  Device& device;
  const uint32_t epoch;
  const std::shared_ptr<const Image> image;
  const uint64_t native_id;
  xhal_module_t handle = nullptr;
  std::mutex mutex;
  std::vector<std::unique_ptr<Kernel>> kernels;  // those that were asked for
};

class Device final : public StreamHost {
 public:
  Device(Instance& machine, uint32_t number);
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device();

  Instance& instance;
  const uint32_t index;
  const uint64_t native_id;
  xhal_device_t handle = nullptr;

  [[nodiscard]] bool is_active() const { return active_.load(std::memory_order_acquire); }
  xhal_result_t activate();
  // How often it was reset: what was made in another epoch can only be destroyed and freed.
  [[nodiscard]] uint32_t epoch() const { return epoch_.load(std::memory_order_acquire); }

  // ---- Objects. The makers throw std::bad_alloc.
  xhal_stream_t make_stream(int32_t priority);
  void destroy(Stream& stream);
  [[nodiscard]] xhal_stream_t default_stream() const { return default_handle_; }
  xhal_event_t make_event(bool timed, std::shared_ptr<SharedEvent> with_others = nullptr,
                          bool imported = false);
  void destroy(DeviceEvent& event);
  xhal_module_t make_module(std::shared_ptr<const Image> image);
  void destroy(Module& module);
  // Null when the module has no such kernel.
  static xhal_kernel_t kernel_of(Module& module, std::string_view name);

  xhal_graph_t make_graph(GraphNodes nodes);
  void destroy(Graph& graph);
  xhal_graph_exec_t make_graph_exec(const Graph& graph);
  void destroy(GraphExec& exec);

  // ---- Native handles: ids, so that nothing is ever followed that somebody made up. 0 is no id.

  // The context in which the device works: its own one, or the one that it was given.
  [[nodiscard]] uint64_t context() const { return context_.load(std::memory_order_acquire); }
  [[nodiscard]] bool owns_context(uint64_t id) const { return id == own_context_; }
  // False when the device is active.
  [[nodiscard]] bool set_context(uint64_t id);
  // Another handle of a stream, by the id of one that has not been destroyed, or of the default stream. Null when there is no such stream.
  // It ends with the stream.
  xhal_stream_t wrap(uint64_t stream_id);
  xhal_stream_t wrap_default();
  void destroy_wrapper(Stream& stream, xhal_stream_t wrapper);
  // A stream that no handle was made of, as another library of the application's makes one.
  uint64_t make_native_stream();
  // body(stream) for that stream or, with id 0, the default one; false when there is none.
  template <class Body>
  [[nodiscard]] bool with_native_stream(uint64_t id, Body&& body) {
    const std::lock_guard lock(streams_mutex_);
    Stream* const stream = id == 0 ? default_stream_ : find_stream(id);
    if (stream == nullptr) return false;
    body(*stream);
    return true;
  }
  // False when it is none that make_native_stream() made.
  [[nodiscard]] bool destroy_native_stream(uint64_t id);
  [[nodiscard]] bool has_native_event(uint64_t id);
  [[nodiscard]] bool has_native_module(uint64_t id);

  // ---- Waiting and failing.
  xhal_result_t synchronize(uint64_t timeout_ns);
  [[nodiscard]] const Fault* fault() const { return fault_.load(std::memory_order_acquire); }
  // Null while the device is there. [XHAL-ERROR-14]
  [[nodiscard]] const Fault* lost() const { return lost_.load(std::memory_order_acquire); }
  // Never waits. A reset brings the device back.
  void lose();
  void reset();
  void add_pending(Memory::Pending& out);
  // Keeps all streams from taking work, and new ones from being made. False, and nothing is held, when one has work.
  [[nodiscard]] bool begin_idle();
  void end_idle();

  // Unloads what was destroyed while work that used it was in flight, and is not any more. Cheap when there is nothing.
  void unload_retired();

  // ---- The instance's end: all streams first, then wait for all, then the threads, while other devices still have theirs.
  void stop();
  void wait_until_stopped();
  void end_threads() { scheduler_.reset(); }

  // ---- StreamHost
  Scheduler& scheduler() override { return *scheduler_; }
  ProgressPool& progresses() override;
  FaultLog& faults() override;
  Activity& activity() override { return activity_; }
  void failed(const Fault* fault) override;
  bool keeps(const Fault* fault) const override { return this->fault() == fault; }
  void went_idle() override;
  void follows(const Position& later, const Position& earlier) override;
  void forget(Stream& stream) override;
  Window window() const override;

 private:
  // A stream's handles; none when it was destroyed and finishes its work.
  struct StreamHandles {
    xhal_stream_t own = nullptr;  // null also of the default stream and of native ones
    bool is_native = false;
    std::vector<xhal_stream_t> wrappers;

    void free();
  };
  using Streams = std::unordered_map<Stream*, StreamHandles>;

  // Under streams_mutex_.
  Stream* find_stream(uint64_t id) const;
  xhal_stream_t wrap_locked(Stream& stream);
  void destroy_locked(Streams::iterator it);

  // Positions of everything submitted to the streams that exist.
  [[nodiscard]] std::vector<Position> submitted();

  const std::atomic<uint32_t>& epoch_;
  Activity activity_;
  const uint64_t own_context_;
  std::mutex activate_mutex_;
  std::atomic<uint64_t> context_;
  std::atomic<bool> active_{false};
  std::atomic<const Fault*> fault_{nullptr};
  std::atomic<const Fault*> lost_{nullptr};
  std::mutex reset_mutex_;

  std::mutex streams_mutex_;
  std::condition_variable stream_left_;
  Streams streams_;
  Stream* default_stream_ = nullptr;
  xhal_stream_t default_handle_ = nullptr;

  std::mutex objects_mutex_;
  EventList events_;
  std::unordered_map<Module*, std::unique_ptr<Module>> modules_;
  std::unordered_map<Graph*, std::unique_ptr<Graph>> graphs_;
  std::unordered_map<GraphExec*, std::unique_ptr<GraphExec>> graph_execs_;
  struct RetiredImage {
    std::shared_ptr<const Image> image;
    PendingWork pending;
  };
  std::vector<RetiredImage> retired_images_;
  std::atomic<size_t> retired_count_{0};

  std::unique_ptr<Scheduler> scheduler_;
};

}  // namespace xhal::sim
