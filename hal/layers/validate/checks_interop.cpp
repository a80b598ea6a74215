// SPDX-License-Identifier: Apache-2.0
// What comes from other processes and other libraries, and lists that are asked of a device.
#include "arguments.hpp"
#include "checks.hpp"
#include "xhal/kit/structs.hpp"

namespace xhal::validate {
namespace {

void bad(Call& call, std::string text) {
  call.found(Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT, std::move(text));
}

// [XHAL-IPC-3] [XHAL-IPC-10]
void check_capacity(Call& call, const void* device, uint64_t capacity) {
  const DeviceLimits limits = limits_of(call, device);
  if (!limits.known || capacity >= limits.ipc_handle_bytes) return;
  call.found(Kind::kOverLimit, XHAL_ERROR_LIMIT_EXCEEDED,
             "capacity is " + std::to_string(capacity) + ", a handle of device " +
                 std::to_string(limits.index) + " has " + std::to_string(limits.ipc_handle_bytes) + " bytes");
}

// The bytes themselves are the driver's to judge. [XHAL-IPC-4]
void check_handle_size(Call& call, const void* device, uint64_t size) {
  const DeviceLimits limits = limits_of(call, device);
  if (!limits.known || limits.ipc_handle_bytes == 0 || size == limits.ipc_handle_bytes) return;
  bad(call, std::to_string(size) + " bytes are no handle: one of device " + std::to_string(limits.index) +
                " has " + std::to_string(limits.ipc_handle_bytes));
}

void check_external(Call& call, uint32_t type) {
  if (type != XHAL_EXTERNAL_DMA_BUF && type != XHAL_EXTERNAL_OPAQUE_FD)
    bad(call, "type " + std::to_string(type) + " is none of XHAL_EXTERNAL_DMA_BUF and _OPAQUE_FD");
}

void check_descriptor(Call& call, int32_t fd) {
  if (fd < 0) bad(call, "desc->fd is " + std::to_string(fd) + ", which is no descriptor");
}

// Arrays are walked by the caller's stride. [XHAL-ABI-10]
template <class Element>
void check_stride(Call& call, uint32_t count, uint32_t stride) {
  constexpr uint32_t kSmallest = kit::kFirstSize<Element>;
  if (count != 0 && stride < kSmallest)
    bad(call, "stride is " + std::to_string(stride) + ", an element has at least " +
                  std::to_string(kSmallest) + " bytes");
}

constexpr uint32_t kActivities = XHAL_ACTIVITY_KERNEL | XHAL_ACTIVITY_COPY | XHAL_ACTIVITY_FILL |
                                 XHAL_ACTIVITY_HOST_FUNCTION | XHAL_ACTIVITY_WAIT | XHAL_ACTIVITY_GRAPH |
                                 XHAL_ACTIVITY_ALLOCATION;

}  // namespace

// ---- Other processes -----------------------------------------------------------------------------------------------------------------

void before(Call& call, Is<Entry::ipc_export_memory> /*entry*/, xhal_device_t device, const void* pointer,
            uint64_t capacity, void* /*out_bytes*/) {
  check_capacity(call, device, capacity);
  const Place place = check_memory_of(call, "the memory", pointer, 1,
                                      bit_of(MemoryKind::kDevice) | bit_of(MemoryKind::kPool));
  if (!place.known) return;
  if (pointer != place.base) {
    call.found(Kind::kWrongMemory, XHAL_ERROR_INVALID_POINTER,
               hex(pointer) + " is not where its memory begins, at " + hex(place.base));
  } else if (place.device != device) {
    call.found(Kind::kWrongDevice, XHAL_ERROR_INVALID_POINTER,
               hex(pointer) + " is memory of " + device_name(call.attachment(), place.device) + ", not of " +
                   device_name(call.attachment(), device));
  }
}

void before(Call& call, Is<Entry::ipc_import_memory> /*entry*/, xhal_device_t device, const void* /*bytes*/,
            uint64_t size, void** /*out_pointer*/) {
  check_handle_size(call, device, size);
}

void before(Call& call, Is<Entry::ipc_export_event> /*entry*/, xhal_event_t event, uint64_t capacity,
            void* /*out_bytes*/) {
  const std::optional<uint32_t> flags = event_flags(event);
  if (flags.has_value() && (*flags & XHAL_EVENT_IPC) == 0)
    bad(call, "the event was made without XHAL_EVENT_IPC");
  check_capacity(call, device_of(event), capacity);
}

void before(Call& call, Is<Entry::ipc_import_event> /*entry*/, xhal_device_t device, const void* /*bytes*/,
            uint64_t size, xhal_event_t* /*out_event*/) {
  check_handle_size(call, device, size);
}

// ---- Other libraries -----------------------------------------------------------------------------------------------------------------

void before(Call& call, Is<Entry::stream_import_native> /*entry*/, xhal_device_t /*device*/,
            const xhal_native_t* native, xhal_stream_t* /*out_stream*/) {
  xhal_native_t read = {};
  if (native == nullptr || kit::read_struct(native, read) != XHAL_SUCCESS) return;
  if (read.kind > XHAL_NATIVE_PER_THREAD_DEFAULT)
    bad(call, "native->kind " + std::to_string(read.kind) + " is not defined");
}

void before(Call& call, Is<Entry::memory_import_native> /*entry*/, xhal_device_t /*device*/, void* pointer,
            uint64_t size) {
  if (pointer == nullptr) {
    call.found(Kind::kNullAddress, XHAL_ERROR_INVALID_POINTER,
               "the memory is null, and its size is " + std::to_string(size));
  }
}

void before(Call& call, Is<Entry::memory_import_external> /*entry*/, xhal_device_t /*device*/,
            const xhal_external_memory_desc_t* desc, void** /*out_pointer*/) {
  xhal_external_memory_desc_t read = {};
  if (desc == nullptr || kit::read_struct(desc, read) != XHAL_SUCCESS) return;
  check_external(call, read.type);
  check_descriptor(call, read.fd);
}

void before(Call& call, Is<Entry::memory_export_external> /*entry*/, xhal_device_t device,
            const void* pointer, uint32_t type, int32_t* /*out_fd*/, uint64_t* /*out_offset*/) {
  check_external(call, type);
  constexpr uint32_t kOfHost =
      bit_of(MemoryKind::kPinned) | bit_of(MemoryKind::kManaged) | bit_of(MemoryKind::kRegistered);
  const Place place = check_memory_of(call, "the memory", pointer, 1, ~kOfHost);
  if (place.known && place.device != device) {
    call.found(Kind::kWrongDevice, XHAL_ERROR_INVALID_POINTER,
               hex(pointer) + " is memory of " + device_name(call.attachment(), place.device) + ", not of " +
                   device_name(call.attachment(), device));
  }
}

void before(Call& call, Is<Entry::semaphore_import> /*entry*/, xhal_device_t /*device*/,
            const xhal_external_semaphore_desc_t* desc, xhal_semaphore_t* /*out_semaphore*/) {
  xhal_external_semaphore_desc_t read = {};
  if (desc == nullptr || kit::read_struct(desc, read) != XHAL_SUCCESS) return;
  check_external(call, read.type);
  check_descriptor(call, read.fd);
}

// ---- What is asked of the device -----------------------------------------------------------------------------------------------------

void before(Call& call, Is<Entry::device_get_image_formats> /*entry*/, xhal_device_t /*device*/,
            uint32_t capacity, uint32_t stride, xhal_image_format_t* out_formats, uint32_t* /*out_count*/) {
  check_present(call, "out_formats", out_formats == nullptr && capacity > 0);
  check_stride<xhal_image_format_t>(call, capacity, stride);
}

void before(Call& call, Is<Entry::device_get_notes> /*entry*/, xhal_device_t /*device*/, uint32_t capacity,
            uint32_t stride, xhal_device_note_t* out_notes, uint32_t* /*out_count*/) {
  check_present(call, "out_notes", out_notes == nullptr && capacity > 0);
  check_stride<xhal_device_note_t>(call, capacity, stride);
}

void before(Call& call, Is<Entry::device_read_metrics> /*entry*/, xhal_device_t /*device*/, uint32_t count,
            uint32_t stride, xhal_metric_t* /*metrics*/) {
  check_stride<xhal_metric_t>(call, count, stride);
}

void before(Call& call, Is<Entry::activity_subscribe> /*entry*/, xhal_device_t /*device*/,
            const xhal_activity_desc_t* desc, xhal_subscription_t* /*out_subscription*/) {
  xhal_activity_desc_t read = {};
  if (desc == nullptr || kit::read_struct(desc, read) != XHAL_SUCCESS) return;
  check_present(call, "desc->callback", read.callback == nullptr);
  if ((read.kinds & ~kActivities) != 0)
    bad(call, "desc->kinds has the bits " + hex(uintptr_t{read.kinds & ~kActivities}) + ", which no kind is");
}

}  // namespace xhal::validate
