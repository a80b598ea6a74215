// SPDX-License-Identifier: Apache-2.0
// Instance, platforms, devices: what the handles of driver and device point to.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "api/calls.hpp"
#include "device/facts.hpp"
#include "graph/graph.hpp"
#include "kernels/program_cache.hpp"
#include "memory/memory.hpp"
#include "work/host_threads.hpp"
#include "work/queue.hpp"
#include "xhal/driver.h"
#include "xhal/kit/capture.hpp"
#include "xhal/kit/handles.hpp"

namespace xhal::opencl {

struct Instance;

// The calls of cl_intel_unified_shared_memory, of one platform.
struct UsmCalls {
  clHostMemAllocINTEL_fn host_allocate = nullptr;
  clDeviceMemAllocINTEL_fn device_allocate = nullptr;
  clSharedMemAllocINTEL_fn shared_allocate = nullptr;
  clMemFreeINTEL_fn free = nullptr;
  clSetKernelArgMemPointerINTEL_fn set_argument = nullptr;
  clEnqueueMemcpyINTEL_fn copy = nullptr;
  clEnqueueMemFillINTEL_fn fill = nullptr;
};

// The devices of a platform share one context, so that events and memory of one are known to the others.
struct Platform {
  uint32_t number = 0;  // in the loader's order
  std::vector<cl_device_id> devices;
  std::vector<struct Device*> offered;
  cl_context context = nullptr;
  UsmCalls usm;
};

struct Stream {
  Device* device = nullptr;
  std::shared_ptr<Queue> queue;
  uint64_t id = 0;
  bool is_default = false;
  std::list<Stream>::iterator place;
  xhal_stream_t handle = nullptr;
};

// Graphs hold events that were destroyed.
struct Event : std::enable_shared_from_this<Event> {
  Device* device = nullptr;
  bool timed = false;
  std::mutex mutex;
  bool recorded = false;
  EventRef current;                         // none: done, or never recorded
  bool is_done = false;                     // that it is
  std::shared_ptr<const CaptureMark> mark;  // the latest record was in a capture
  std::list<std::shared_ptr<Event>>::iterator place;
  xhal_event_t handle = nullptr;

  // Under the mutex: null when the latest record was in no capture that is still under way.
  [[nodiscard]] std::shared_ptr<const CaptureMark> live_mark() const;
};

class Module;

struct Device {
  Instance* instance = nullptr;
  Platform* platform = nullptr;
  uint32_t index = 0;
  DeviceFacts facts = {};
  xhal_device_properties_t properties = {};  // made of the facts
  xhal_device_t handle = nullptr;
  cl_device_id id = nullptr;

  std::atomic<bool> active{false};
  std::atomic<uint64_t> used_bytes{0};

  // Guards what follows, and is held for moments.
  std::mutex mutex;
  std::list<Stream> streams;
  std::list<std::shared_ptr<Event>> events;
  std::list<std::shared_ptr<Module>> modules;
  std::list<Graph> graphs;
  std::list<GraphExec> execs;
  // Of destroyed streams, while their commands are under way.
  std::vector<std::shared_ptr<Queue>> left_queues;
  Stream* default_stream = nullptr;

  // The first failure. The fault record of a device is written once.
  std::mutex fault_mutex;
  xhal_result_t fault_code = XHAL_SUCCESS;
  int64_t fault_native = 0;
  std::string fault_text;

  // The device's default stream where `out` is null.
  xhal_result_t make_stream(xhal_stream_t* out, Stream** out_stream = nullptr);
  void destroy(Stream& stream);
  [[nodiscard]] bool has(uint32_t quirk) const { return (facts.quirks & quirk) != 0; }
  [[nodiscard]] bool is_synchronous() const;
  // All queues that may have work under way, of destroyed streams included.
  [[nodiscard]] std::vector<std::shared_ptr<Queue>> queues();
  // Those of them that are not known to be done.
  [[nodiscard]] std::vector<std::shared_ptr<Queue>> busy_queues();
  // Records that a command failed by itself, with OpenCL's status; tells it, and gives back its code.
  xhal_result_t failed(cl_int status);
};

bool claims(const Device& device, uint32_t feature);
xhal_device_properties_t properties_of(const Device& device);

// What a stream's waits are made of.
enum class Waits : uint8_t {
  kByQuirk,
  kByEvent,
  kByFinish  // as an application of OpenCL would wait
};

// What can be set when an instance is made: XHAL_OPENCL=cache=off or the instance's options.
struct Options {
  Search search;
  std::string cache = ProgramCache::default_folder();  // "": none
  Waits waits = Waits::kByQuirk;
};

struct Instance {
  void* host_context = nullptr;
  const Calls* calls = nullptr;  // null until the first device is activated
  xhal_driver_t handle = nullptr;
  std::vector<std::unique_ptr<Platform>> platforms;
  std::vector<std::unique_ptr<Device>> devices;
  std::mutex activation;
  VendorFolder vendors;  // where a platform is left out: the others
  Memory memory{*this};
  kit::Captures captures;
  const Options options;
  const ProgramCache programs{options.cache};
  std::unique_ptr<HostThreads> threads = std::make_unique<HostThreads>();

  // Lists the devices; no context, no thread.
  static xhal_result_t open(void* host_context, Options options, std::unique_ptr<Instance>& out);
  explicit Instance(Options given);
  ~Instance();

  // Opens the device's context, and its platform's.
  xhal_result_t activate(Device& device);

 private:
  xhal_result_t open_platform(Platform& platform);
};

// First of all in a call that submits, waits or makes something: the thread may, and the device's context is there.
xhal_result_t make_ready(Device& device);

}  // namespace xhal::opencl
