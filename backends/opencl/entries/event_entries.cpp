// SPDX-License-Identifier: Apache-2.0
#include "entries/entry.hpp"

namespace xhal::opencl {
namespace {

constexpr uint32_t kKnownFlags = XHAL_EVENT_TIMING | XHAL_EVENT_BLOCKING | XHAL_EVENT_IPC;

// Under the event's mutex: SUCCESS, NOT_READY, or the failure's code. What is done is not asked again.
xhal_result_t status_of(Event& e) {
  if (const auto mark = e.live_mark(); mark != nullptr)
    return kit::refuse_captured(*mark->capture, "the event was recorded");
  if (e.is_done) return XHAL_SUCCESS;
  const xhal_result_t status = e.current.status();
  e.is_done = status == XHAL_SUCCESS;
  return status < 0 ? e.device->failed(e.current.native_status()) : status;
}

xhal_result_t create(xhal_device_t device, const xhal_event_desc_t* desc, xhal_event_t* out_event) {
  if (kit::in_host_function()) return make_ready(device_of(device));
  xhal_event_desc_t given = {};
  if (const xhal_result_t result = read_optional("desc", desc, given); result < 0) return result;
  if (out_event == nullptr) return refuse_null("out_event");
  if ((given.flags & ~kKnownFlags) != 0)
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "desc->flags is 0x%x, which has unknown bits", given.flags);
  Device& d = device_of(device);
  const bool timed = (given.flags & XHAL_EVENT_TIMING) != 0;
  if ((given.flags & XHAL_EVENT_IPC) != 0)
    return kit::fail(XHAL_ERROR_UNSUPPORTED, "the device does not claim ipc_event");
  if (timed && !claims(d, XHAL_FEATURE_EVENT_TIMING))
    return kit::fail(XHAL_ERROR_UNSUPPORTED, "the device does not claim event_timing");
  return guarded([&] {
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    const std::lock_guard lock(d.mutex);
    d.events.push_front(std::make_shared<Event>());
    Event& event = *d.events.front();
    event.place = d.events.begin();
    event.device = &d;
    event.timed = timed;
    event.handle = kit::make_handle<xhal_event_t>(&event);
    if (event.handle == nullptr) {
      d.events.pop_front();
      throw std::bad_alloc();
    }
    *out_event = event.handle;
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t destroy(xhal_event_t event) {
  return guarded([&] {
    Event& e = event_of(event);
    Device& d = *e.device;
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    kit::free_handle(e.handle);
    std::shared_ptr<Event> destroyed;  // behind the lock: what it holds of a capture may be the last
    const std::lock_guard lock(d.mutex);
    destroyed = std::move(*e.place);
    d.events.erase(e.place);
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t record(xhal_event_t event, xhal_stream_t stream, uint32_t flags) {
  return guarded([&] {
    Event& e = event_of(event);
    const Stream& s = stream_of(stream);
    if (const xhal_result_t result = make_ready(*s.device); result < 0) return result;
    if (const xhal_result_t result = kit::check_event_flags(flags, s.queue->capture() != nullptr); result < 0)
      return result;
    if (e.device != s.device) {
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "the event is of device %u, the stream of device %u",
                       e.device->index, s.device->index);
    }
    return s.queue->record(e, flags != 0);
  });
}

EventRef current_of(Event& e) {
  const std::lock_guard lock(e.mutex);
  return e.current.another();
}

xhal_result_t query(xhal_event_t event) {
  return guarded([&] {
    Event& e = event_of(event);
    const std::lock_guard lock(e.mutex);
    return status_of(e);
  });
}

xhal_result_t synchronize(xhal_event_t event, uint64_t timeout_ns) {
  return guarded([&] {
    Event& e = event_of(event);
    Device& d = *e.device;
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    EventRef current;
    {
      const std::lock_guard lock(e.mutex);
      if (const xhal_result_t status = status_of(e); status != XHAL_NOT_READY) return status;
      current = e.current.another();
    }
    const xhal_result_t status = current.wait(timeout_ns);
    return status < 0 ? d.failed(current.native_status()) : status;
  });
}

xhal_result_t wait(xhal_stream_t stream, xhal_event_t event, uint32_t flags) {
  return guarded([&] {
    const Stream& s = stream_of(stream);
    Event& e = event_of(event);
    if (const xhal_result_t result = make_ready(*s.device); result < 0) return result;
    if (const xhal_result_t result = kit::check_event_flags(flags, s.queue->capture() != nullptr); result < 0)
      return result;
    return s.queue->wait(e, flags != 0);
  });
}

// SUCCESS with the time at which the event's latest generation was done.
xhal_result_t time_of(Event& e, uint64_t& out_ns) {
  const EventRef current = current_of(e);
  if (!current) return kit::fail(XHAL_ERROR_NOT_RECORDED, "the event was never recorded");
  const xhal_result_t status = current.status();
  if (status < 0) return e.device->failed(current.native_status());
  if (status != XHAL_SUCCESS) return status;
  cl_ulong time = 0;
  const cl_int code = e.device->instance->calls->clGetEventProfilingInfo(
      current.get(), CL_PROFILING_COMMAND_END, sizeof(time), &time, nullptr);
  if (code != CL_SUCCESS)
    return kit::fail_native(XHAL_ERROR_INTERNAL, code, "clGetEventProfilingInfo: %s",
                            name_of_error(code).c_str());
  out_ns = time;
  return XHAL_SUCCESS;
}

xhal_result_t get_elapsed(xhal_event_t start, xhal_event_t end, int64_t* out_nanoseconds) {
  if (out_nanoseconds == nullptr) return refuse_null("out_nanoseconds");
  return guarded([&] {
    Event& first = event_of(start);
    Event& second = event_of(end);
    if (!first.timed || !second.timed)
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "both events must be made with XHAL_EVENT_TIMING");
    if (first.device != second.device) {
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "the events are of device %u and of device %u",
                       first.device->index, second.device->index);
    }
    uint64_t times[2] = {};
    const xhal_result_t one = time_of(first, times[0]);
    if (one < 0) return one;
    const xhal_result_t other = time_of(second, times[1]);
    if (other < 0) return other;
    if (one != XHAL_SUCCESS || other != XHAL_SUCCESS) return xhal_result_t{XHAL_NOT_READY};
    *out_nanoseconds = static_cast<int64_t>(times[1] - times[0]);
    return xhal_result_t{XHAL_SUCCESS};
  });
}

}  // namespace

void add_event_entries(xhal_functions_t& functions) {
  functions.event_create = create;
  functions.event_destroy = destroy;
  functions.event_record = record;
  functions.event_query = query;
  functions.event_synchronize = synchronize;
  functions.event_get_elapsed = get_elapsed;
  functions.stream_wait_event = wait;
}

}  // namespace xhal::opencl
