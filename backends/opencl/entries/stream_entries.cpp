// SPDX-License-Identifier: Apache-2.0
#include "entries/entry.hpp"

namespace xhal::opencl {
namespace {

xhal_result_t create(xhal_device_t device, const xhal_stream_desc_t* desc, xhal_stream_t* out_stream) {
  xhal_stream_desc_t given = {};
  if (kit::in_host_function()) return make_ready(device_of(device));
  if (const xhal_result_t result = read_optional("desc", desc, given); result < 0) return result;
  if (out_stream == nullptr) return refuse_null("out_stream");
  if (given.flags != 0)
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "desc->flags is 0x%x, no flag is defined", given.flags);
  if (given.priority != 0) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "desc->priority is %d, the device has no other than 0",
                     given.priority);
  }
  if (given.reserved != 0) return refuse_reserved("desc");
  return guarded([&] {
    Device& d = device_of(device);
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    return d.make_stream(out_stream);
  });
}

xhal_result_t destroy(xhal_stream_t stream) {
  return guarded([&] {
    Stream& s = stream_of(stream);
    if (const xhal_result_t result = make_ready(*s.device); result < 0) return result;
    if (s.is_default)
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "the default stream belongs to its device");
    s.device->destroy(s);
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t get_info(xhal_stream_t stream, xhal_stream_info_t* out) {
  if (const xhal_result_t result = check_out("out_info", out); result < 0) return result;
  const Stream& s = stream_of(stream);
  xhal_stream_info_t info = {};
  info.is_default = s.is_default ? 1 : 0;
  info.device_index = s.device->index;
  info.id = s.id;
  kit::write_struct(info, out);
  return XHAL_SUCCESS;
}

xhal_result_t get_device(xhal_stream_t stream, xhal_device_t* out_device) {
  if (out_device == nullptr) return refuse_null("out_device");
  *out_device = stream_of(stream).device->handle;
  return XHAL_SUCCESS;
}

// [XHAL-GRAPH-5]
xhal_result_t check_not_captured(const Stream& stream) {
  const auto capture = stream.queue->capture();
  return capture == nullptr ? XHAL_SUCCESS : kit::refuse_captured(*capture, "the stream is");
}

xhal_result_t query(xhal_stream_t stream) {
  return guarded([&] {
    const Stream& s = stream_of(stream);
    const xhal_result_t result = check_not_captured(s);
    return result < 0 ? result : s.queue->query();
  });
}

xhal_result_t synchronize(xhal_stream_t stream, uint64_t timeout_ns) {
  return guarded([&] {
    const Stream& s = stream_of(stream);
    if (const xhal_result_t result = make_ready(*s.device); result < 0) return result;
    if (const xhal_result_t result = check_not_captured(s); result < 0) return result;
    if (s.queue->is_idle()) return xhal_result_t{XHAL_SUCCESS};
    // The stream may be destroyed while the caller waits.
    const std::shared_ptr<Queue> queue = s.queue;
    return queue->synchronize(timeout_ns);
  });
}

xhal_result_t host_function(xhal_stream_t stream, xhal_host_fn function, void* user) {
  return guarded([&] {
    const Stream& s = stream_of(stream);
    if (const xhal_result_t result = make_ready(*s.device); result < 0) return result;
    if (function == nullptr) return refuse_null("function");
    return s.queue->host_function(function, user);
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
  functions.stream_host_function = host_function;
}

}  // namespace xhal::opencl
