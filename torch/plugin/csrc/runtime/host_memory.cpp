// SPDX-License-Identifier: Apache-2.0
// Pinned host memory: PyTorch's own caching host allocator over xhal's pinned memory and events.
#include <ATen/core/CachingHostAllocator.h>

#include <chrono>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "runtime/capture.hpp"
#include "runtime/check.hpp"
#include "runtime/driver.hpp"
#include "runtime/events.hpp"
#include "runtime/host_memory.hpp"
#include "runtime/memory.hpp"
#include "runtime/streams.hpp"
#include "torch_version.hpp"

namespace torch_xhal {
namespace {

// In a capture an event would become a part of it, and to ask for that breaks the capture: such a record waits for the capture's end.
class RecordedEvent {
 public:
  explicit RecordedEvent(c10::Stream stream) : stream_(stream) { record(); }
  RecordedEvent(RecordedEvent&& other) noexcept
      : stream_(other.stream_), event_(std::exchange(other.event_, nullptr)) {}
  RecordedEvent& operator=(RecordedEvent&& other) noexcept {
    std::swap(stream_, other.stream_);
    std::swap(event_, other.event_);
    return *this;
  }
  ~RecordedEvent() { destroy_event(event_); }
  bool is_done() { return record() && is_event_done(event_); }

 private:
  bool record() {
    if (event_ == nullptr && !is_capturing(stream_))
      record_event(&event_, stream_, stream_.device_index(), c10::EventFlag::PYTORCH_DEFAULT);
    return event_ != nullptr;
  }

  c10::Stream stream_;
  void* event_ = nullptr;
};

using HostBlock = at::HostBlock<c10::Stream>;

using CachingMemory = at::CachingHostAllocatorImpl<c10::Stream, RecordedEvent, HostBlock>;

struct PinnedMemory final : CachingMemory {
#if TORCH_XHAL_HAS_GRAPHS
  // What was used in a capture serves nobody else, in that capture neither, as long as a graph holds its pool. PyTorch's own way is never
  // to give it back.
  void free(void* context) override {
    auto* block = static_cast<HostBlock*>(context);
    if (block == nullptr || block->owning_pool_ == c10::MempoolId_t{0, 0} || !keep(block))
      CachingMemory::free(context);
  }
  void hold_pool(c10::MempoolId_t pool) {
    const std::lock_guard lock(held_mutex_);
    ++held_[pool].holders;
  }
  void let_go_of_pool(c10::MempoolId_t pool) {
    std::vector<HostBlock*> blocks;
    {
      const std::lock_guard lock(held_mutex_);
      if (--held_[pool].holders != 0) return;
      blocks = std::move(held_[pool].used);
      held_.erase(pool);
    }
    for (HostBlock* block : blocks) free(block);
  }

 private:
  bool keep(HostBlock* block) {
    const std::lock_guard lock(held_mutex_);
    const std::lock_guard block_lock(block->mutex_);
    if (block->streams_.empty()) return false;
    if (const auto pool = held_.find(block->owning_pool_); pool != held_.end()) {
      pool->second.used.push_back(block);
      return true;
    }
    // The driver keeps what is given back to it until the work that was submitted is through.
    block->streams_.clear();
    return false;
  }
  struct HeldPool {
    uint32_t holders = 0;
    std::vector<HostBlock*> used;
  };
  std::mutex held_mutex_;
  std::map<c10::MempoolId_t, HeldPool> held_;
#endif

 private:
  // Of the current device; every device of the driver reaches it.
  void allocate_host_memory(size_t size, void** pointer) override {
    const auto begin = std::chrono::steady_clock::now();
    xhal_memory_desc_t desc = {};
    desc.struct_size = sizeof(desc);
    desc.kind = XHAL_MEMORY_PINNED;
    desc.size = size;
    const RelaxedCapture relaxed;
    const xhal_device_t device = device_at(current_device()).handle;
    xhal_result_t result = xhal_memory_allocate(device, &desc, pointer);
    if (result == XHAL_ERROR_OUT_OF_HOST_MEMORY) {
      empty_cache();
      result = xhal_memory_allocate(device, &desc, pointer);
    }
    XHAL_CHECK(result);
    count_time(stats_.host_alloc_time, begin);
  }
  void free_block(HostBlock* block) override {
    const RelaxedCapture relaxed;
    xhal_pointer_attributes_t attributes = {};
    attributes.struct_size = sizeof(attributes);
    XHAL_CHECK(xhal_driver_get_pointer_attributes(driver().handle, block->ptr_, &attributes));
    const auto begin = std::chrono::steady_clock::now();
    XHAL_CHECK(xhal_memory_free(device_at(static_cast<c10::DeviceIndex>(attributes.device_index)).handle,
                                block->ptr_));
    count_time(stats_.host_free_time, begin);
  }
  // PyTorch's own part counts everything but the time.
  template <class DurationStat>
  void count_time(DurationStat& stat, std::chrono::steady_clock::time_point begin) {
    const auto passed = std::chrono::steady_clock::now() - begin;
    const std::lock_guard lock(stats_.timing_mutex_);
    stat.increase(std::chrono::duration_cast<std::chrono::microseconds>(passed).count());
  }
  void record_stream(std::optional<std::vector<RecordedEvent>>& events, c10::Stream stream) override {
    events->emplace_back(stream);
  }
  bool query_event(RecordedEvent& event) override { return event.is_done(); }
  c10::Stream get_current_stream() const override { return current_stream(-1); }
  bool stream_is_capturing(c10::Stream stream) const override { return is_capturing(stream); }
};

void delete_pinned(void* context);
struct PinnedAllocator final : at::CachingHostAllocatorInterface<PinnedMemory, delete_pinned> {
#if TORCH_XHAL_HAS_GRAPHS
  void begin_allocate_to_pool(c10::MempoolId_t pool, std::function<bool(c10::Stream)> filter) override {
    impl_->begin_allocate_to_pool(pool, std::move(filter));
    impl_->hold_pool(pool);
  }
  void release_pool(c10::MempoolId_t pool) override {
    impl_->release_pool(pool);
    impl_->let_go_of_pool(pool);
  }
#endif
};
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
