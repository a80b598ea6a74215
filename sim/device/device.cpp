// SPDX-License-Identifier: Apache-2.0
#include "device/device.hpp"

#include <algorithm>
#include <iterator>
#include <new>
#include <vector>

#include "device/instance.hpp"
#include "device/module_globals.hpp"
#include "engine/scheduler.hpp"
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

// Gives an object its handle and an owner. Under the owner's lock.
template <class Handle, class Object>
Handle keep(std::unordered_map<Object*, std::unique_ptr<Object>>& owner, std::unique_ptr<Object> object) {
  Object* const raw = object.get();
  const auto it = owner.emplace(raw, std::move(object)).first;
  try {
    raw->handle = handle_for<Handle>(raw);
  } catch (...) {
    owner.erase(it);
    throw;
  }
  return raw->handle;
}

// What it returns goes outside of the owner's lock.
template <class Object>
std::unique_ptr<Object> take_out(std::unordered_map<Object*, std::unique_ptr<Object>>& owner,
                                 Object& object) {
  kit::free_handle(object.handle);
  const auto it = owner.find(&object);
  std::unique_ptr<Object> last = std::move(it->second);
  owner.erase(it);
  return last;
}

}  // namespace

DeviceEvent::DeviceEvent(Device& owner, bool takes_time, std::shared_ptr<SharedEvent> with_others,
                         bool imported)
    : Event(owner.epoch(), takes_time, std::move(with_others)), is_imported(imported), device(owner) {}

uint64_t DeviceEvent::native_id() {
  uint64_t id = native_id_.load(std::memory_order_acquire);
  if (id != 0) return id;
  const uint64_t fresh = kit::services().next_id();
  return native_id_.compare_exchange_strong(id, fresh, std::memory_order_acq_rel) ? fresh : id;
}

bool EventList::has_native(uint64_t id) const {
  if (id == 0) return false;
  for (const DeviceEvent* event = first_; event != nullptr; event = event->next_) {
    if (event->native_id_.load(std::memory_order_acquire) == id) return true;
  }
  return false;
}

void EventList::add(DeviceEvent& event) {
  event.next_ = first_;
  if (first_ != nullptr) first_->former_ = &event;
  first_ = &event;
}

void EventList::remove(DeviceEvent& event) {
  if (event.next_ != nullptr) event.next_->former_ = event.former_;
  (event.former_ != nullptr ? event.former_->next_ : first_) = event.next_;
}

Device::Device(Instance& machine, uint32_t number)
    : instance(machine),
      index(number),
      native_id(kit::services().next_id()),
      epoch_(machine.memory.epoch_word(number)),
      activity_(number, machine.id),
      own_context_(kit::services().next_id()),
      context_(own_context_),
      scheduler_(make_scheduler(machine.options.units, machine.options.odd)) {
  auto stream = std::make_unique<Stream>(*this, kit::services().next_id(), Stream::Kind{true, 0});
  default_handle_ = stream->handle = handle_for<xhal_stream_t>(stream.get());
  handle = handle_for<xhal_device_t>(this);
  streams_.emplace(stream.get(), StreamHandles{});
  default_stream_ = stream.release();
}

Device::~Device() {
  while (DeviceEvent* event = events_.first()) {
    events_.remove(*event);
    instance.withdraw(*event);
    kit::free_handle(event->handle);
    event->close();
  }
  for (const auto& [exec, owner] : graph_execs_) kit::free_handle(exec->handle);
  for (const auto& [graph, owner] : graphs_) kit::free_handle(graph->handle);
  for (const auto& [module, owner] : modules_) {
    for (const auto& kernel : module->kernels) kit::free_handle(kernel->handle);
    kit::free_handle(module->handle);
  }
  if (handle != nullptr) kit::free_handle(handle);
}

xhal_result_t Device::activate() {
  if (is_active()) return XHAL_SUCCESS;
  if (const xhal_result_t result = instance.activate(); result < 0) return result;
  const std::lock_guard lock(activate_mutex_);  // a context is given wholly before or not at all
  active_.store(true, std::memory_order_release);
  return XHAL_SUCCESS;
}

// ---- Objects -------------------------------------------------------------------------------------------------------------------

xhal_stream_t Device::make_stream(int32_t priority) {
  auto stream = std::make_unique<Stream>(*this, kit::services().next_id(), Stream::Kind{false, priority});
  const std::lock_guard lock(streams_mutex_);
  const auto it = streams_.emplace(stream.get(), StreamHandles{}).first;
  try {
    it->second.own = stream->handle = handle_for<xhal_stream_t>(stream.get());
  } catch (...) {
    streams_.erase(it);
    throw;
  }
  if (const Fault* loss = lost(); loss != nullptr) stream->drop_all(loss);
  return stream.release()->handle;  // the list owns it
}

void Device::destroy(Stream& stream) {
  {
    const std::lock_guard lock(streams_mutex_);
    destroy_locked(streams_.find(&stream));
  }
  instance.memory.settle_graph_memory();
}

void Device::destroy_locked(Streams::iterator it) {
  Stream* const stream = it->first;
  it->second.free();
  if (stream->leave()) return;
  streams_.erase(it);
  delete stream;
}

void Device::StreamHandles::free() {
  if (own != nullptr) kit::free_handle(std::exchange(own, nullptr));
  for (const xhal_stream_t wrapper : wrappers) kit::free_handle(wrapper);
  wrappers.clear();
  is_native = false;
}

xhal_event_t Device::make_event(bool timed, std::shared_ptr<SharedEvent> with_others, bool imported) {
  auto event = std::make_unique<DeviceEvent>(*this, timed, std::move(with_others), imported);
  event->handle = handle_for<xhal_event_t>(event.get());
  const std::lock_guard lock(objects_mutex_);
  events_.add(*event);
  return event.release()->handle;  // the list holds it
}

void Device::destroy(DeviceEvent& event) {
  kit::free_handle(event.handle);
  instance.withdraw(event);
  {
    const std::lock_guard lock(objects_mutex_);
    events_.remove(event);
  }
  event.close();
  instance.memory.settle_graph_memory();
}

xhal_module_t Device::make_module(std::shared_ptr<const Image> image) {
  std::unique_ptr<Module> module(
      new Module{*this, epoch(), std::move(image), kit::services().next_id(), nullptr, {}, {}});
  const std::lock_guard lock(objects_mutex_);
  return keep<xhal_module_t>(modules_, std::move(module));
}

xhal_graph_t Device::make_graph(GraphNodes nodes) {
  std::unique_ptr<Graph> graph(
      new Graph{*this, epoch(), std::make_shared<const GraphNodes>(std::move(nodes)), nullptr});
  const std::lock_guard lock(objects_mutex_);
  return keep<xhal_graph_t>(graphs_, std::move(graph));
}

void Device::destroy(Graph& graph) {
  std::unique_ptr<Graph> last;
  {
    const std::lock_guard lock(objects_mutex_);
    last = take_out(graphs_, graph);
  }
  last.reset();
  instance.memory.settle_graph_memory();
}

xhal_graph_exec_t Device::make_graph_exec(const Graph& graph) {
  std::unique_ptr<GraphExec> exec(new GraphExec{*this, epoch(), nullptr, {}, graph.nodes, {}});
  const std::lock_guard lock(objects_mutex_);
  return keep<xhal_graph_exec_t>(graph_execs_, std::move(exec));
}

void Device::destroy(GraphExec& exec) {
  std::unique_ptr<GraphExec> last;
  {
    const std::lock_guard lock(objects_mutex_);
    last = take_out(graph_execs_, exec);
  }
  last.reset();
  instance.memory.settle_graph_memory();
}

// A launch in flight needs the image, which is not counted for each of them.
void Device::destroy(Module& module) {
  ModuleGlobals::withdraw(instance.memory, *module.image);
  for (const auto& kernel : module.kernels) kit::free_handle(kernel->handle);
  {
    RetiredImage retired{module.image, {}};
    add_pending(retired.pending);
    std::unique_ptr<Module> last;  // unloads the image, outside of the lock, unless work is pending
    const std::lock_guard lock(objects_mutex_);
    if (!retired.pending.positions.empty()) {
      retired_images_.push_back(std::move(retired));
      retired_count_.store(retired_images_.size(), std::memory_order_relaxed);
    }
    last = take_out(modules_, module);
  }
  instance.memory.settle_graph_memory();
}

void Device::unload_retired() {
  if (retired_count_.load(std::memory_order_relaxed) == 0) return;
  std::vector<RetiredImage> done;  // unloaded outside of the lock
  const std::lock_guard lock(objects_mutex_);
  const auto pending = [](const RetiredImage& retired) {
    return std::ranges::any_of(retired.pending.positions,
                               [](const Position& p) { return !p.progress->reached(p.number); });
  };
  const auto first_done = std::partition(retired_images_.begin(), retired_images_.end(), pending);
  done.assign(std::make_move_iterator(first_done), std::make_move_iterator(retired_images_.end()));
  retired_images_.erase(first_done, retired_images_.end());
  retired_count_.store(retired_images_.size(), std::memory_order_relaxed);
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

// ---- Native handles ------------------------------------------------------------------------------------------------------------

bool Device::set_context(uint64_t id) {
  const std::lock_guard lock(activate_mutex_);
  if (is_active()) return false;
  context_.store(id, std::memory_order_release);
  return true;
}

Stream* Device::find_stream(uint64_t id) const {
  for (const auto& [stream, handles] : streams_) {
    if (stream->id == id && (handles.own != nullptr || handles.is_native)) return stream;
  }
  return nullptr;
}

xhal_stream_t Device::wrap_locked(Stream& stream) {
  auto& wrappers = streams_.at(&stream).wrappers;
  wrappers.reserve(wrappers.size() + 1);
  return wrappers.emplace_back(handle_for<xhal_stream_t>(&stream));
}

xhal_stream_t Device::wrap(uint64_t stream_id) {
  const std::lock_guard lock(streams_mutex_);
  Stream* const stream = find_stream(stream_id);
  return stream != nullptr ? wrap_locked(*stream) : nullptr;
}

xhal_stream_t Device::wrap_default() {
  const std::lock_guard lock(streams_mutex_);
  return wrap_locked(*default_stream_);
}

void Device::destroy_wrapper(Stream& stream, xhal_stream_t wrapper) {
  const std::lock_guard lock(streams_mutex_);
  std::erase(streams_.at(&stream).wrappers, wrapper);
  kit::free_handle(wrapper);
}

uint64_t Device::make_native_stream() {
  auto stream = std::make_unique<Stream>(*this, kit::services().next_id(), Stream::Kind{});
  const std::lock_guard lock(streams_mutex_);
  streams_.emplace(stream.get(), StreamHandles{nullptr, true, {}});
  if (const Fault* loss = lost(); loss != nullptr) stream->drop_all(loss);
  return stream.release()->id;  // the list owns it
}

bool Device::destroy_native_stream(uint64_t id) {
  const std::lock_guard lock(streams_mutex_);
  const auto it = streams_.find(find_stream(id));
  if (it == streams_.end() || !it->second.is_native) return false;
  destroy_locked(it);
  return true;
}

bool Device::has_native_event(uint64_t id) {
  const std::lock_guard lock(objects_mutex_);
  return events_.has_native(id);
}

bool Device::has_native_module(uint64_t id) {
  const std::lock_guard lock(objects_mutex_);
  return std::ranges::any_of(modules_, [&](const auto& entry) { return entry.first->native_id == id; });
}

// ---- Waiting and failing -------------------------------------------------------------------------------------------------------

std::vector<Position> Device::submitted() {
  std::vector<Position> positions;
  const std::lock_guard lock(streams_mutex_);
  positions.reserve(streams_.size());
  for (const auto& [stream, handles] : streams_) {
    const Progress& progress = stream->progress();
    positions.push_back({&progress, progress.submitted()});
  }
  return positions;
}

void Device::add_pending(Memory::Pending& out) {
  const std::lock_guard lock(streams_mutex_);
  out.streams += streams_.size();
  for (const auto& [stream, handles] : streams_) {
    const Progress& progress = stream->progress();
    const uint64_t number = progress.submitted();
    if (!progress.reached(number)) out.push_back({&progress, number});
  }
}

bool Device::begin_idle() {
  streams_mutex_.lock();
  for (const auto& [busy, busy_handle] : streams_) {
    if (busy->begin_idle()) continue;
    for (const auto& [stream, stream_handle] : streams_) {
      stream->end_idle();
      if (stream == busy) break;
    }
    streams_mutex_.unlock();
    return false;
  }
  return true;
}

void Device::end_idle() {
  for (const auto& [stream, stream_handle] : streams_) stream->end_idle();
  streams_mutex_.unlock();
}

// Waits for all streams even when one has failed: a caller that was told of the failure finds the device at rest.
xhal_result_t Device::synchronize(uint64_t timeout_ns) {
  const uint64_t deadline = deadline_after(scheduler(), timeout_ns);
  const ProgressPool::Look look(instance.progresses);
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
  for (const auto& [stream, handles] : streams_) stream->drop_all(loss);
  failed(loss);
  start_withheld();
}

void Device::reset() {
  const std::lock_guard resets(reset_mutex_);
  std::vector<Position> dropped;
  {
    const std::lock_guard lock(streams_mutex_);
    dropped.reserve(streams_.size());  // nothing below fails
    instance.memory.new_epoch(index);
    for (const auto& [stream, handles] : streams_) {
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
    auto& [stream, handles] = *it;
    handles.free();
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
  const StartsWithheld starts;
  std::unique_lock lock(streams_mutex_);
  stream_left_.wait(lock, [&] { return streams_.empty(); });
}

// ---- StreamHost ----------------------------------------------------------------------------------------------------------------

ProgressPool& Device::progresses() { return instance.progresses; }
FaultLog& Device::faults() { return instance.faults; }

void Device::went_idle() {
  instance.memory.reclaim_known();
  unload_retired();
}

void Device::follows(const Position& later, const Position& earlier) {
  instance.memory.follows(later, earlier);
}

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
