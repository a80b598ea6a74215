// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "entries/entry.hpp"
#include "ipc/shared_event.hpp"

namespace xhal::sim {
namespace {

constexpr uint32_t kEventFlags = XHAL_EVENT_TIMING | XHAL_EVENT_BLOCKING | XHAL_EVENT_IPC;

xhal_result_t create(xhal_device_t device, const xhal_event_desc_t* desc, xhal_event_t* out_event) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  xhal_event_desc_t given = {};
  if (const xhal_result_t result = read_optional("desc", desc, given); result < 0) return result;
  if (out_event == nullptr) return refuse_null("out_event");
  if ((given.flags & ~kEventFlags) != 0) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "desc->flags is 0x%x, the defined bits are 0x%x",
                     given.flags, kEventFlags);
  }
  const bool timed = (given.flags & XHAL_EVENT_TIMING) != 0;
  const bool shared = (given.flags & XHAL_EVENT_IPC) != 0;
  if (shared) {
    if (const xhal_result_t result = check_claimed(device_of(device), XHAL_FEATURE_IPC_EVENT, "ipc_event");
        result < 0)
      return result;
  }
  if (timed) {
    if (const xhal_result_t result =
            check_claimed(device_of(device), XHAL_FEATURE_EVENT_TIMING, "event_timing");
        result < 0)
      return result;
  }
  if (timed && shared) {
    return kit::fail(
        XHAL_ERROR_UNSUPPORTED,
        "an event of several processes takes no times; leave XHAL_EVENT_TIMING or XHAL_EVENT_IPC away");
  }
  return guarded([&] {
    Device& d = device_of(device);
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    std::shared_ptr<SharedEvent> with_others;
    if (shared) {
      std::string why;
      with_others = SharedEvent::make(d.instance.event_watcher, why);
      if (with_others == nullptr) return kit::fail(XHAL_ERROR_OUT_OF_HOST_MEMORY, "%s", why.c_str());
    }
    *out_event = d.make_event(timed, std::move(with_others));
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t destroy(xhal_event_t event) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  return guarded([&] {
    DeviceEvent& e = event_of(event);
    e.device.destroy(e);
    return XHAL_SUCCESS;
  });
}

xhal_result_t record(xhal_event_t event, xhal_stream_t stream, uint32_t flags) {
  Stream& s = stream_of(stream);
  if (const xhal_result_t result = may_submit(s); result < 0) return result;
  return guarded([&] {
    if (const xhal_result_t result = check_event_flags(s, flags); result < 0) return result;
    DeviceEvent& e = event_of(event);
    if (&e.device != &device_of(s)) {
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "the event is of device %u, the stream of device %u",
                       e.device.index, device_of(s).index);
    }
    if (const xhal_result_t result = check_epoch(e.device, e.epoch, "event"); result < 0) return result;
    return told(s, s.record(e, flags != 0));
  });
}

xhal_result_t failure_of(const Position& position, xhal_result_t status) {
  return status < 0 ? kit::fail(status, "%s", position.progress->fault()->text.c_str()) : status;
}

xhal_result_t query(xhal_event_t event) {
  const DeviceEvent& e = event_of(event);
  if (const xhal_result_t result = check_epoch(e.device, e.epoch, "event"); result < 0) return result;
  if (const xhal_result_t result = check_present(e.device); result < 0) return result;
  if (const xhal_result_t result = check_not_captured(e); result < 0) return result;
  return guarded([&] {
    const Position position = e.current();
    if (position.progress == nullptr) return xhal_result_t{XHAL_SUCCESS};
    const xhal_result_t status = position.progress->status(position.number);
    if (status == XHAL_NOT_READY) start_withheld();
    return failure_of(position, status);
  });
}

xhal_result_t synchronize(xhal_event_t event, uint64_t timeout_ns) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  const DeviceEvent& e = event_of(event);
  if (const xhal_result_t result = check_epoch(e.device, e.epoch, "event"); result < 0) return result;
  if (const xhal_result_t result = check_not_captured(e); result < 0) return result;
  return guarded([&] {
    const Position position = e.current();
    if (position.progress == nullptr) return check_present(e.device);
    Scheduler& scheduler = e.device.scheduler();
    const xhal_result_t status =
        await(*position.progress, position.number, deadline_after(scheduler, timeout_ns), scheduler);
    e.device.instance.memory.synchronized(e.device.index);
    if (const xhal_result_t result = check_present(e.device); result < 0) return result;
    return failure_of(position, status);
  });
}

// SUCCESS with the time of the event's latest generation, NOT_READY, or why there is none.
xhal_result_t time_of(const DeviceEvent& e, uint64_t& out_ns) {
  const Position position = e.current();
  if (position.progress == nullptr) return kit::fail(XHAL_ERROR_NOT_RECORDED, "the event was never recorded");
  const xhal_result_t status = position.progress->status(position.number);
  if (status != XHAL_SUCCESS) return failure_of(position, status);
  const std::optional<uint64_t> time = e.time();
  if (!time.has_value()) return XHAL_NOT_READY;  // recorded anew since
  out_ns = *time;
  return XHAL_SUCCESS;
}

xhal_result_t get_elapsed(xhal_event_t start, xhal_event_t end, int64_t* out_nanoseconds) {
  if (out_nanoseconds == nullptr) return refuse_null("out_nanoseconds");
  return guarded([&] {
    const DeviceEvent* const events[] = {&event_of(start), &event_of(end)};
    for (const DeviceEvent* e : events) {
      if (const xhal_result_t result = check_epoch(e->device, e->epoch, "event"); result < 0) return result;
      if (const xhal_result_t result = check_present(e->device); result < 0) return result;
    }
    if (!events[0]->timed || !events[1]->timed) {
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "both events must be made with XHAL_EVENT_TIMING");
    }
    if (&events[0]->device != &events[1]->device) {
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "the events are of device %u and of device %u",
                       events[0]->device.index, events[1]->device.index);
    }
    uint64_t times[2] = {};
    xhal_result_t pending = XHAL_SUCCESS;
    for (int i = 0; i < 2; ++i) {
      const xhal_result_t result = time_of(*events[i], times[i]);
      if (result < 0) return result;
      if (result != XHAL_SUCCESS) pending = result;
    }
    if (pending != XHAL_SUCCESS) {
      start_withheld();
      return pending;
    }
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
}

}  // namespace xhal::sim
