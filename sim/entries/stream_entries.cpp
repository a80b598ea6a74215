// SPDX-License-Identifier: Apache-2.0
#include "entries/entry.hpp"
#include "ipc/shared_event.hpp"

namespace xhal::sim {

xhal_result_t tell_refusal(const Stream& stream, xhal_result_t result) {
  if (result == XHAL_ERROR_INVALID_HANDLE) {
    return kit::fail(result,
                     stream.is_default
                         ? "the default stream's device is being reset"
                         : "the stream was made before its device was reset and can only be destroyed");
  }
  if (result == XHAL_ERROR_OUT_OF_HOST_MEMORY) {
    return kit::fail(result, "the system gives no thread for the stream; use fewer streams");
  }
  if (result == XHAL_ERROR_CAPTURE_INVALIDATED || result == XHAL_ERROR_CAPTURE_UNSUPPORTED)
    return kit::refuse_in_capture(result);
  if (result == XHAL_ERROR_LIMIT_EXCEEDED) {
    return kit::fail(
        result,
        "%llu records of the shared event are pending, or %llu processes record it; synchronise first",
        static_cast<unsigned long long>(SharedEvent::kSlots),
        static_cast<unsigned long long>(SharedEvent::kOwners));
  }
  const Fault* fault = stream.progress().fault();
  return kit::fail(result, "%s", fault != nullptr ? fault->text.c_str() : "the stream has failed");
}

xhal_result_t refuse_captured(const Stream& stream) {
  const auto capture = stream.capture();
  return capture == nullptr ? XHAL_SUCCESS : kit::refuse_captured(*capture, "the stream is");
}

xhal_result_t refuse_captured(const Event& event) {
  const auto mark = event.capture_mark();
  return mark == nullptr ? XHAL_SUCCESS : kit::refuse_captured(*mark->capture, "the event was recorded");
}

namespace {

xhal_result_t create(xhal_device_t device, const xhal_stream_desc_t* desc, xhal_stream_t* out_stream) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  xhal_stream_desc_t given = {};
  if (const xhal_result_t result = read_optional("desc", desc, given); result < 0) return result;
  if (out_stream == nullptr) return refuse_null("out_stream");
  if (given.flags != 0)
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "desc->flags is 0x%x, no flag is defined", given.flags);
  if (given.reserved != 0) return refuse_reserved("desc");
  const int32_t most_urgent = greatest_priority(device_of(device));
  if (given.priority < most_urgent || given.priority > kLeastPriority) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                     "desc->priority is %d; the device has %d (most urgent) to %d", given.priority,
                     most_urgent, kLeastPriority);
  }
  return guarded([&] {
    Device& d = device_of(device);
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    *out_stream = d.make_stream(given.priority);
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t destroy(xhal_stream_t stream) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  Stream& s = stream_of(stream);
  const bool is_wrapper = stream != s.handle;
  if (s.is_default && !is_wrapper) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                     "the default stream belongs to its device and is not destroyed");
  }
  return guarded([&] {
    if (is_wrapper) {
      device_of(s).destroy_wrapper(s, stream);
    } else {
      device_of(s).destroy(s);
    }
    return XHAL_SUCCESS;
  });
}

xhal_result_t get_info(xhal_stream_t stream, xhal_stream_info_t* out) {
  if (const xhal_result_t result = check_out("out_info", out); result < 0) return result;
  const Stream& s = stream_of(stream);
  xhal_stream_info_t info = {};
  info.is_foreign = stream != s.handle ? 1 : 0;
  info.is_default = s.is_default && info.is_foreign == 0 ? 1 : 0;
  info.priority = s.priority;
  info.device_index = device_of(s).index;
  info.id = s.id;
  kit::write_struct(info, out);
  return XHAL_SUCCESS;
}

xhal_result_t get_device(xhal_stream_t stream, xhal_device_t* out_device) {
  if (out_device == nullptr) return refuse_null("out_device");
  *out_device = device_of(stream_of(stream)).handle;
  return XHAL_SUCCESS;
}

xhal_result_t query(xhal_stream_t stream) {
  const Stream& s = stream_of(stream);
  if (s.is_stale()) return told(s, XHAL_ERROR_INVALID_HANDLE);
  if (const xhal_result_t result = check_present(device_of(s)); result < 0) return result;
  if (const xhal_result_t result = check_not_captured(s); result < 0) return result;
  const Progress& progress = s.progress();
  const xhal_result_t status = progress.status(progress.submitted());
  if (status == XHAL_NOT_READY) start_withheld();
  return status < 0 ? kit::fail(status, "%s", progress.fault()->text.c_str()) : status;
}

xhal_result_t synchronize(xhal_stream_t stream, uint64_t timeout_ns) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  const Stream& s = stream_of(stream);
  if (s.is_stale()) return told(s, XHAL_ERROR_INVALID_HANDLE);
  if (const xhal_result_t result = check_not_captured(s); result < 0) return result;
  return guarded([&] {
    Scheduler& scheduler = s.host().scheduler();
    const Progress& progress = s.progress();
    const xhal_result_t status =
        await(progress, progress.submitted(), deadline_after(scheduler, timeout_ns), scheduler);
    device_of(s).instance.memory.synchronized(device_of(s).index);
    if (const xhal_result_t result = check_present(device_of(s)); result < 0) return result;
    return status < 0 ? kit::fail(status, "%s", progress.fault()->text.c_str()) : status;
  });
}

xhal_result_t wait_event(xhal_stream_t stream, xhal_event_t event, uint32_t flags) {
  Stream& s = stream_of(stream);
  if (const xhal_result_t result = may_submit(s); result < 0) return result;
  return guarded([&] {
    if (const xhal_result_t result = check_event_flags(s, flags); result < 0) return result;
    const DeviceEvent& e = event_of(event);
    if (const xhal_result_t result = check_epoch(e.device, e.epoch, "event"); result < 0) return result;
    return told(s, s.wait(e, flags != 0));
  });
}

xhal_result_t host_function(xhal_stream_t stream, xhal_host_fn function, void* user) {
  Stream& s = stream_of(stream);
  if (const xhal_result_t result = may_submit(s); result < 0) return result;
  if (function == nullptr) return refuse_null("function");
  return guarded([&] {
    const auto fill = [&](Op& op) { op.make(HostFunctionOp{function, user}); };
    return told(s, s.submit(fill));
  });
}

}  // namespace

void add_stream_entries(xhal_functions_t& functions) {
  functions.stream_create = create;
  functions.stream_destroy = destroy;
  functions.stream_get_info = get_info;
  functions.stream_get_device = get_device;
  functions.stream_query = query;
  functions.stream_synchronize = synchronize;
  functions.stream_wait_event = wait_event;
  functions.stream_host_function = host_function;
}

}  // namespace xhal::sim
