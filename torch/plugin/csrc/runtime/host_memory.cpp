// SPDX-License-Identifier: Apache-2.0
// Pinned host memory: PyTorch's own caching host allocator over xhal's pinned memory and events.
#include <ATen/core/CachingHostAllocator.h>

#include "runtime/check.hpp"
#include "runtime/driver.hpp"
#include "runtime/events.hpp"
#include "runtime/host_memory.hpp"
#include "runtime/memory.hpp"
#include "runtime/streams.hpp"

namespace torch_xhal {
namespace {

class RecordedEvent {
 public:
  explicit RecordedEvent(c10::Stream stream) {
    record_event(&event_, stream, stream.device_index(), c10::EventFlag::PYTORCH_DEFAULT);
  }
  RecordedEvent(RecordedEvent&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  RecordedEvent& operator=(RecordedEvent&& other) noexcept {
    std::swap(event_, other.event_);
    return *this;
  }
  ~RecordedEvent() { destroy_event(event_); }
  bool is_done() const { return is_event_done(event_); }

 private:
  void* event_ = nullptr;
};

using HostBlock = at::HostBlock<c10::Stream>;

struct PinnedMemory final : at::CachingHostAllocatorImpl<c10::Stream, RecordedEvent, HostBlock> {
 private:
  // Of the current device; every device of the driver reaches it.
  void allocate_host_memory(size_t size, void** pointer) override {
    xhal_memory_desc_t desc = {};
    desc.struct_size = sizeof(desc);
    desc.kind = XHAL_MEMORY_PINNED;
    desc.size = size;
    const xhal_device_t device = device_at(current_device()).handle;
    xhal_result_t result = xhal_memory_allocate(device, &desc, pointer);
    if (result == XHAL_ERROR_OUT_OF_HOST_MEMORY) {
      empty_cache();
      result = xhal_memory_allocate(device, &desc, pointer);
    }
    XHAL_CHECK(result);
  }
  void free_block(HostBlock* block) override {
    xhal_pointer_attributes_t attributes = {};
    attributes.struct_size = sizeof(attributes);
    XHAL_CHECK(xhal_driver_get_pointer_attributes(driver().handle, block->ptr_, &attributes));
    XHAL_CHECK(xhal_memory_free(device_at(static_cast<c10::DeviceIndex>(attributes.device_index)).handle,
                                block->ptr_));
  }
  void record_stream(std::optional<std::vector<RecordedEvent>>& events, c10::Stream stream) override {
    events->emplace_back(stream);
  }
  bool query_event(RecordedEvent& event) override { return event.is_done(); }
  c10::Stream get_current_stream() const override { return current_stream(-1); }
  bool stream_is_capturing(c10::Stream stream) const override { return is_capturing(stream); }
};

void delete_pinned(void* context);
struct PinnedAllocator final : at::CachingHostAllocatorInterface<PinnedMemory, delete_pinned> {};
PinnedAllocator& allocator() {
  static auto* const instance = new PinnedAllocator();
  return *instance;
}
void delete_pinned(void* context) { allocator().free(context); }

const bool is_registered = [] {
  at::setHostAllocator(kDevice, &allocator());
  return true;
}();

}  // namespace

c10::Allocator* pinned_allocator() { return &allocator(); }

bool is_pinned(const void* pointer) {
  if (pointer == nullptr || device_count() == 0) return false;
  xhal_pointer_attributes_t attributes = {};
  attributes.struct_size = sizeof(attributes);
  if (xhal_driver_get_pointer_attributes(driver().handle, pointer, &attributes) != XHAL_SUCCESS) return false;
  return attributes.kind == XHAL_MEMORY_PINNED || attributes.kind == XHAL_MEMORY_REGISTERED;
}

}  // namespace torch_xhal
