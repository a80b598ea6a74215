// SPDX-License-Identifier: Apache-2.0
// Streams, events, host functions. An operation is done when its call returns, so only a caller in another thread can be waited for.
#include <chrono>
#include <optional>

#include "minimal.hpp"
#include "xhal/kit/structs.hpp"

namespace minimal {

using namespace xhal::kit;

namespace {

// The moment at which a wait gives up; none for one that does not.
class Deadline {
 public:
  explicit Deadline(uint64_t timeout_ns) {
    constexpr uint64_t kLongest = uint64_t{1} << 60;  // 36 years; what is later does not fit into the clock
    if (timeout_ns < kLongest)
      moment_ = std::chrono::steady_clock::now() + std::chrono::nanoseconds(timeout_ns);
  }
  // Waits on the device until `is_done()`, which it asks under the device's mutex.
  template <class Condition>
  xhal_result_t wait(Device& device, std::unique_lock<std::mutex>& lock, Condition is_done) const {
    if (!moment_) {
      device.changed.wait(lock, is_done);
      return XHAL_SUCCESS;
    }
    return device.changed.wait_until(lock, *moment_, is_done) ? XHAL_SUCCESS : XHAL_TIMEOUT;
  }

 private:
  std::optional<std::chrono::steady_clock::time_point> moment_;
};

}  // namespace

Operation::Operation(Stream& stream) : device_(*stream.device), queue_(stream.queue) {
  activate(device_);
  const std::lock_guard lock(device_.mutex);
  device_.unfinished.insert(device_.next_operation);
  number_ = device_.next_operation++;
  turn_ = queue_->submitted++;
}

void Operation::wait_for_turn() {
  std::unique_lock lock(device_.mutex);
  device_.changed.wait(lock, [&] { return queue_->done == turn_; });
}

Operation::~Operation() {
  const std::lock_guard lock(device_.mutex);
  ++queue_->done;
  device_.unfinished.erase(number_);
  const uint64_t oldest = device_.unfinished.empty() ? device_.next_operation : *device_.unfinished.begin();
  std::erase_if(device_.freed, [&](const Freed& one) { return one.before <= oldest; });
  device_.changed.notify_all();
}

xhal_result_t device_synchronize(xhal_device_t handle, uint64_t timeout_ns) {
  if (const xhal_result_t result = may_call(); result < 0) return result;
  const Deadline deadline(timeout_ns);
  Device& device = *object_of<Device>(handle);
  activate(device);
  std::unique_lock lock(device.mutex);
  return deadline.wait(device, lock, [&device, until = device.next_operation] {
    return device.unfinished.empty() || *device.unfinished.begin() >= until;
  });
}

xhal_result_t get_default_stream(xhal_device_t handle, xhal_stream_t* out) {
  if (out == nullptr) return XHAL_ERROR_INVALID_ARGUMENT;
  Device& device = *object_of<Device>(handle);
  activate(device);
  *out = device.default_stream.handle.get();
  return XHAL_SUCCESS;
}

xhal_result_t stream_create(xhal_device_t handle, const xhal_stream_desc_t* in, xhal_stream_t* out) {
  if (const xhal_result_t result = may_call(); result < 0) return result;
  xhal_stream_desc_t desc{};
  if (const xhal_result_t result = read_optional_struct(in, desc); result < 0) return result;
  if (out == nullptr || desc.flags != 0) return XHAL_ERROR_INVALID_ARGUMENT;
  if (desc.priority != 0)
    return fail(XHAL_ERROR_INVALID_ARGUMENT, "priority %d is outside of the range 0 to 0", desc.priority);
  Device& device = *object_of<Device>(handle);
  activate(device);
  auto stream = std::make_unique<Stream>();
  stream->device = &device;
  stream->id = services().next_id();
  if (!stream->handle.make(stream.get())) return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  const xhal_stream_t made = stream->handle.get();
  const std::lock_guard lock(device.mutex);
  device.streams.emplace(stream.get(), std::move(stream));
  *out = made;
  return XHAL_SUCCESS;
}

xhal_result_t stream_destroy(xhal_stream_t handle) {
  if (const xhal_result_t result = may_call(); result < 0) return result;
  auto* stream = object_of<Stream>(handle);
  if (stream->is_default)
    return fail(XHAL_ERROR_INVALID_ARGUMENT, "the default stream belongs to its device");
  // What other threads still do in it goes on: it needs the queue and the device alone. [XHAL-STREAM-6]
  const std::lock_guard lock(stream->device->mutex);
  stream->device->streams.erase(stream);
  return XHAL_SUCCESS;
}

xhal_result_t stream_get_info(xhal_stream_t handle, xhal_stream_info_t* out) {
  if (const xhal_result_t result = check_out_struct(out); result < 0) return result;
  const auto& stream = *object_of<Stream>(handle);
  xhal_stream_info_t info{};
  info.is_default = stream.is_default ? 1 : 0;
  info.id = stream.id;
  write_struct(info, out);
  return XHAL_SUCCESS;
}

xhal_result_t stream_get_device(xhal_stream_t handle, xhal_device_t* out) {
  if (out == nullptr) return XHAL_ERROR_INVALID_ARGUMENT;
  *out = object_of<Stream>(handle)->device->handle.get();
  return XHAL_SUCCESS;
}

xhal_result_t stream_query(xhal_stream_t handle) {
  const Stream& stream = *object_of<Stream>(handle);
  const std::lock_guard lock(stream.device->mutex);
  return stream.queue->done == stream.queue->submitted ? XHAL_SUCCESS : XHAL_NOT_READY;
}

xhal_result_t stream_synchronize(xhal_stream_t handle, uint64_t timeout_ns) {
  if (const xhal_result_t result = may_call(); result < 0) return result;
  const Deadline deadline(timeout_ns);
  const Stream& stream = *object_of<Stream>(handle);
  const std::shared_ptr<Queue> queue = stream.queue;
  std::unique_lock lock(stream.device->mutex);
  return deadline.wait(*stream.device, lock,
                       [queue, until = queue->submitted] { return queue->done >= until; });
}

xhal_result_t stream_wait_event(xhal_stream_t, xhal_event_t, uint32_t flags) {
  if (const xhal_result_t result = may_call(); result < 0) return result;
  return flags == 0 ? XHAL_SUCCESS : XHAL_ERROR_INVALID_ARGUMENT;  // whatever was recorded is done
}

xhal_result_t stream_host_function(xhal_stream_t handle, xhal_host_fn function, void* user) {
  if (const xhal_result_t result = may_call(); result < 0) return result;
  if (function == nullptr) return fail(XHAL_ERROR_INVALID_ARGUMENT, "the function is null");
  Operation operation(*object_of<Stream>(handle));
  operation.wait_for_turn();
  run_host_function(function, user, XHAL_SUCCESS);
  return XHAL_SUCCESS;
}

xhal_result_t event_create(xhal_device_t handle, const xhal_event_desc_t* in, xhal_event_t* out) {
  if (const xhal_result_t result = may_call(); result < 0) return result;
  xhal_event_desc_t desc{};
  if (const xhal_result_t result = read_optional_struct(in, desc); result < 0) return result;
  constexpr uint32_t kKnown = XHAL_EVENT_TIMING | XHAL_EVENT_BLOCKING | XHAL_EVENT_IPC;
  if (out == nullptr || (desc.flags & ~kKnown) != 0) return XHAL_ERROR_INVALID_ARGUMENT;
  if ((desc.flags & (XHAL_EVENT_TIMING | XHAL_EVENT_IPC)) != 0) {
    return fail(XHAL_ERROR_UNSUPPORTED, "the minimal device has events without timing, inside one process");
  }
  Device& device = *object_of<Device>(handle);
  activate(device);
  auto event = std::make_unique<Event>();
  event->device = &device;
  if (!event->handle.make(event.get())) return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  const xhal_event_t made = event->handle.get();
  const std::lock_guard lock(device.mutex);
  device.events.emplace(event.get(), std::move(event));
  *out = made;
  return XHAL_SUCCESS;
}

xhal_result_t event_record(xhal_event_t, xhal_stream_t handle, uint32_t flags) {
  if (const xhal_result_t result = may_call(); result < 0) return result;
  if (flags != 0) return fail(XHAL_ERROR_INVALID_ARGUMENT, "an external record needs a capture");
  // Behind whatever other threads are doing in the stream; after it, the event is done for good.
  Operation operation(*object_of<Stream>(handle));
  operation.wait_for_turn();
  return XHAL_SUCCESS;
}

xhal_result_t event_destroy(xhal_event_t handle) {
  if (const xhal_result_t result = may_call(); result < 0) return result;
  auto* event = object_of<Event>(handle);
  const std::lock_guard lock(event->device->mutex);
  event->device->events.erase(event);
  return XHAL_SUCCESS;
}

xhal_result_t event_query(xhal_event_t) { return XHAL_SUCCESS; }

xhal_result_t event_synchronize(xhal_event_t, uint64_t) { return may_call(); }

xhal_result_t event_get_elapsed(xhal_event_t, xhal_event_t, int64_t*) {
  return fail(XHAL_ERROR_INVALID_ARGUMENT, "the minimal device has events without timing");
}

}  // namespace minimal
