// SPDX-License-Identifier: Apache-2.0
// Native handles, and what comes in by them. The simulator's own API is called "sim"; its handles are ids that are looked up, so that a
// value which somebody made up is refused and never followed.
#include "entries/native_entries.hpp"

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <string>

#include "device/live_instances.hpp"

namespace xhal::sim {

xhal_native_t native_of(uint64_t value, uint32_t kind) {
  xhal_native_t native = {};
  native.struct_size = sizeof(native);
  native.kind = kind;
  native.value = value;
  std::snprintf(native.api, sizeof(native.api), "%s", kNativeApi);
  return native;
}

xhal_native_t native_of(const Stream& stream) {
  return stream.is_default ? native_of(0, XHAL_NATIVE_LEGACY_DEFAULT) : native_of(stream.id);
}

xhal_result_t check_native(const char* name, const xhal_native_t& native) {
  if (std::strncmp(native.api, kNativeApi, sizeof(native.api)) == 0) return XHAL_SUCCESS;
  return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                   "%s->api is '%.*s'; the simulator takes its own handles alone, whose api is '%s'", name,
                   static_cast<int>(sizeof(native.api)), native.api, kNativeApi);
}

xhal_result_t check_native_handle(const char* name, const xhal_native_t& native) {
  if (const xhal_result_t result = check_native(name, native); result < 0) return result;
  if (native.kind == XHAL_NATIVE_HANDLE) return XHAL_SUCCESS;
  return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "%s->kind is %u, it must be HANDLE", name, native.kind);
}

namespace {

xhal_result_t check_native_claimed(const Device& device) {
  return check_claimed(device, XHAL_FEATURE_NATIVE_HANDLES, "native_handles");
}

// The native handle of an object that has one as long as it lives.
template <class Make>
xhal_result_t give(const Device& device, xhal_native_t* out, Make&& make) {
  if (const xhal_result_t result = check_native_claimed(device); result < 0) return result;
  if (const xhal_result_t result = check_out("out_native", out); result < 0) return result;
  kit::write_struct(make(), out);
  return XHAL_SUCCESS;
}

xhal_result_t device_get_native(xhal_device_t device, xhal_native_t* out) {
  const Device& d = device_of(device);
  return give(d, out, [&] { return native_of(d.native_id); });
}

xhal_result_t device_get_native_context(xhal_device_t device, xhal_native_t* out) {
  Device& d = device_of(device);
  if (const xhal_result_t result = check_native_claimed(d); result < 0) return result;
  if (const xhal_result_t result = check_out("out_native", out); result < 0) return result;
  return guarded([&] {
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    return give(d, out, [&] { return native_of(d.context()); });
  });
}

xhal_result_t stream_get_native(xhal_stream_t stream, xhal_native_t* out) {
  const Stream& s = stream_of(stream);
  return give(device_of(s), out, [&] { return native_of(s); });
}

xhal_result_t event_get_native(xhal_event_t event, xhal_native_t* out) {
  DeviceEvent& e = event_of(event);
  return give(e.device, out, [&] { return native_of(e.native_id()); });
}

xhal_result_t module_get_native(xhal_module_t module, xhal_native_t* out) {
  const Module& m = module_of(module);
  return give(m.device, out, [&] { return native_of(m.native_id); });
}

xhal_result_t device_set_native_context(xhal_device_t device, const xhal_native_t* context) {
  Device& d = device_of(device);
  if (const xhal_result_t result = check_native_claimed(d); result < 0) return result;
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  xhal_native_t given = {};
  if (const xhal_result_t result = read("context", context, given); result < 0) return result;
  if (const xhal_result_t result = check_native_handle("context", given); result < 0) return result;
  return guarded([&]() -> xhal_result_t {
    if (!LiveInstances::of_process().has_context(given.value, d.index)) {
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                       "context->value is %" PRIu64 ", which is no context for device %u in this process",
                       given.value, d.index);
    }
    if (d.set_context(given.value)) return XHAL_SUCCESS;
    return kit::fail(XHAL_ERROR_BUSY,
                     "the device is active and works in context %" PRIu64
                     "; give it another one before anything else is asked of it",
                     d.context());
  });
}

xhal_result_t stream_import_native(xhal_device_t device, const xhal_native_t* native,
                                   xhal_stream_t* out_stream) {
  Device& d = device_of(device);
  if (const xhal_result_t result = check_native_claimed(d); result < 0) return result;
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  xhal_native_t given = {};
  if (const xhal_result_t result = read("native", native, given); result < 0) return result;
  if (out_stream == nullptr) return refuse_null("out_stream");
  if (const xhal_result_t result = check_native("native", given); result < 0) return result;
  if (given.kind != XHAL_NATIVE_HANDLE && given.kind != XHAL_NATIVE_LEGACY_DEFAULT) {
    return kit::fail(
        XHAL_ERROR_INVALID_ARGUMENT,
        "native->kind is %u; the simulator has streams of kind HANDLE, and its default stream is "
        "LEGACY_DEFAULT",
        given.kind);
  }
  const bool is_default = given.kind == XHAL_NATIVE_LEGACY_DEFAULT;
  if (is_default && given.value != 0) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "native->value is %" PRIu64 "; the default stream's is 0",
                     given.value);
  }
  return guarded([&] {
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    const xhal_stream_t wrapper = is_default ? d.wrap_default() : d.wrap(given.value);
    if (wrapper == nullptr) {
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                       "native->value is %" PRIu64 ", which is no stream of device %u in this instance",
                       given.value, d.index);
    }
    *out_stream = wrapper;
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t memory_import_native(xhal_device_t device, void* pointer, uint64_t size) {
  Device& d = device_of(device);
  if (const xhal_result_t result = check_native_claimed(d); result < 0) return result;
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  if (pointer == nullptr) return kit::fail(XHAL_ERROR_INVALID_POINTER, "pointer is null");
  if (size == 0) return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "size is 0");
  return guarded([&]() -> xhal_result_t {
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    Memory& memory = d.instance.memory;
    // What was made by the native allocator of this very device is known without a word.
    Allocation found = memory.find(pointer);
    const bool is_known = found.has(Allocation::kNative) && found.device == d.index;
    if (!is_known) found = LiveInstances::of_process().find_shared(d, pointer);
    if (found.kind == XHAL_MEMORY_UNMANAGED) {
      return kit::fail(XHAL_ERROR_INVALID_POINTER,
                       "%p is no device memory that somebody else allocated in context %" PRIu64
                       ", in which device %u works",
                       pointer, d.context(), d.index);
    }
    if (size > found.end() - reinterpret_cast<uint64_t>(pointer)) {
      return kit::fail(XHAL_ERROR_OUT_OF_RANGE, "%p with %" PRIu64 " bytes leaves its allocation", pointer,
                       size);
    }
    if (is_known) return XHAL_SUCCESS;
    std::string why;
    const xhal_result_t result = memory.import_native(d.index, found, kit::services().next_id(), why);
    return result < 0 ? kit::fail(result, "%s", why.c_str()) : result;
  });
}

}  // namespace

void add_native_entries(xhal_functions_t& functions) {
  functions.device_get_native = device_get_native;
  functions.device_get_native_context = device_get_native_context;
  functions.device_set_native_context = device_set_native_context;
  functions.stream_get_native = stream_get_native;
  functions.stream_import_native = stream_import_native;
  functions.event_get_native = event_get_native;
  functions.module_get_native = module_get_native;
  functions.memory_import_native = memory_import_native;
}

}  // namespace xhal::sim
