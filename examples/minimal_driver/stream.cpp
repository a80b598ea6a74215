// SPDX-License-Identifier: Apache-2.0
// Streams, events, host functions. An operation is done when its call returns, so only a caller in another thread can be waited for.
#include <chrono>
#include <new>
#include <thread>

#include "minimal.hpp"
#include "xhal/kit/driver.hpp"
#include "xhal/kit/handles.hpp"
#include "xhal/kit/structs.hpp"

namespace minimal {

using namespace xhal::kit;

namespace {

xhal_result_t forbidden() {
  return fail(XHAL_ERROR_CALL_FORBIDDEN, "this call may not be made inside a host function");
}

// Until no other thread is in the stream, or the time has passed.
xhal_result_t drain(const Stream& stream, uint64_t timeout_ns) {
  const auto begin = std::chrono::steady_clock::now();
  while (stream.pending != 0) {
    const auto passed = static_cast<uint64_t>((std::chrono::steady_clock::now() - begin).count());
    if (passed >= timeout_ns) return XHAL_TIMEOUT;
    std::this_thread::yield();
  }
  return XHAL_SUCCESS;
}

template <class Object, class Handle>
void forget(Device& device, std::set<Object*>& set, Object* object, Handle handle) {
  {
    const std::lock_guard lock(device.mutex);
    set.erase(object);
  }
  free_handle(handle);
  delete object;
}

}  // namespace

xhal_result_t device_synchronize(xhal_device_t handle, uint64_t timeout_ns) {
  if (in_host_function()) return forbidden();
  Device& device = *object_of<Device>(handle);
  activate(device);
  const std::lock_guard lock(device.mutex);
  xhal_result_t result = drain(device.default_stream, timeout_ns);
  for (const Stream* stream : device.streams) {
    if (result == XHAL_SUCCESS) result = drain(*stream, timeout_ns);
  }
  return result;
}

xhal_result_t get_default_stream(xhal_device_t handle, xhal_stream_t* out) {
  if (out == nullptr) return XHAL_ERROR_INVALID_ARGUMENT;
  Device& device = *object_of<Device>(handle);
  activate(device);
  *out = device.default_stream.handle;
  return XHAL_SUCCESS;
}

xhal_result_t stream_create(xhal_device_t handle, const xhal_stream_desc_t* in, xhal_stream_t* out) {
  xhal_stream_desc_t desc{};
  if (const xhal_result_t result = read_optional_struct(in, desc); result < 0) return result;
  if (out == nullptr || desc.flags != 0) return XHAL_ERROR_INVALID_ARGUMENT;
  if (desc.priority != 0)
    return fail(XHAL_ERROR_INVALID_ARGUMENT, "priority %d is outside of the range 0 to 0", desc.priority);
  Device& device = *object_of<Device>(handle);
  activate(device);
  auto stream = std::unique_ptr<Stream>(new (std::nothrow) Stream);
  if (stream == nullptr) return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  stream->device = &device;
  stream->id = services().next_id();
  stream->handle = make_handle<xhal_stream_t>(stream.get());
  if (stream->handle == nullptr) return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  *out = stream->handle;
  const std::lock_guard lock(device.mutex);
  device.streams.insert(stream.release());
  return XHAL_SUCCESS;
}

xhal_result_t stream_destroy(xhal_stream_t handle) {
  auto* stream = object_of<Stream>(handle);
  if (stream->is_default)
    return fail(XHAL_ERROR_INVALID_ARGUMENT, "the default stream belongs to its device");
  forget(*stream->device, stream->device->streams, stream, handle);
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
  *out = object_of<Stream>(handle)->device->handle;
  return XHAL_SUCCESS;
}

xhal_result_t stream_query(xhal_stream_t handle) {
  return object_of<Stream>(handle)->pending == 0 ? XHAL_SUCCESS : XHAL_NOT_READY;
}

xhal_result_t stream_synchronize(xhal_stream_t handle, uint64_t timeout_ns) {
  if (in_host_function()) return forbidden();
  return drain(*object_of<Stream>(handle), timeout_ns);
}

xhal_result_t stream_wait_event(xhal_stream_t, xhal_event_t, uint32_t flags) {
  if (in_host_function()) return forbidden();
  return flags == 0 ? XHAL_SUCCESS : XHAL_ERROR_INVALID_ARGUMENT;  // whatever was recorded is done
}

xhal_result_t stream_host_function(xhal_stream_t handle, xhal_host_fn function, void* user) {
  if (in_host_function()) return forbidden();
  if (function == nullptr) return fail(XHAL_ERROR_INVALID_ARGUMENT, "the function is null");
  Stream& stream = *object_of<Stream>(handle);
  activate(*stream.device);
  ++stream.pending;
  {
    const std::lock_guard turn(stream.turn);
    run_host_function(function, user, XHAL_SUCCESS);
  }
  --stream.pending;
  return XHAL_SUCCESS;
}

xhal_result_t event_create(xhal_device_t handle, const xhal_event_desc_t* in, xhal_event_t* out) {
  xhal_event_desc_t desc{};
  if (const xhal_result_t result = read_optional_struct(in, desc); result < 0) return result;
  constexpr uint32_t kKnown = XHAL_EVENT_TIMING | XHAL_EVENT_BLOCKING | XHAL_EVENT_IPC;
  if (out == nullptr || (desc.flags & ~kKnown) != 0) return XHAL_ERROR_INVALID_ARGUMENT;
  if ((desc.flags & (XHAL_EVENT_TIMING | XHAL_EVENT_IPC)) != 0) {
    return fail(XHAL_ERROR_UNSUPPORTED, "the minimal device has events without timing, inside one process");
  }
  Device& device = *object_of<Device>(handle);
  activate(device);
  auto event = std::unique_ptr<Event>(new (std::nothrow) Event);
  if (event == nullptr) return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  event->device = &device;
  event->handle = make_handle<xhal_event_t>(event.get());
  if (event->handle == nullptr) return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  *out = event->handle;
  const std::lock_guard lock(device.mutex);
  device.events.insert(event.release());
  return XHAL_SUCCESS;
}

xhal_result_t event_record(xhal_event_t, xhal_stream_t handle, uint32_t flags) {
  if (in_host_function()) return forbidden();
  if (flags != 0) return fail(XHAL_ERROR_INVALID_ARGUMENT, "an external record needs a capture");
  // Behind whatever another thread is doing in the stream; after it, all of the stream is done.
  const std::lock_guard turn(object_of<Stream>(handle)->turn);
  return XHAL_SUCCESS;
}

xhal_result_t event_destroy(xhal_event_t handle) {
  auto* event = object_of<Event>(handle);
  forget(*event->device, event->device->events, event, handle);
  return XHAL_SUCCESS;
}

xhal_result_t event_query(xhal_event_t) { return XHAL_SUCCESS; }

xhal_result_t event_synchronize(xhal_event_t, uint64_t) {
  return in_host_function() ? forbidden() : XHAL_SUCCESS;
}

xhal_result_t event_get_elapsed(xhal_event_t, xhal_event_t, int64_t*) {
  return fail(XHAL_ERROR_INVALID_ARGUMENT, "the minimal device has events without timing");
}

}  // namespace minimal
