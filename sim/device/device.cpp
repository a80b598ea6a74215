// SPDX-License-Identifier: Apache-2.0
#include "device/device.hpp"

#include <new>
#include <vector>

#include "device/instance.hpp"
#include "xhal/kit/driver.hpp"
#include "xhal/kit/handles.hpp"

namespace xhal::sim {
namespace {

// Not destroyed at exit: streams that were told so may outlive static objects.
const Fault* device_was_reset() {
  static const auto* const kFault = new Fault{XHAL_ERROR_CANCELLED, "xhal_device_reset", 0, 0,
                                              "the work was dropped because its device was reset"};
  return kFault;
}

const Fault* device_was_lost() {
  static const auto* const kFault =
      new Fault{XHAL_ERROR_DEVICE_LOST, "", 0, 0, "the device was lost, as was asked for; reset it",
                XHAL_FAULT_SCOPE_DEVICE};
  return kFault;
}

const Fault* instance_was_destroyed() {
  static const auto* const kFault = new Fault{XHAL_ERROR_CANCELLED, "xhal_instance_destroy", 0, 0,
                                              "the work was dropped because its instance was destroyed"};
  return kFault;
}

template <class Handle>
Handle handle_for(void* object) {
  const Handle handle = kit::make_handle<Handle>(object);
  if (handle == nullptr) throw std::bad_alloc();
  return handle;
}

}  // namespace

DeviceEvent::DeviceEvent(Device& owner, bool takes_time) : Event(owner.epoch(), takes_time), device(owner) {}

Device::Device(Instance& machine, uint32_t number) : instance(machine), index(number) {
  auto stream = std::make_unique<Stream>(*this, kit::services().next_id(), true);
  default_handle_ = handle_for<xhal_stream_t>(stream.get());
  handle = handle_for<xhal_device_t>(this);
  streams_.emplace(stream.get(), nullptr);
  default_stream_ = stream.release();
}

Device::~Device() {
  for (const auto& [event, owner] : events_) kit::free_handle(event->handle);
  for (const auto& [module, owner] : modules_) {
    for (const auto& kernel : module->kernels) kit::free_handle(kernel->handle);
    kit::free_handle(module->handle);
  }
  if (handle != nullptr) kit::free_handle(handle);
}

xhal_result_t Device::activate() {
  if (is_active()) return XHAL_SUCCESS;
  if (const xhal_result_t result = instance.activate(); result < 0) return result;
  active_.store(true, std::memory_order_release);
  return XHAL_SUCCESS;
}

uint32_t Device::epoch() const { return instance.memory.epoch(index); }

// ---- Objects -------------------------------------------------------------------------------------------------------------------

xhal_stream_t Device::make_stream() {
  auto stream = std::make_unique<Stream>(*this, kit::services().next_id(), false);
  const std::lock_guard lock(streams_mutex_);
  const auto it = streams_.emplace(stream.get(), nullptr).first;
  try {
    it->second = handle_for<xhal_stream_t>(stream.get());
  } catch (...) {
    streams_.erase(it);
    throw;
  }
  if (const Fault* loss = lost(); loss != nullptr) stream->drop_all(loss);
  static_cast<void>(stream.release());  // the list owns it
  return it->second;
}

void Device::destroy(Stream& stream) {
  const std::lock_guard lock(streams_mutex_);
  const auto it = streams_.find(&stream);
  kit::free_handle(std::exchange(it->second, nullptr));
  if (stream.leave()) return;
  streams_.erase(it);
  delete &stream;
}

xhal_event_t Device::make_event(bool timed) {
  auto event = std::make_shared<DeviceEvent>(*this, timed);
  const std::lock_guard lock(objects_mutex_);
  const auto it = events_.emplace(event.get(), event).first;
  try {
    event->handle = handle_for<xhal_event_t>(event.get());
  } catch (...) {
    events_.erase(it);
    throw;
  }
  return event->handle;
}

void Device::destroy(DeviceEvent& event) {
  kit::free_handle(event.handle);
  std::shared_ptr<DeviceEvent> last;  // goes after the lock
  const std::lock_guard lock(objects_mutex_);
  const auto it = events_.find(&event);
  last = std::move(it->second);
  events_.erase(it);
}

xhal_module_t Device::make_module(std::shared_ptr<const Image> image) {
  std::unique_ptr<Module> module(new Module{*this, epoch(), std::move(image), nullptr, {}, {}});
  Module* const raw = module.get();
  const std::lock_guard lock(objects_mutex_);
  const auto it = modules_.emplace(raw, std::move(module)).first;
  try {
    raw->handle = handle_for<xhal_module_t>(raw);
  } catch (...) {
    modules_.erase(it);
    throw;
  }
  return raw->handle;
}

void Device::destroy(Module& module) {
  for (const auto& kernel : module.kernels) kit::free_handle(kernel->handle);
  kit::free_handle(module.handle);
  std::unique_ptr<Module> last;  // unloads the image, outside of the lock, unless a launch still holds it
  const std::lock_guard lock(objects_mutex_);
  const auto it = modules_.find(&module);
  last = std::move(it->second);
  modules_.erase(it);
}

xhal_kernel_t Device::kernel_of(Module& module, std::string_view name) {
  const KernelCode* code = module.image->find(name);
  if (code == nullptr) return nullptr;
  const std::lock_guard lock(module.mutex);
  for (const auto& kernel : module.kernels) {
    if (&kernel->code == code) return kernel->handle;
  }
  std::unique_ptr<Kernel> kernel(new Kernel{module.device, module.epoch, module.image, *code, nullptr});
  module.kernels.reserve(module.kernels.size() + 1);
  kernel->handle = handle_for<xhal_kernel_t>(kernel.get());
  module.kernels.push_back(std::move(kernel));
  return module.kernels.back()->handle;
}

// ---- Waiting and failing -------------------------------------------------------------------------------------------------------

std::vector<Position> Device::submitted() {
  std::vector<Position> positions;
  const std::lock_guard lock(streams_mutex_);
  positions.reserve(streams_.size());
  for (const auto& [stream, stream_handle] : streams_) {
    const Progress& progress = stream->progress();
    positions.push_back({&progress, progress.submitted()});
  }
  return positions;
}

void Device::add_pending(Memory::Pending& out) {
  const std::lock_guard lock(streams_mutex_);
  out.streams += streams_.size();
  for (const auto& [stream, stream_handle] : streams_) {
    const Progress& progress = stream->progress();
    const uint64_t number = progress.submitted();
    if (!progress.reached(number)) out.push_back({&progress, number});
  }
}

// Waits for all streams even when one has failed: a caller that was told of the failure finds the device at rest.
xhal_result_t Device::synchronize(uint64_t timeout_ns) {
  const uint64_t deadline = deadline_after(scheduler(), timeout_ns);
  const Fault* failure = nullptr;
  bool timed_out = false;
  for (const Position& position : submitted()) {
    const xhal_result_t result = await(*position.progress, position.number, deadline, scheduler());
    timed_out = timed_out || result == XHAL_TIMEOUT;
    if (result < 0 && failure == nullptr) failure = position.progress->fault();
  }
  if (failure != nullptr) return kit::fail(failure->code, "%s", failure->text.c_str());
  return timed_out ? XHAL_TIMEOUT : XHAL_SUCCESS;
}

void Device::failed(const Fault* fault) {
  const Fault* none = nullptr;
  fault_.compare_exchange_strong(none, fault, std::memory_order_acq_rel);
}

void Device::lose() {
  const Fault* const loss = device_was_lost();
  const std::lock_guard lock(streams_mutex_);
  // From here on calls refuse; what got past them before is dropped by the streams.
  lost_.store(loss, std::memory_order_release);
  for (const auto& [stream, stream_handle] : streams_) stream->drop_all(loss);
  failed(loss);
}

void Device::reset() {
  const std::lock_guard resets(reset_mutex_);
  std::vector<Position> dropped;
  {
    const std::lock_guard lock(streams_mutex_);
    dropped.reserve(streams_.size());  // nothing below fails
    instance.memory.new_epoch(index);
    for (const auto& [stream, stream_handle] : streams_) {
      stream->abandon(device_was_reset());
      dropped.push_back({&stream->progress(), stream->progress().submitted()});
    }
  }
  for (const Position& position : dropped) {
    static_cast<void>(await(*position.progress, position.number, kNever, scheduler()));
  }
  // A loss comes wholly before or wholly after this.
  const std::lock_guard lock(streams_mutex_);
  default_stream_->revive();
  fault_.store(nullptr, std::memory_order_release);
  lost_.store(nullptr, std::memory_order_release);
}

// ---- The end -------------------------------------------------------------------------------------------------------------------

void Device::stop() {
  const std::lock_guard lock(streams_mutex_);
  for (auto it = streams_.begin(); it != streams_.end();) {
    auto& [stream, stream_handle] = *it;
    if (stream_handle != nullptr) kit::free_handle(std::exchange(stream_handle, nullptr));
    stream->abandon(instance_was_destroyed());
    if (stream->leave()) {
      ++it;
      continue;
    }
    delete stream;
    it = streams_.erase(it);
  }
  if (default_handle_ != nullptr) kit::free_handle(std::exchange(default_handle_, nullptr));
}

void Device::wait_until_stopped() {
  std::unique_lock lock(streams_mutex_);
  stream_left_.wait(lock, [&] { return streams_.empty(); });
}

// ---- StreamHost ----------------------------------------------------------------------------------------------------------------

Scheduler& Device::scheduler() { return *instance.scheduler; }
ProgressPool& Device::progresses() { return instance.progresses; }
FaultLog& Device::faults() { return instance.faults; }

void Device::went_idle() { instance.memory.reclaim_known(); }

void Device::forget(Stream& stream) {
  const std::lock_guard lock(streams_mutex_);
  streams_.erase(&stream);
  stream_left_.notify_all();
}

StreamHost::Window Device::window() const {
  const sim::Window& window = instance.window;
  return {window.base(), window.size(), window.distance()};
}

}  // namespace xhal::sim
