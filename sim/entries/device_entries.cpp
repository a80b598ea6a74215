// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include "device/notes.hpp"
#include "device/properties.hpp"
#include "entries/entry.hpp"
#include "kernels/cpu_level.hpp"

namespace xhal::sim {
namespace {

constexpr char kNativeFormat[] = "native";
constexpr char kBuiltinFormat[] = "builtin";

xhal_result_t get_properties(xhal_device_t device, xhal_device_properties_t* out) {
  if (const xhal_result_t result = check_out("out_properties", out); result < 0) return result;
  return guarded([&] {
    kit::write_struct(properties_of(device_of(device)), out);
    return XHAL_SUCCESS;
  });
}

xhal_result_t has_feature(xhal_device_t device, uint32_t feature, uint32_t* out_claimed) {
  if (out_claimed == nullptr) return refuse_null("out_claimed");
  *out_claimed = claims(device_of(device), feature) ? 1 : 0;
  return XHAL_SUCCESS;
}

xhal_result_t get_image_formats(xhal_device_t device, uint32_t capacity, uint32_t stride,
                                xhal_image_format_t* out_formats, uint32_t* out_count) {
  const auto targets = claims(device_of(device), XHAL_FEATURE_KERNEL)
                           ? usable_targets(device_of(device).instance.options.level)
                           : std::span<const std::string_view>();
  const uint32_t builtins = claims(device_of(device), XHAL_FEATURE_BUILTIN_KERNELS) ? 1 : 0;
  const auto count = static_cast<uint32_t>(targets.size()) + builtins;
  return kit::enumerate_structs(
      "out_formats", capacity, stride, out_formats, out_count, count, [&](uint32_t i) {
        xhal_image_format_t format = {};
        // Built-in kernels last: a host that brings images prefers them.
        const bool is_builtin = i == targets.size();
        const std::string_view target = is_builtin ? std::string_view() : targets[i];
        std::snprintf(format.format, sizeof(format.format), "%s",
                      is_builtin ? kBuiltinFormat : kNativeFormat);
        std::snprintf(format.target, sizeof(format.target), "%.*s", static_cast<int>(target.size()),
                      target.data());
        return format;
      });
}

xhal_result_t get_notes(xhal_device_t device, uint32_t capacity, uint32_t stride,
                        xhal_device_note_t* out_notes, uint32_t* out_count) {
  return guarded([&] {
    const std::vector<xhal_device_note_t> notes = notes_of(device_of(device).instance.options);
    return kit::enumerate_structs("out_notes", capacity, stride, out_notes, out_count,
                                  static_cast<uint32_t>(notes.size()), [&](uint32_t i) { return notes[i]; });
  });
}

xhal_result_t is_active(xhal_device_t device, uint32_t* out_active) {
  if (out_active == nullptr) return refuse_null("out_active");
  *out_active = device_of(device).is_active() ? 1 : 0;
  return XHAL_SUCCESS;
}

xhal_result_t get_memory_info(xhal_device_t device, xhal_memory_info_t* out) {
  if (const xhal_result_t result = check_out("out_info", out); result < 0) return result;
  return guarded([&] {
    Device& d = device_of(device);
    if (const xhal_result_t result = check_present(d); result < 0) return result;
    const Memory::Info info = d.instance.memory.info(d.index);
    xhal_memory_info_t value = {};
    value.free_bytes = info.free_bytes;
    value.total_bytes = info.total_bytes;
    kit::write_struct(value, out);
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t get_link(xhal_device_t device, xhal_device_t peer, xhal_link_t* out) {
  if (const xhal_result_t result = check_out("out_link", out); result < 0) return result;
  const bool self = &device_of(device) == &device_of(peer);
  xhal_link_t link = {};
  link.kind = self ? XHAL_LINK_SELF : XHAL_LINK_HOST_MEMORY;
  // Nobody is a peer of itself.
  link.peer_access = !self && claims(device_of(device), XHAL_FEATURE_PEER) ? 1 : 0;
  link.direct_copy = 1;
  link.native_atomics = self || link.peer_access != 0 ? 1 : 0;
  kit::write_struct(link, out);
  return XHAL_SUCCESS;
}

xhal_result_t synchronize(xhal_device_t device, uint64_t timeout_ns) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  Device& d = device_of(device);
  if (const xhal_result_t result = check_no_capture_forbids(d, "waiting for a device"); result < 0)
    return result;
  return guarded([&] {
    const xhal_result_t status = d.synchronize(timeout_ns);
    // What was freed before is free now, and not only once somebody asks for it: by then other work may be under way.
    if (status == XHAL_SUCCESS) d.instance.memory.reclaim();
    d.instance.memory.synchronized(d.index);
    if (const xhal_result_t result = check_present(d); result < 0) return result;
    return status;
  });
}

xhal_result_t get_default_stream(xhal_device_t device, xhal_stream_t* out_stream) {
  if (out_stream == nullptr) return refuse_null("out_stream");
  *out_stream = device_of(device).default_stream();
  return XHAL_SUCCESS;
}

xhal_result_t get_fault(xhal_device_t device, xhal_fault_t* out) {
  if (const xhal_result_t result = check_out("out_fault", out); result < 0) return result;
  xhal_fault_t value = {};
  value.scope = XHAL_FAULT_SCOPE_STREAM;
  value.recovery = XHAL_RECOVERY_RESET;
  const Device& d = device_of(device);
  const ProgressPool::Look look(d.instance.progresses);  // the device may be reset meanwhile
  if (const Fault* fault = d.fault(); fault != nullptr) {
    value.code = fault->code;
    value.scope = fault->scope;
    if (claims(d, XHAL_FEATURE_ERROR_CAUSE)) {
      value.correlation_id = fault->correlation_id;
      value.stream_id = fault->stream_id;
      std::snprintf(value.entry, sizeof(value.entry), "%s", fault->entry);
    }
    std::snprintf(value.text, sizeof(value.text), "%s", fault->text.c_str());
  }
  kit::write_struct(value, out);
  return XHAL_SUCCESS;
}

xhal_result_t reset(xhal_device_t device) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  return guarded([&] {
    device_of(device).reset();
    return XHAL_SUCCESS;
  });
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

}  // namespace xhal::sim
