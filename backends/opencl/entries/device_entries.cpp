// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>

#include "device/notes.hpp"
#include "entries/entry.hpp"

namespace xhal::opencl {
namespace {

xhal_result_t get_properties(xhal_device_t device, xhal_device_properties_t* out) {
  if (const xhal_result_t result = check_out("out_properties", out); result < 0) return result;
  kit::write_struct(device_of(device).properties, out);
  return XHAL_SUCCESS;
}

xhal_result_t has_feature(xhal_device_t device, uint32_t feature, uint32_t* out_claimed) {
  if (out_claimed == nullptr) return refuse_null("out_claimed");
  *out_claimed = claims(device_of(device), feature) ? 1 : 0;
  return XHAL_SUCCESS;
}

xhal_result_t get_image_formats(xhal_device_t device, uint32_t capacity, uint32_t stride,
                                xhal_image_format_t* out, uint32_t* out_count) {
  return guarded([&] {
    const std::vector<xhal_image_format_t> formats = image_formats(device_of(device));
    return kit::enumerate_structs("out_formats", capacity, stride, out, out_count,
                                  static_cast<uint32_t>(formats.size()),
                                  [&](uint32_t i) { return formats[i]; });
  });
}

xhal_result_t get_notes(xhal_device_t device, uint32_t capacity, uint32_t stride, xhal_device_note_t* out,
                        uint32_t* out_count) {
  return guarded([&] {
    const std::vector<xhal_device_note_t> notes = notes_of(device_of(device).facts);
    return kit::enumerate_structs("out_notes", capacity, stride, out, out_count,
                                  static_cast<uint32_t>(notes.size()), [&](uint32_t i) { return notes[i]; });
  });
}

xhal_result_t is_active(xhal_device_t device, uint32_t* out_active) {
  if (out_active == nullptr) return refuse_null("out_active");
  *out_active = device_of(device).active ? 1 : 0;
  return XHAL_SUCCESS;
}

xhal_result_t get_memory_info(xhal_device_t device, xhal_memory_info_t* out) {
  if (const xhal_result_t result = check_out("out_info", out); result < 0) return result;
  return guarded([&] {
    Device& d = device_of(device);
    d.instance->memory.reclaim();
    xhal_memory_info_t info = {};
    info.total_bytes = d.facts.memory_bytes;
    info.free_bytes = info.total_bytes - std::min(info.total_bytes, d.used_bytes.load());
    kit::write_struct(info, out);
    return XHAL_SUCCESS;
  });
}

xhal_result_t get_link(xhal_device_t device, xhal_device_t peer, xhal_link_t* out) {
  if (const xhal_result_t result = check_out("out_link", out); result < 0) return result;
  const Device& one = device_of(device);
  const Device& other = device_of(peer);
  xhal_link_t link = {};
  if (&one == &other) {
    link.kind = XHAL_LINK_SELF;
    link.direct_copy = 1;
  } else if (one.platform == other.platform && one.properties.kind == XHAL_DEVICE_KIND_CPU) {
    link.kind = XHAL_LINK_HOST_MEMORY;
    link.direct_copy = 1;
  }
  kit::write_struct(link, out);
  return XHAL_SUCCESS;
}

xhal_result_t synchronize(xhal_device_t device, uint64_t timeout_ns) {
  return guarded([&] {
    Device& d = device_of(device);
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    if (const xhal_result_t result = d.instance->captures.check_unsafe_call("waiting for a device");
        result < 0)
      return result;
    const Deadline deadline(timeout_ns);
    std::vector<EventRef> pending;
    for (const auto& queue : d.queues()) {
      if (EventRef last = queue->under_way(); last) pending.push_back(std::move(last));
    }
    for (const EventRef& last : pending) {
      const xhal_result_t result = last.wait(deadline.left_ns());
      if (result < 0) return d.failed(last.native_status());
      if (result != XHAL_SUCCESS) return result;
    }
    d.instance->memory.reclaim();
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t get_default_stream(xhal_device_t device, xhal_stream_t* out_stream) {
  if (out_stream == nullptr) return refuse_null("out_stream");
  return guarded([&] {
    Device& d = device_of(device);
    // Asking is allowed in a host function, which runs on a device that is active.
    if (!d.active) {
      if (const xhal_result_t result = make_ready(d); result < 0) return result;
    }
    *out_stream = d.default_stream->handle;
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t get_fault(xhal_device_t device, xhal_fault_t* out) {
  if (const xhal_result_t result = check_out("out_fault", out); result < 0) return result;
  return guarded([&] {
    Device& d = device_of(device);
    xhal_fault_t fault = {};
    fault.scope = d.properties.fault_scope;
    fault.recovery = d.properties.fault_recovery;
    const std::lock_guard lock(d.fault_mutex);
    fault.code = d.fault_code;
    fault.native_code = d.fault_native;
    std::snprintf(fault.text, sizeof(fault.text), "%s", d.fault_text.c_str());
    kit::write_struct(fault, out);
    return XHAL_SUCCESS;
  });
}

xhal_result_t reset(xhal_device_t device) {
  if (const xhal_result_t result = make_ready(device_of(device)); result < 0) return result;
  return kit::fail(XHAL_ERROR_UNSUPPORTED, "OpenCL has no reset of a device");
}

}  // namespace

void add_device_entries(xhal_functions_t& functions) {
  functions.device_get_properties = get_properties;
  functions.device_has_feature = has_feature;
  functions.device_get_image_formats = get_image_formats;
  functions.device_get_notes = get_notes;
  functions.device_is_active = is_active;
  functions.device_get_memory_info = get_memory_info;
  functions.device_get_link = get_link;
  functions.device_synchronize = synchronize;
  functions.device_get_default_stream = get_default_stream;
  functions.device_get_fault = get_fault;
  functions.device_reset = reset;
}

}  // namespace xhal::opencl
