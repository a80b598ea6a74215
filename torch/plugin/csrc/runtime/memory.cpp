// SPDX-License-Identifier: Apache-2.0
#include "runtime/memory.hpp"

#include <c10/core/AllocatorConfig.h>
#include <c10/core/CachingDeviceAllocator.h>

#include <array>
#include <atomic>
#include <mutex>

#include "profiler/recorder.hpp"
#include "runtime/autograd.hpp"
#include "runtime/check.hpp"
#include "runtime/copy.hpp"
#include "runtime/driver.hpp"
#include "runtime/streams.hpp"

namespace torch_xhal {
namespace {

using xhal::caching::Allocator;
using xhal::caching::Block;

xhal::caching::Settings settings_of_the_environment() {
  xhal::caching::Settings out;
  const std::string text = c10::CachingAllocator::AcceleratorAllocatorConfig::last_allocator_settings();
  if (const auto wrong = out.parse(text)) TORCH_CHECK_VALUE(false, "PYTORCH_ALLOC_CONF: ", *wrong);
  return out;
}

struct OneAllocator {
  std::once_flag once;
  std::unique_ptr<Allocator> allocator;
  std::atomic<Allocator*> made{nullptr};  // for those who ask without making it
};

// Settings of recording and what they reach: an allocator that is made meanwhile has them too.
struct SharedRecording {
  std::mutex mutex;
  HistorySettings recording;
};
SharedRecording& shared_recording() {
  static auto* const one = new SharedRecording();
  return *one;
}
void apply(const HistorySettings& recording, Allocator& allocator) {
  allocator.record_history(recording.keep, recording.max_entries, recording.context);
}

OneAllocator& slot_of(c10::DeviceIndex device) {
  static auto* const all = new std::array<OneAllocator, kMostDevices>();
  return (*all)[static_cast<size_t>(checked_index(device))];
}

// What a profile with profile_memory=True shows; nobody else pays for the totals.
void tell_profiler(Allocator& of, c10::DeviceIndex device, void* address, int64_t change) {
  const auto stats = of.stats();
  const auto live =
      static_cast<size_t>(stats.allocated_bytes.of(xhal::caching::PoolKind::kAggregate).current);
  const auto reserved =
      static_cast<size_t>(stats.reserved_bytes.of(xhal::caching::PoolKind::kAggregate).current);
  c10::reportMemoryUsageToProfiler(address, change, live, reserved, c10::Device(kDevice, device));
}

c10::DeviceIndex device_of(const Allocator& allocator) {
  c10::DeviceIndex device = 0;
  while (slot_of(device).allocator.get() != &allocator) ++device;
  return device;
}

void delete_block(void* context) {
  auto* block = static_cast<Block*>(context);
  if (block == nullptr) return;
  Allocator& owner = *xhal::caching::owner_of(block);
  if (C10_LIKELY(!c10::memoryProfilingEnabled())) return owner.free(block);
  void* const address = xhal::caching::address_of(block);
  const auto size = static_cast<int64_t>(xhal::caching::size_of(block));
  owner.free(block);
  tell_profiler(owner, device_of(owner), address, -size);
}

c10::CachingAllocator::Stat as_torch(const xhal::caching::Stat& stat) {
  c10::CachingAllocator::Stat out;
  out.current = stat.current;
  out.peak = stat.peak;
  out.allocated = stat.allocated;
  out.freed = stat.freed;
  return out;
}

c10::CachingAllocator::StatArray as_torch(const xhal::caching::StatArray& stats) {
  c10::CachingAllocator::StatArray out;
  for (size_t i = 0; i < stats.size(); ++i) out[i] = as_torch(stats[i]);
  return out;
}

struct DeviceMemory final : c10::DeviceAllocator {
  c10::DataPtr allocate(size_t bytes) override {
    const c10::DeviceIndex device = current_device();
    const c10::Device of(kDevice, device);
    if (bytes == 0) return {nullptr, nullptr, &delete_block, of};
    Block* const block = allocate_block(bytes, current_stream(device));
    if (C10_UNLIKELY(c10::memoryProfilingEnabled()))
      tell_profiler(caching_allocator(device), device, xhal::caching::address_of(block),
                    static_cast<int64_t>(xhal::caching::size_of(block)));
    return {xhal::caching::address_of(block), block, &delete_block, of};
  }
  // The context of a block is not its address, so what takes raw pointers cannot free them.
  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }
  void copy_data(void* destination, const void* source, size_t bytes) const override {
    copy_bytes(current_stream(-1), destination, source, bytes);
  }

  bool initialized() override { return device_count() != 0; }
  void emptyCache(c10::MempoolId_t pool) override {
    for (c10::DeviceIndex device = 0; device < device_count(); ++device)
      if (is_active(device)) caching_allocator(device).release_cached({pool.first, pool.second});
  }
  void recordStream(const c10::DataPtr& memory, c10::Stream stream) override {
    record_memory(memory, stream);
  }
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex device) override;
  void resetAccumulatedStats(c10::DeviceIndex device) override { caching_allocator(device).reset_sums(); }
  void resetPeakStats(c10::DeviceIndex device) override { caching_allocator(device).reset_peaks(); }
  std::pair<size_t, size_t> getMemoryInfo(c10::DeviceIndex device) override {
    xhal_memory_info_t info = {};
    info.struct_size = sizeof(info);
    XHAL_CHECK(xhal_device_get_memory_info(device_at(checked_index(device)).handle, &info));
    return {info.free_bytes, info.total_bytes};
  }
};

c10::CachingDeviceAllocator::DeviceStats DeviceMemory::getDeviceStats(c10::DeviceIndex device) {
  const xhal::caching::Stats stats = caching_allocator(device).stats();
  c10::CachingDeviceAllocator::DeviceStats out;
  out.allocation = as_torch(stats.allocation);
  out.segment = as_torch(stats.segment);
  out.active = as_torch(stats.active);
  out.inactive_split = as_torch(stats.inactive_split);
  out.allocated_bytes = as_torch(stats.allocated_bytes);
  out.reserved_bytes = as_torch(stats.reserved_bytes);
  out.active_bytes = as_torch(stats.active_bytes);
  out.inactive_split_bytes = as_torch(stats.inactive_split_bytes);
  out.requested_bytes = as_torch(stats.requested_bytes);
  out.num_alloc_retries = stats.num_alloc_retries;
  out.num_ooms = stats.num_ooms;
  out.oversize_allocations = as_torch(stats.oversize_allocations);
  out.oversize_segments = as_torch(stats.oversize_segments);
  out.num_sync_all_streams = stats.num_sync_all_streams;
  out.num_device_alloc = stats.num_device_alloc;
  out.num_device_free = stats.num_device_free;
  out.max_split_size = stats.max_split_size;
  return out;
}

// Registered when the library is loaded, never destroyed.
const bool is_registered = [] {
  c10::SetAllocator(kDevice, new DeviceMemory());
  return true;
}();

}  // namespace

Allocator& caching_allocator(c10::DeviceIndex device) {
  OneAllocator& slot = slot_of(device);
  std::call_once(slot.once, [&] {
    const Device& of = device_at(checked_index(device));
    const auto settings = settings_of_the_environment();
    const xhal_result_t result = Allocator::create(driver().handle, of.handle, settings, &slot.allocator);
    TORCH_CHECK_NOT_IMPLEMENTED(
        result != XHAL_ERROR_UNSUPPORTED,
        "PYTORCH_ALLOC_CONF: expandable_segments needs a device with virtual memory, ", "and the driver of ",
        of.properties.name, " claims none");
    XHAL_CHECK(result);
    start_autograd();
    watch_activity_of(checked_index(device));
    SharedRecording& shared = shared_recording();
    const std::lock_guard lock(shared.mutex);
    apply(shared.recording, *slot.allocator);
    slot.made.store(slot.allocator.get(), std::memory_order_release);
  });
  return *slot.allocator;
}

Block* allocate_block(size_t bytes, c10::Stream stream) {
  const c10::DeviceIndex device = stream.device_index();
  Block* block = nullptr;
  xhal::caching::OutOfMemory shortage;
  const xhal_result_t result =
      caching_allocator(device).allocate(bytes, stream_of(stream), &block, &shortage);
  TORCH_CHECK_WITH(OutOfMemoryError, result != XHAL_ERROR_OUT_OF_DEVICE_MEMORY, device_title(),
                   " out of memory on device ", static_cast<int>(device), ". ", shortage.text());
  XHAL_CHECK(result);
  return block;
}

Allocator* allocator_if_made(c10::DeviceIndex device) {
  return slot_of(device).made.load(std::memory_order_acquire);
}

void record_history(HistorySettings recording) {
  SharedRecording& shared = shared_recording();
  const std::lock_guard lock(shared.mutex);
  shared.recording = std::move(recording);
  for (c10::DeviceIndex device = 0; device < device_count(); ++device)
    if (Allocator* const allocator = allocator_if_made(device)) apply(shared.recording, *allocator);
}

void record_memory(const c10::DataPtr& memory, c10::Stream stream) {
  // Memory of somebody else (shared, or wrapped) has nobody to tell.
  if (memory.get() == nullptr || memory.get_deleter() != &delete_block) return;
  auto* block = static_cast<Block*>(memory.get_context());
  xhal::caching::owner_of(block)->record_stream(block, stream_of(stream));
}

bool is_capturing(c10::Stream stream) {
  xhal_capture_info_t info = {};
  info.struct_size = sizeof(info);
  const xhal_result_t result = xhal_stream_get_capture_info(handle_of(stream), &info);
  if (result == XHAL_ERROR_UNSUPPORTED) return false;
  XHAL_CHECK(result);
  return info.state != XHAL_CAPTURE_STATE_NONE;
}

}  // namespace torch_xhal
