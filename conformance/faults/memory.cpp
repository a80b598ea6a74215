// SPDX-License-Identifier: Apache-2.0
// Lies about virtual and managed memory, peers, pools and region copies. Each function does what the base driver does, but for one lie.
#include <algorithm>
#include <vector>

#include "fault.hpp"

namespace xhal::faults {
namespace {

// ---- Virtual memory ----

uint64_t minimum_of(xhal_device_t device) {
  auto granularity = sized<xhal_vmm_granularity_t>();
  return next::vmm_get_granularity(device, &granularity) == XHAL_SUCCESS ? granularity.minimum : 1;
}

xhal_result_t ranges_are_rounded(xhal_device_t device, uint64_t size, uint64_t alignment, void* hint,
                                 void** out) {
  const uint64_t granule = minimum_of(device);
  if (size != 0 && size < UINT64_MAX - granule) size = (size + granule - 1) / granule * granule;
  return next::vmm_reserve(device, size, alignment, hint, out);
}

// One granule into a range that is aligned, so that the address is not. Nobody releases it, which the suite does not mind.
xhal_result_t alignment_is_ignored(xhal_device_t device, uint64_t size, uint64_t alignment, void* hint,
                                   void** out) {
  const uint64_t granule = minimum_of(device);
  if (alignment <= granule || out == nullptr) return next::vmm_reserve(device, size, alignment, hint, out);
  void* pointer = nullptr;
  const xhal_result_t result = next::vmm_reserve(device, size + granule, alignment, hint, &pointer);
  if (result == XHAL_SUCCESS) *out = static_cast<char*>(pointer) + granule;
  return result;
}

xhal_result_t hints_are_orders(xhal_device_t device, uint64_t size, uint64_t alignment, void* hint,
                               void** out) {
  void* pointer = nullptr;
  const xhal_result_t result =
      next::vmm_reserve(device, size, alignment, hint, out == nullptr ? nullptr : &pointer);
  if (result != XHAL_SUCCESS) return result;
  if (hint != nullptr && hint != pointer) {
    next::vmm_release(device, pointer, size);
    return XHAL_ERROR_INVALID_POINTER;
  }
  *out = pointer;
  return XHAL_SUCCESS;
}

xhal_result_t access_is_never_taken_away(xhal_device_t device, void* pointer, uint64_t size,
                                         xhal_device_t accessor, uint32_t access) {
  const bool is_known = access == XHAL_ACCESS_NONE || access == XHAL_ACCESS_READ;
  return next::vmm_set_access(device, pointer, size, accessor,
                              is_known ? uint32_t{XHAL_ACCESS_READ_WRITE} : access);
}

xhal_result_t map_ignores_its_offset(xhal_device_t device, void* pointer, uint64_t size,
                                     xhal_physical_t physical, uint64_t offset) {
  return next::vmm_map(device, pointer, size, physical, offset % minimum_of(device));
}

xhal_result_t map_maps_new_memory(xhal_device_t device, void* pointer, uint64_t size,
                                  xhal_physical_t physical, uint64_t offset) {
  xhal_physical_t other = nullptr;
  if (offset != 0 || below(device).physical_create(device, size, 0, &other) != XHAL_SUCCESS)
    return next::vmm_map(device, pointer, size, physical, offset);
  const xhal_result_t result = below(device).vmm_map(device, pointer, size, other, 0);
  below(device).physical_destroy(other);
  return result;
}

xhal_result_t physical_memory_stays(xhal_physical_t physical) {
  (void)physical;
  return XHAL_SUCCESS;
}

xhal_result_t busy_is_a_bad_pointer(xhal_device_t device, void* pointer, uint64_t size) {
  const xhal_result_t result = next::vmm_release(device, pointer, size);
  return result == XHAL_ERROR_BUSY ? XHAL_ERROR_INVALID_POINTER : result;
}

xhal_result_t no_memory_is_a_limit(xhal_device_t device, uint64_t size, uint32_t flags,
                                   xhal_physical_t* out) {
  const xhal_result_t result = next::physical_create(device, size, flags, out);
  return result == XHAL_ERROR_OUT_OF_DEVICE_MEMORY ? XHAL_ERROR_LIMIT_EXCEEDED : result;
}

xhal_result_t reserved_is_device_memory(xhal_driver_t driver, const void* pointer,
                                        xhal_pointer_attributes_t* out) {
  const xhal_result_t result = next::driver_get_pointer_attributes(driver, pointer, out);
  xhal_pointer_attributes_t* attributes = told(result, out);
  if (attributes != nullptr && attributes->kind == XHAL_MEMORY_RESERVED)
    attributes->kind = XHAL_MEMORY_DEVICE;
  return result;
}

// ---- Managed memory and peers ----

xhal_result_t prefetch_clears(xhal_stream_t stream, const void* pointer, uint64_t size, uint32_t to_host) {
  const xhal_result_t result = next::memory_prefetch(stream, pointer, size, to_host);
  return result == XHAL_SUCCESS ? next::memory_fill(stream, const_cast<void*>(pointer), 0, 1, size) : result;
}

xhal_result_t prefetch_waits(xhal_stream_t stream, const void* pointer, uint64_t size, uint32_t to_host) {
  const xhal_result_t result = next::memory_prefetch(stream, pointer, size, to_host);
  next::stream_synchronize(stream, kLongEnoughNs);
  return result;
}

xhal_result_t any_advice_is_taken(xhal_device_t device, const void* pointer, uint64_t size, uint32_t advice) {
  return ignoring(next::memory_advise(device, pointer, size, advice), XHAL_ERROR_INVALID_ARGUMENT);
}

xhal_result_t managed_is_pinned(xhal_driver_t driver, const void* pointer, xhal_pointer_attributes_t* out) {
  const xhal_result_t result = next::driver_get_pointer_attributes(driver, pointer, out);
  xhal_pointer_attributes_t* attributes = told(result, out);
  if (attributes != nullptr && attributes->kind == XHAL_MEMORY_MANAGED) attributes->kind = XHAL_MEMORY_PINNED;
  return result;
}

xhal_result_t peers_are_enabled_twice(xhal_device_t device, xhal_device_t peer) {
  return ignoring(next::device_enable_peer(device, peer), XHAL_ERROR_ALREADY_DONE);
}

xhal_result_t everybody_is_a_peer(xhal_device_t device, xhal_device_t peer) {
  const xhal_result_t result = next::device_enable_peer(device, peer);
  return result == XHAL_ERROR_ALREADY_DONE ? result : XHAL_SUCCESS;
}

// ---- Pools ----

// Blocks that were freed, for whoever asks for as much of the same pool.
struct Blocks {
  std::mutex lock;
  struct Block {
    xhal_pool_t pool;
    void* pointer;
    uint64_t size;
  };
  std::vector<Block> live;
  std::vector<Block> freed;
  std::atomic<void*> shared{nullptr};  // what all captures share
};

xhal_result_t allocate_what_was_freed(xhal_pool_t pool, xhal_stream_t stream, uint64_t size, void** out) {
  Blocks& blocks = own<Blocks>(pool);
  if (out != nullptr && !is_capturing(stream)) {
    const std::lock_guard guard(blocks.lock);
    const auto found = std::ranges::find_if(
        blocks.freed, [&](const auto& block) { return block.pool == pool && block.size == size; });
    if (found != blocks.freed.end()) {
      *out = found->pointer;
      blocks.live.push_back(*found);
      blocks.freed.erase(found);
      return XHAL_SUCCESS;
    }
  }
  const xhal_result_t result = next::pool_allocate(pool, stream, size, out);
  if (result == XHAL_SUCCESS && !is_capturing(stream)) {
    const std::lock_guard guard(blocks.lock);
    blocks.live.push_back({pool, *out, size});
  }
  return result;
}

xhal_result_t free_for_anybody(xhal_pool_t pool, xhal_stream_t stream, void* pointer) {
  Blocks& blocks = own<Blocks>(pool);
  if (is_capturing(stream)) return next::pool_free(pool, stream, pointer);
  const std::lock_guard guard(blocks.lock);
  const auto found = std::ranges::find_if(
      blocks.live, [&](const auto& block) { return block.pool == pool && block.pointer == pointer; });
  if (found == blocks.live.end()) return next::pool_free(pool, stream, pointer);
  blocks.freed.push_back(*found);
  blocks.live.erase(found);
  return XHAL_SUCCESS;
}

xhal_result_t pool_free_waits(xhal_pool_t pool, xhal_stream_t stream, void* pointer) {
  next::stream_synchronize(stream, kLongEnoughNs);
  return next::pool_free(pool, stream, pointer);
}

xhal_result_t pool_without_limit(xhal_device_t device, const xhal_pool_desc_t* desc, xhal_pool_t* out) {
  if (desc == nullptr || desc->struct_size != sizeof(*desc)) return next::pool_create(device, desc, out);
  xhal_pool_desc_t open = *desc;
  open.max_bytes = 0;
  return next::pool_create(device, &open, out);
}

xhal_result_t used_bytes_are_rounded(xhal_pool_t pool, xhal_pool_info_t* out) {
  const xhal_result_t result = next::pool_get_info(pool, out);
  if (result == XHAL_SUCCESS) out->used_bytes = (out->used_bytes + 255) / 256 * 256;
  return result;
}

xhal_result_t peaks_fall(xhal_pool_t pool, xhal_pool_info_t* out) {
  const xhal_result_t result = next::pool_get_info(pool, out);
  if (result == XHAL_SUCCESS) out->peak_used_bytes = out->used_bytes;
  return result;
}

xhal_result_t trim_not_below_a_megabyte(xhal_pool_t pool, uint64_t keep_bytes) {
  return next::pool_trim(pool, keep_bytes < 1u << 20 ? 1u << 26 : keep_bytes);
}

xhal_result_t pool_free_anything(xhal_pool_t pool, xhal_stream_t stream, void* pointer) {
  const xhal_result_t result = next::pool_free(pool, stream, pointer);
  return result == XHAL_ERROR_INVALID_POINTER ? XHAL_SUCCESS : result;
}

xhal_result_t attributes_in_pages(xhal_driver_t driver, const void* pointer, xhal_pointer_attributes_t* out) {
  const xhal_result_t result = next::driver_get_pointer_attributes(driver, pointer, out);
  if (result == XHAL_SUCCESS) out->size = (out->size + 4095) / 4096 * 4096;
  return result;
}

xhal_result_t allocate_shared_in_captures(xhal_pool_t pool, xhal_stream_t stream, uint64_t size, void** out) {
  if (!is_capturing(stream)) return next::pool_allocate(pool, stream, size, out);
  std::atomic<void*>& shared = own<Blocks>(pool).shared;
  if (shared.load() == nullptr) {
    void* block = nullptr;
    const xhal_result_t result = below(stream).pool_allocate(pool, default_stream_of(stream), size, &block);
    if (result != XHAL_SUCCESS) return result;
    shared.store(block);
  }
  *out = shared.load();
  return XHAL_SUCCESS;
}

xhal_result_t free_nothing_in_captures(xhal_pool_t pool, xhal_stream_t stream, void* pointer) {
  return is_capturing(stream) ? xhal_result_t{XHAL_SUCCESS} : next::pool_free(pool, stream, pointer);
}

xhal_result_t allocate_for_any_stream(xhal_pool_t pool, xhal_stream_t stream, uint64_t size, void** out) {
  const xhal_result_t result = next::pool_allocate(pool, stream, size, out);
  return result == XHAL_ERROR_INVALID_ARGUMENT ? XHAL_SUCCESS : result;
}

// ---- Regions ----

xhal_result_t copy_one_slice(xhal_stream_t stream, const xhal_copy_region_t* region) {
  if (region == nullptr || region->struct_size != sizeof(*region) || region->extent[2] < 2)
    return next::memory_copy_region(stream, region);
  xhal_copy_region_t one = *region;
  one.extent[2] = 1;
  return next::memory_copy_region(stream, &one);
}

// Rows as long as the smaller pitch, where that does not leave an allocation: all but the last one.
xhal_result_t copy_with_gaps(xhal_stream_t stream, const xhal_copy_region_t* region) {
  const xhal_result_t result = next::memory_copy_region(stream, region);
  if (result != XHAL_SUCCESS || region->extent[1] < 2) return result;
  xhal_copy_region_t wide = *region;
  wide.extent[0] =
      region->source_pitch < region->destination_pitch ? region->source_pitch : region->destination_pitch;
  --wide.extent[1];
  return next::memory_copy_region(stream, &wide);
}

xhal_result_t copy_any_pitch(xhal_stream_t stream, const xhal_copy_region_t* region) {
  const xhal_result_t result = next::memory_copy_region(stream, region);
  return result == XHAL_ERROR_INVALID_ARGUMENT ? XHAL_SUCCESS : result;
}

// ---- Pinned memory ----

// The host keeps what it had.
xhal_result_t copy_nothing_to_pinned(xhal_stream_t stream, void* destination, const void* source,
                                     uint64_t size) {
  return next::memory_copy(stream, destination, source,
                           kind_of(stream, destination) == XHAL_MEMORY_PINNED ? 0 : size);
}

}  // namespace

const std::span<const Lie> kMemoryLies = [] {
  static const Lie kLies[] = {
#include "table/memory.def"
  };
  return std::span<const Lie>(kLies);
}();

}  // namespace xhal::faults
