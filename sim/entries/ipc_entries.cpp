// SPDX-License-Identifier: Apache-2.0
// Memory and events of other processes.
#include <cinttypes>
#include <cstring>
#include <string>

#include "entries/entry.hpp"
#include "ipc/shared_event.hpp"

namespace xhal::sim {
namespace {

xhal_result_t refuse(xhal_result_t code, const std::string& why) {
  return kit::fail(code, "%s", why.c_str());
}

// What all of them ask first.
xhal_result_t check(const Device& device, uint32_t feature, const char* name) {
  const xhal_result_t result = check_claimed(device, feature, name);
  return result < 0 ? result : outside_host_function();
}

xhal_result_t check_room(uint64_t capacity, const void* out_bytes) {
  if (out_bytes == nullptr) return refuse_null("out_bytes");
  if (capacity >= sizeof(ShareHandle)) return XHAL_SUCCESS;
  return kit::fail(XHAL_ERROR_LIMIT_EXCEEDED,
                   "capacity is %" PRIu64 ", a handle has ipc_handle_bytes of the device, %zu", capacity,
                   sizeof(ShareHandle));
}

xhal_result_t export_memory(xhal_device_t device, const void* pointer, uint64_t capacity, void* out_bytes) {
  Device& d = device_of(device);
  if (const xhal_result_t result = check(d, XHAL_FEATURE_IPC_MEMORY, "ipc_memory"); result < 0) return result;
  if (const xhal_result_t result = check_room(capacity, out_bytes); result < 0) return result;
  return guarded([&] {
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    ShareHandle handle;
    std::string why;
    const xhal_result_t result = d.instance.shared_memory.export_memory(d.index, pointer, handle, why);
    if (result < 0) return refuse(result, why);
    std::memcpy(out_bytes, &handle, sizeof(handle));
    return result;
  });
}

xhal_result_t import_memory(xhal_device_t device, const void* bytes, uint64_t size, void** out_pointer) {
  Device& d = device_of(device);
  if (const xhal_result_t result = check(d, XHAL_FEATURE_IPC_MEMORY, "ipc_memory"); result < 0) return result;
  if (bytes == nullptr) return refuse_null("bytes");
  if (out_pointer == nullptr) return refuse_null("out_pointer");
  return guarded([&] {
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    std::string why;
    const xhal_result_t result = d.instance.shared_memory.import_memory(
        d.index, bytes, size, kit::services().next_id(), out_pointer, why);
    return result < 0 ? refuse(result, why) : result;
  });
}

xhal_result_t close_memory(xhal_device_t device, void* pointer) {
  Device& d = device_of(device);
  if (const xhal_result_t result = check(d, XHAL_FEATURE_IPC_MEMORY, "ipc_memory"); result < 0) return result;
  return guarded([&] {
    std::string why;
    const xhal_result_t result = d.instance.shared_memory.close(d.index, pointer, why);
    return result < 0 ? refuse(result, why) : result;
  });
}

xhal_result_t export_event(xhal_event_t event, uint64_t capacity, void* out_bytes) {
  DeviceEvent& e = event_of(event);
  Device& d = e.device;
  if (const xhal_result_t result = check(d, XHAL_FEATURE_IPC_EVENT, "ipc_event"); result < 0) return result;
  if (e.shared == nullptr || e.is_imported) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, e.is_imported
                                                      ? "the event was imported; its maker exports it"
                                                      : "the event was made without XHAL_EVENT_IPC");
  }
  if (const xhal_result_t result = check_room(capacity, out_bytes); result < 0) return result;
  return guarded([&] {
    if (const xhal_result_t result = check_epoch(d, e.epoch, "event"); result < 0) return result;
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    ShareHandle handle;
    std::string why;
    const xhal_result_t result = d.instance.export_event(e, handle, why);
    if (result < 0) return refuse(result, why);
    std::memcpy(out_bytes, &handle, sizeof(handle));
    return result;
  });
}

xhal_result_t import_event(xhal_device_t device, const void* bytes, uint64_t size, xhal_event_t* out_event) {
  Device& d = device_of(device);
  if (const xhal_result_t result = check(d, XHAL_FEATURE_IPC_EVENT, "ipc_event"); result < 0) return result;
  if (bytes == nullptr) return refuse_null("bytes");
  if (out_event == nullptr) return refuse_null("out_event");
  return guarded([&] {
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    ShareHandle handle;
    std::string why;
    xhal_result_t result = read_handle(bytes, size, ShareKind::kEvent, handle, why);
    if (result < 0) return refuse(result, why);
    // Of the same process, too: by its own thread, which waits for nobody.
    Fetched fetched;
    result = fetch(handle, d.instance.shared_memory.answer_ms(), fetched, why);
    if (result < 0) return refuse(result, why);
    auto shared = SharedEvent::adopt(d.instance.event_watcher, std::move(fetched.files[0]),
                                     std::move(fetched.files[1]), why);
    if (shared == nullptr) return refuse(XHAL_ERROR_INVALID_ARGUMENT, why);
    *out_event = d.make_event(false, std::move(shared), true);
    return xhal_result_t{XHAL_SUCCESS};
  });
}

}  // namespace

void add_ipc_entries(xhal_functions_t& functions) {
  functions.ipc_export_memory = export_memory;
  functions.ipc_import_memory = import_memory;
  functions.ipc_close_memory = close_memory;
  functions.ipc_export_event = export_event;
  functions.ipc_import_event = import_event;
}

}  // namespace xhal::sim
