// SPDX-License-Identifier: Apache-2.0
// Lies about other processes and somebody else's objects. Each function does what the base driver does, but for one lie.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "fault.hpp"

namespace xhal::faults {
namespace {

// ---- Other processes ----

struct Exported {
  std::mutex lock;
  std::vector<unsigned char> bytes;  // the latest that were given out
};
using Imported = std::atomic<void*>;  // the one import that is counted

xhal_result_t interior_is_exported(xhal_device_t device, const void* pointer, uint64_t capacity, void* out) {
  // Any pointer that is known has a base; the driver's handle is not at hand here, so steps back lead there.
  for (uintptr_t back = 0; back <= 4096; ++back) {
    const xhal_result_t result = next::ipc_export_memory(
        device, reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(pointer) - back), capacity, out);
    if (result != XHAL_ERROR_INVALID_POINTER) return result;
  }
  return XHAL_ERROR_INVALID_POINTER;
}

uint32_t handle_bytes_of(xhal_device_t device) {
  auto properties = sized<xhal_device_properties_t>();
  return next::device_get_properties(device, &properties) == XHAL_SUCCESS ? properties.ipc_handle_bytes : 0;
}

xhal_result_t capacity_is_ignored(xhal_device_t device, const void* pointer, uint64_t capacity, void* out) {
  (void)capacity;
  return next::ipc_export_memory(device, pointer, UINT64_MAX, out);
}

xhal_result_t remember_export(xhal_device_t device, const void* pointer, uint64_t capacity, void* out) {
  const xhal_result_t result = next::ipc_export_memory(device, pointer, capacity, out);
  const uint32_t size = handle_bytes_of(device);
  if (result == XHAL_SUCCESS) {
    Exported& latest = own<Exported>(device);
    const std::lock_guard guard(latest.lock);
    const auto* bytes = static_cast<const unsigned char*>(out);
    latest.bytes.assign(bytes, bytes + size);
  }
  return result;
}

// Bytes of the right size that open nothing open what was exported last.
xhal_result_t spoilt_bytes_are_mended(xhal_device_t device, const void* bytes, uint64_t size, void** out) {
  const xhal_result_t result = next::ipc_import_memory(device, bytes, size, out);
  Exported& latest = own<Exported>(device);
  const std::lock_guard guard(latest.lock);
  if (result != XHAL_ERROR_INVALID_ARGUMENT || out == nullptr || size != latest.bytes.size()) return result;
  return next::ipc_import_memory(device, latest.bytes.data(), size, out);
}

xhal_result_t imports_do_not_count(xhal_device_t device, const void* bytes, uint64_t size, void** out) {
  const xhal_result_t result = next::ipc_import_memory(device, bytes, size, out);
  if (result != XHAL_SUCCESS) return result;
  if (own<Imported>(device).exchange(*out) == *out) next::ipc_close_memory(device, *out);
  return result;
}

xhal_result_t close_forgets_its_import(xhal_device_t device, void* pointer) {
  const xhal_result_t result = next::ipc_close_memory(device, pointer);
  void* counted = pointer;
  if (result == XHAL_SUCCESS) own<Imported>(device).compare_exchange_strong(counted, nullptr);
  return result;
}

xhal_result_t free_closes_imports(xhal_device_t device, void* pointer) {
  const xhal_result_t result = next::memory_free(device, pointer);
  if (result == XHAL_SUCCESS && pointer != nullptr && pointer == own<Imported>(device).load())
    close_forgets_its_import(device, pointer);
  return result;
}

xhal_result_t imports_are_not_told(xhal_driver_t driver, const void* pointer,
                                   xhal_pointer_attributes_t* out) {
  const xhal_result_t result = next::driver_get_pointer_attributes(driver, pointer, out);
  xhal_pointer_attributes_t* attributes = told(result, out);
  if (attributes != nullptr) attributes->is_imported = 0;
  return result;
}

xhal_result_t remember_imported_event(xhal_device_t device, const void* bytes, uint64_t size,
                                      xhal_event_t* out) {
  const xhal_result_t result = next::ipc_import_event(device, bytes, size, out);
  if (result == XHAL_SUCCESS) notes(device).put(*out);
  return result;
}

xhal_result_t other_processes_hold_nobody(xhal_stream_t stream, xhal_event_t event, uint32_t flags) {
  if (notes(stream).of(event) != 0) return XHAL_SUCCESS;
  return next::stream_wait_event(stream, event, flags);
}

xhal_result_t every_event_is_exported(xhal_event_t event, uint64_t capacity, void* out) {
  return ignoring(next::ipc_export_event(event, capacity, out), XHAL_ERROR_INVALID_ARGUMENT);
}

// An import is a copy of what was there.
xhal_result_t import_a_copy(xhal_device_t device, const void* bytes, uint64_t size, void** out) {
  const xhal_result_t result = next::ipc_import_memory(device, bytes, size, out);
  xhal_driver_t driver = here(device).driver.load();
  auto attributes = sized<xhal_pointer_attributes_t>();
  if (result != XHAL_SUCCESS || driver == nullptr ||
      next::driver_get_pointer_attributes(driver, *out, &attributes) != XHAL_SUCCESS)
    return result;
  auto desc = sized<xhal_memory_desc_t>();
  desc.kind = XHAL_MEMORY_DEVICE;
  desc.size = attributes.size;
  void* copy = nullptr;
  xhal_stream_t stream = nullptr;
  if (below(device).memory_allocate(device, &desc, &copy) != XHAL_SUCCESS) return result;
  if (below(device).stream_create(device, nullptr, &stream) == XHAL_SUCCESS) {
    below(device).memory_copy(stream, copy, *out, attributes.size);
    below(device).stream_synchronize(stream, kLongEnoughNs);
    below(device).stream_destroy(stream);
  }
  notes(device).put(copy, reinterpret_cast<uintptr_t>(*out));
  *out = copy;
  return result;
}
xhal_result_t close_a_copy(xhal_device_t device, void* pointer) {
  const uint64_t imported = notes(device).take(pointer);
  if (imported == 0) return next::ipc_close_memory(device, pointer);
  below(device).memory_free(device, pointer);
  return next::ipc_close_memory(device, reinterpret_cast<void*>(imported));
}

// Allocations of one size lie in one block, and a block is what is exported.
struct Blocks {
  std::mutex lock;
  std::vector<std::pair<void*, uint64_t>> allocations;
};
xhal_result_t allocate_in_a_block(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  const xhal_result_t result = next::memory_allocate(device, desc, out);
  if (result != XHAL_SUCCESS || desc->kind != XHAL_MEMORY_DEVICE) return result;
  Blocks& blocks = own<Blocks>(device);
  const std::lock_guard guard(blocks.lock);
  blocks.allocations.emplace_back(*out, desc->size);
  return result;
}
xhal_result_t free_in_a_block(xhal_device_t device, void* pointer) {
  const xhal_result_t result = next::memory_free(device, pointer);
  Blocks& blocks = own<Blocks>(device);
  const std::lock_guard guard(blocks.lock);
  if (result == XHAL_SUCCESS)
    std::erase_if(blocks.allocations, [&](const auto& one) { return one.first == pointer; });
  return result;
}
xhal_result_t export_the_block(xhal_device_t device, const void* pointer, uint64_t capacity, void* out) {
  const void* first = pointer;
  {
    Blocks& blocks = own<Blocks>(device);
    const std::lock_guard guard(blocks.lock);
    const auto& all = blocks.allocations;
    const auto mine = std::ranges::find(all, pointer, [](const auto& one) { return one.first; });
    if (mine != all.end())
      first = std::ranges::find(all, mine->second, [](const auto& one) { return one.second; })->first;
  }
  return next::ipc_export_memory(device, first, capacity, out);
}

// Nobody signals what a dead process has recorded.
xhal_result_t wait_for_the_dead(xhal_event_t event, uint64_t timeout_ns) {
  const xhal_result_t result = next::event_synchronize(event, timeout_ns);
  if (notes(event).of(event) == 0 || result != XHAL_ERROR_CANCELLED) return result;
  std::this_thread::sleep_for(std::chrono::nanoseconds(std::min(timeout_ns, kLongEnoughNs)));
  return XHAL_TIMEOUT;
}

// ---- Somebody else's objects ----

xhal_result_t note_borrowed(xhal_device_t device, void* pointer, uint64_t size) {
  const xhal_result_t result = next::memory_import_native(device, pointer, size);
  if (result == XHAL_SUCCESS) notes(device).put(pointer);
  return result;
}
xhal_result_t free_what_is_borrowed(xhal_device_t device, void* pointer) {
  return notes(device).take(pointer) != 0 ? xhal_result_t{XHAL_SUCCESS} : next::memory_free(device, pointer);
}

xhal_result_t properties_of_a_legacy_default(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = next::device_get_properties(device, out);
  if (result == XHAL_SUCCESS && out->struct_size >= sizeof(*out))
    out->default_stream_kind = XHAL_DEFAULT_STREAM_LEGACY;
  return result;
}

xhal_result_t semaphore_holds_nobody(xhal_stream_t, xhal_semaphore_t, uint64_t) { return XHAL_SUCCESS; }

// The highest value that somebody waits for.
xhal_result_t note_semaphore(xhal_stream_t stream, xhal_semaphore_t semaphore, uint64_t value) {
  const xhal_result_t result = next::stream_wait_semaphore(stream, semaphore, value);
  if (result != XHAL_SUCCESS) return result;
  own<std::atomic<xhal_device_t>>(stream) = device_of(stream);
  if (value > notes(stream).of(semaphore)) notes(stream).put(semaphore, value);
  return result;
}
xhal_result_t destroy_signals(xhal_semaphore_t semaphore) {
  xhal_stream_t stream = nullptr;
  const uint64_t value = notes(semaphore).take(semaphore);
  if (value != 0 && below(semaphore).stream_create(own<std::atomic<xhal_device_t>>(semaphore), nullptr,
                                                   &stream) == XHAL_SUCCESS) {
    below(semaphore).stream_signal_semaphore(stream, semaphore, value);
    below(semaphore).stream_synchronize(stream, kLongEnoughNs);
    below(semaphore).stream_destroy(stream);
  }
  return next::semaphore_destroy(semaphore);
}

xhal_result_t any_api_is_ours(xhal_device_t device, const xhal_native_t* native, xhal_stream_t* out) {
  auto ours = sized<xhal_native_t>();
  if (native == nullptr || native->struct_size < sizeof(*native) ||
      next::device_get_native(device, &ours) != XHAL_SUCCESS)
    return next::stream_import_native(device, native, out);
  ours.kind = native->kind;
  ours.value = native->value;
  return next::stream_import_native(device, &ours, out);
}

xhal_result_t any_kind_is_a_handle(xhal_device_t device, const xhal_native_t* native, xhal_stream_t* out) {
  if (native == nullptr || native->struct_size < sizeof(*native) ||
      native->kind <= XHAL_NATIVE_PER_THREAD_DEFAULT)
    return next::stream_import_native(device, native, out);
  xhal_native_t known = *native;
  known.kind = XHAL_NATIVE_HANDLE;
  return next::stream_import_native(device, &known, out);
}

xhal_result_t wrapper_is_a_stream_of_its_own(xhal_device_t device, const xhal_native_t* native,
                                             xhal_stream_t* out) {
  xhal_stream_t wrapper = nullptr;
  const xhal_result_t result =
      next::stream_import_native(device, native, out == nullptr ? nullptr : &wrapper);
  if (result != XHAL_SUCCESS) return result;
  below(device).stream_destroy(wrapper);
  return next::stream_create(device, nullptr, out);
}

xhal_result_t contexts_are_taken_late(xhal_device_t device, const xhal_native_t* context) {
  return ignoring(next::device_set_native_context(device, context), XHAL_ERROR_BUSY);
}

xhal_result_t streams_share_a_handle(xhal_stream_t stream, xhal_native_t* out) {
  const xhal_result_t result = next::stream_get_native(stream, out);
  if (result == XHAL_SUCCESS && out->kind == XHAL_NATIVE_HANDLE) out->value = 64;
  return result;
}

xhal_result_t import_takes_the_descriptor(xhal_device_t device, const xhal_external_memory_desc_t* desc,
                                          void** out) {
  const xhal_result_t result = next::memory_import_external(device, desc, out);
  if (result == XHAL_SUCCESS) close(desc->fd);
  return result;
}

xhal_result_t offset_is_ignored(xhal_device_t device, const xhal_external_memory_desc_t* desc, void** out) {
  if (desc == nullptr || desc->struct_size != sizeof(*desc) || desc->offset >= desc->size)
    return next::memory_import_external(device, desc, out);
  xhal_external_memory_desc_t whole = *desc;
  whole.offset = 0;
  return next::memory_import_external(device, &whole, out);
}

xhal_result_t external_flags_are_ignored(xhal_device_t device, const xhal_external_memory_desc_t* desc,
                                         void** out) {
  if (desc == nullptr || desc->struct_size != sizeof(*desc))
    return next::memory_import_external(device, desc, out);
  xhal_external_memory_desc_t plain = *desc;
  plain.flags = 0;
  return next::memory_import_external(device, &plain, out);
}

}  // namespace

const std::span<const Lie> kSharingLies = [] {
  static const Lie kLies[] = {
#include "table/sharing.def"
  };
  return std::span<const Lie>(kLies);
}();

}  // namespace xhal::faults
