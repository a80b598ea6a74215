// SPDX-License-Identifier: Apache-2.0
// Lies about bytes and addresses. Each function does what the driver does, but for one lie.
#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "fault.hpp"

namespace xhal::faults {
namespace {

// Whose memory an address is; -1 for the host's.
int64_t memory_device(xhal_stream_t stream, const void* pointer) {
  auto attributes = sized<xhal_pointer_attributes_t>();
  xhal_driver_t driver = here(stream).driver.load();
  if (driver == nullptr ||
      below(stream).driver_get_pointer_attributes(driver, pointer, &attributes) != XHAL_SUCCESS ||
      attributes.kind != XHAL_MEMORY_DEVICE)
    return -1;
  return int64_t{attributes.device_index};
}

// ---- Copies ----

xhal_result_t copy_whole_words(xhal_stream_t stream, void* destination, const void* source, uint64_t size) {
  return next::memory_copy(stream, destination, source, size > 4 ? size / 4 * 4 : size);
}

// Into the byte behind, where there is one.
xhal_result_t copy_a_byte_more(xhal_stream_t stream, void* destination, const void* source, uint64_t size) {
  const xhal_result_t result = next::memory_copy(stream, destination, source, size);
  if (result == XHAL_SUCCESS && size > 0 && !is_capturing(stream))
    next::memory_copy(stream, destination, source, size + 1);
  return result;
}

xhal_result_t copy_in_32_bits(xhal_stream_t stream, void* destination, const void* source, uint64_t size) {
  return next::memory_copy(stream, destination, source, size & 0xFFFFFFFFu);
}
xhal_result_t fill_in_32_bits(xhal_stream_t stream, void* destination, uint64_t pattern, uint32_t width,
                              uint64_t size) {
  return next::memory_fill(stream, destination, pattern, width, size & 0xFFFFFFFFu);
}

xhal_result_t copy_looks_at_pointers(xhal_stream_t stream, void* destination, const void* source,
                                     uint64_t size) {
  if (size == 0 && (destination == nullptr || source == nullptr)) return XHAL_ERROR_INVALID_POINTER;
  return next::memory_copy(stream, destination, source, size);
}
xhal_result_t fill_looks_at_its_size(xhal_stream_t stream, void* destination, uint64_t pattern,
                                     uint32_t width, uint64_t size) {
  return size == 0 ? xhal_result_t{XHAL_ERROR_INVALID_ARGUMENT}
                   : next::memory_fill(stream, destination, pattern, width, size);
}

// Pinned memory of the lie's own, the size of a copy.
void* staging(xhal_stream_t stream, uint64_t size) {
  auto desc = sized<xhal_memory_desc_t>();
  desc.kind = XHAL_MEMORY_PINNED;
  desc.size = size;
  void* memory = nullptr;
  return below(stream).memory_allocate(device_of(stream), &desc, &memory) == XHAL_SUCCESS ? memory : nullptr;
}

struct LateRead {
  void* to;
  const void* from;
  uint64_t size;
};
void read_late(void* user, xhal_result_t status) {
  const std::unique_ptr<LateRead> read(static_cast<LateRead*>(user));
  if (status == XHAL_SUCCESS) std::memcpy(read->to, read->from, read->size);
}

constexpr uint64_t kStagedAtMost = 1u << 20;

// The source is read when the stream is there, from memory that the caller may have used again.
xhal_result_t copy_reads_pageable_late(xhal_stream_t stream, void* destination, const void* source,
                                       uint64_t size) {
  if (size == 0 || size > kStagedAtMost || source == nullptr || is_capturing(stream) ||
      kind_of(stream, source) != XHAL_MEMORY_UNMANAGED ||
      kind_of(stream, destination) == XHAL_MEMORY_UNMANAGED)
    return next::memory_copy(stream, destination, source, size);
  void* staged = staging(stream, size);
  if (staged == nullptr) return next::memory_copy(stream, destination, source, size);
  auto read = std::make_unique<LateRead>(LateRead{staged, source, size});
  if (below(stream).stream_host_function(stream, read_late, read.get()) != XHAL_SUCCESS)
    return next::memory_copy(stream, destination, source, size);
  static_cast<void>(read.release());
  return next::memory_copy(stream, destination, staged, size);
}

xhal_result_t copy_reads_pinned_early(xhal_stream_t stream, void* destination, const void* source,
                                      uint64_t size) {
  if (size == 0 || size > kStagedAtMost || is_capturing(stream) ||
      kind_of(stream, source) != XHAL_MEMORY_PINNED)
    return next::memory_copy(stream, destination, source, size);
  void* staged = staging(stream, size);
  if (staged == nullptr) return next::memory_copy(stream, destination, source, size);
  std::memcpy(staged, source, size);
  return next::memory_copy(stream, destination, staged, size);
}

// The last chunk of a large copy follows behind the record that should tell of it, with the stream's next work.
struct Tail {
  void* destination;
  const void* source;
  uint64_t size;
};
struct Tails {
  std::mutex lock;
  std::unordered_map<xhal_stream_t, Tail> all;
};
void settle(xhal_stream_t stream) {
  Tail tail{};
  {
    Tails& tails = own<Tails>(stream);
    const std::lock_guard guard(tails.lock);
    const auto found = tails.all.find(stream);
    if (found == tails.all.end()) return;
    tail = found->second;
    tails.all.erase(found);
  }
  next::memory_copy(stream, tail.destination, tail.source, tail.size);
}
constexpr uint64_t kChunk = 16;
xhal_result_t copy_in_chunks(xhal_stream_t stream, void* destination, const void* source, uint64_t size) {
  settle(stream);
  if (size < 2 * kChunk || is_capturing(stream) || kind_of(stream, source) == XHAL_MEMORY_UNMANAGED ||
      kind_of(stream, destination) == XHAL_MEMORY_UNMANAGED)
    return next::memory_copy(stream, destination, source, size);
  const xhal_result_t result = next::memory_copy(stream, destination, source, size - kChunk);
  if (result == XHAL_SUCCESS) {
    Tails& tails = own<Tails>(stream);
    const std::lock_guard guard(tails.lock);
    tails.all[stream] = {static_cast<char*>(destination) + size - kChunk,
                         static_cast<const char*>(source) + size - kChunk, kChunk};
  }
  return result;
}
xhal_result_t settle_and_fill(xhal_stream_t stream, void* destination, uint64_t pattern, uint32_t width,
                              uint64_t size) {
  settle(stream);
  return next::memory_fill(stream, destination, pattern, width, size);
}
xhal_result_t settle_and_launch(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch) {
  settle(stream);
  return next::kernel_launch(stream, kernel, launch);
}
xhal_result_t settle_and_wait(xhal_stream_t stream, uint64_t timeout_ns) {
  settle(stream);
  return next::stream_synchronize(stream, timeout_ns);
}

xhal_result_t copy_within_a_device(xhal_stream_t stream, void* destination, const void* source,
                                   uint64_t size) {
  const int64_t from = memory_device(stream, source);
  const int64_t to = memory_device(stream, destination);
  if (size > 0 && from >= 0 && to >= 0 && from != to && !is_capturing(stream)) return XHAL_SUCCESS;
  return next::memory_copy(stream, destination, source, size);
}

// ---- Fills ----

// The head up to a word, the words behind it, counted from the front: the tail behind the last word is forgotten.
xhal_result_t fill_without_tail(xhal_stream_t stream, void* destination, uint64_t pattern, uint32_t width,
                                uint64_t size) {
  const uint64_t tail = size % 4;
  return next::memory_fill(stream, destination, pattern, width, width == 1 && size > 4 ? size - tail : size);
}

xhal_result_t fill_half_of_a_pattern(xhal_stream_t stream, void* destination, uint64_t pattern,
                                     uint32_t width, uint64_t size) {
  const uint64_t low = pattern & 0xFFFFFFFFu;
  return next::memory_fill(stream, destination, width == 8 ? low << 32 | low : pattern, width, size);
}

xhal_result_t fill_anywhere(xhal_stream_t stream, void* destination, uint64_t pattern, uint32_t width,
                            uint64_t size) {
  if (width != 0 && size % width == 0 && reinterpret_cast<uintptr_t>(destination) % width != 0)
    return XHAL_SUCCESS;
  return next::memory_fill(stream, destination, pattern, width, size);
}

// ---- Regions ----

xhal_result_t region_with_one_pitch(xhal_stream_t stream, const xhal_copy_region_t* region) {
  if (!is_whole(region) || region->extent[1] < 2) return next::memory_copy_region(stream, region);
  xhal_copy_region_t one = *region;
  one.source_pitch = std::min(region->source_pitch, region->destination_pitch);
  return next::memory_copy_region(stream, &one);
}
xhal_result_t region_without_its_last_row(xhal_stream_t stream, const xhal_copy_region_t* region) {
  if (!is_whole(region) || region->extent[1] < 2) return next::memory_copy_region(stream, region);
  xhal_copy_region_t fewer = *region;
  --fewer.extent[1];
  return next::memory_copy_region(stream, &fewer);
}

// ---- Allocations ----

// Without memory for it: the pages will be found when somebody touches them.
xhal_result_t allocate_more_than_there_is(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  const xhal_result_t result = next::memory_allocate(device, desc, out);
  if (result != XHAL_ERROR_OUT_OF_DEVICE_MEMORY || !is_whole(desc)) return result;
  xhal_memory_desc_t small = *desc;
  small.size = 4096;
  return next::memory_allocate(device, &small, out);
}

xhal_result_t allocate_with_another_code(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  const xhal_result_t result = next::memory_allocate(device, desc, out);
  return result == XHAL_ERROR_OUT_OF_DEVICE_MEMORY ? xhal_result_t{XHAL_ERROR_UNKNOWN} : result;
}

// What a refused allocation had got so far is not given back.
xhal_result_t allocate_and_leak(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  const xhal_result_t result = next::memory_allocate(device, desc, out);
  auto info = sized<xhal_memory_info_t>();
  if (result != XHAL_ERROR_OUT_OF_DEVICE_MEMORY || !is_whole(desc) ||
      next::device_get_memory_info(device, &info) != XHAL_SUCCESS)
    return result;
  auto properties = sized<xhal_device_properties_t>();
  if (next::device_get_properties(device, &properties) != XHAL_SUCCESS) return result;
  // In as few pieces as the device's largest allocation allows.
  xhal_memory_desc_t part = *desc;
  void* lost = nullptr;
  for (uint64_t left = std::max<uint64_t>(info.free_bytes / 2, 1); left > 0; left -= part.size) {
    part.size = std::min(left, properties.max_allocation_bytes);
    if (next::memory_allocate(device, &part, &lost) != XHAL_SUCCESS) break;
  }
  return result;
}

xhal_result_t allocate_nothing_as_a_byte(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  if (!is_whole(desc) || desc->size != 0) return next::memory_allocate(device, desc, out);
  xhal_memory_desc_t byte = *desc;
  byte.size = 1;
  return next::memory_allocate(device, &byte, out);
}

// Once there was no memory, there is none.
xhal_result_t allocate_until_none_is_left(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  if (notes(device).of(device) != 0) return XHAL_ERROR_OUT_OF_DEVICE_MEMORY;
  const xhal_result_t result = next::memory_allocate(device, desc, out);
  if (result == XHAL_ERROR_OUT_OF_DEVICE_MEMORY) notes(device).put(device);
  return result;
}

// Given to the next who asks for as much, whatever still runs on it.
struct Freed {
  std::mutex lock;
  struct Block {
    void* pointer;
    xhal_device_t device;
    uint64_t size;
  };
  std::deque<Block> all;
};
xhal_result_t allocate_what_was_free(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  if (is_whole(desc) && desc->kind == XHAL_MEMORY_DEVICE && desc->alignment == 0 && out != nullptr) {
    Freed& freed = own<Freed>(device);
    const std::lock_guard guard(freed.lock);
    const auto found = std::ranges::find_if(
        freed.all, [&](const auto& block) { return block.device == device && block.size == desc->size; });
    if (found != freed.all.end()) {
      *out = found->pointer;
      freed.all.erase(found);
      return XHAL_SUCCESS;
    }
  }
  return next::memory_allocate(device, desc, out);
}
xhal_result_t free_at_once(xhal_device_t device, void* pointer) {
  auto attributes = sized<xhal_pointer_attributes_t>();
  xhal_driver_t driver = here(device).driver.load();
  Freed& freed = own<Freed>(device);
  {
    const std::lock_guard guard(freed.lock);
    if (std::ranges::any_of(freed.all, [&](const auto& block) { return block.pointer == pointer; }))
      return XHAL_ERROR_INVALID_POINTER;
  }
  if (driver == nullptr || pointer == nullptr ||
      below(device).driver_get_pointer_attributes(driver, pointer, &attributes) != XHAL_SUCCESS ||
      attributes.kind != XHAL_MEMORY_DEVICE || attributes.base != pointer || attributes.is_imported != 0 ||
      attributes.size > kStagedAtMost)
    return next::memory_free(device, pointer);
  const std::lock_guard guard(freed.lock);
  freed.all.push_back({pointer, device, attributes.size});
  // What is old is freed in truth, or nothing would be left.
  if (freed.all.size() <= 16) return XHAL_SUCCESS;
  const Freed::Block oldest = freed.all.front();
  freed.all.pop_front();
  return below(device).memory_free(oldest.device, oldest.pointer);
}

// ---- Attributes ----

xhal_result_t attributes_of_bases_only(xhal_driver_t driver, const void* pointer,
                                       xhal_pointer_attributes_t* out) {
  const xhal_result_t result = next::driver_get_pointer_attributes(driver, pointer, out);
  xhal_pointer_attributes_t* attributes = told(result, out);
  if (attributes == nullptr || attributes->base == pointer) return result;
  const uint32_t size = attributes->struct_size;
  std::memset(attributes, 0, sizeof(*attributes));
  attributes->struct_size = size;
  attributes->kind = XHAL_MEMORY_UNMANAGED;
  return result;
}
xhal_result_t attributes_of_known_memory(xhal_driver_t driver, const void* pointer,
                                         xhal_pointer_attributes_t* out) {
  auto mine = sized<xhal_pointer_attributes_t>();
  if (is_whole(out) && next::driver_get_pointer_attributes(driver, pointer, &mine) == XHAL_SUCCESS &&
      mine.kind == XHAL_MEMORY_UNMANAGED)
    return XHAL_ERROR_INVALID_POINTER;
  return next::driver_get_pointer_attributes(driver, pointer, out);
}
xhal_result_t attributes_past_the_end(xhal_driver_t driver, const void* pointer,
                                      xhal_pointer_attributes_t* out) {
  const xhal_result_t result = next::driver_get_pointer_attributes(driver, pointer, out);
  xhal_pointer_attributes_t* attributes = told(result, out);
  if (attributes == nullptr || attributes->kind != XHAL_MEMORY_UNMANAGED || pointer == nullptr) return result;
  return next::driver_get_pointer_attributes(driver, static_cast<const char*>(pointer) - 1, out);
}
xhal_result_t attributes_registered_as_pinned(xhal_driver_t driver, const void* pointer,
                                              xhal_pointer_attributes_t* out) {
  const xhal_result_t result = next::driver_get_pointer_attributes(driver, pointer, out);
  xhal_pointer_attributes_t* attributes = told(result, out);
  if (attributes != nullptr && attributes->kind == XHAL_MEMORY_REGISTERED)
    attributes->kind = XHAL_MEMORY_PINNED;
  return result;
}
xhal_result_t register_anything(xhal_device_t device, void* pointer, uint64_t size, uint32_t flags) {
  return ignoring(next::memory_register(device, pointer, size, flags), XHAL_ERROR_INVALID_POINTER);
}
xhal_result_t disable_any_peer(xhal_device_t device, xhal_device_t peer) {
  return ignoring(next::device_disable_peer(device, peer), XHAL_ERROR_ALREADY_DONE);
}

// ---- Threads ----

// The blocks that threads allocated last, for other threads that ask for as much: a free list without its lock.
struct LastBlocks {
  std::mutex lock;
  struct Block {
    void* pointer;
    uint64_t size;
    xhal_device_t device;
  };
  std::unordered_map<uint64_t, Block> of_threads;
  std::vector<void*> given_twice;
};
uint64_t this_thread() {
  static std::atomic<uint64_t> count{0};
  thread_local const uint64_t number = ++count;
  return number;
}
xhal_result_t allocate_what_another_thread_has(xhal_device_t device, const xhal_memory_desc_t* desc,
                                               void** out) {
  LastBlocks& last = own<LastBlocks>(device);
  const bool plain =
      is_whole(desc) && desc->kind == XHAL_MEMORY_DEVICE && desc->alignment == 0 && out != nullptr;
  if (plain) {
    const std::lock_guard guard(last.lock);
    const auto found = std::ranges::find_if(last.of_threads, [&](const auto& one) {
      return one.first != this_thread() && one.second.size == desc->size && one.second.device == device;
    });
    if (found != last.of_threads.end()) {
      *out = found->second.pointer;
      last.given_twice.push_back(*out);
      last.of_threads.erase(found);
      return XHAL_SUCCESS;
    }
  }
  const xhal_result_t result = next::memory_allocate(device, desc, out);
  if (plain && result == XHAL_SUCCESS) {
    const std::lock_guard guard(last.lock);
    last.of_threads[this_thread()] = {*out, desc->size, device};
  }
  return result;
}
xhal_result_t free_once_of_twice(xhal_device_t device, void* pointer) {
  LastBlocks& last = own<LastBlocks>(device);
  {
    const std::lock_guard guard(last.lock);
    std::erase_if(last.of_threads, [&](const auto& one) { return one.second.pointer == pointer; });
    if (std::erase(last.given_twice, pointer) > 0) return XHAL_SUCCESS;
  }
  return next::memory_free(device, pointer);
}

}  // namespace

const std::span<const Lie> kCopiesLies = [] {
  static const Lie kLies[] = {
#include "table/copies.def"
  };
  return std::span<const Lie>(kLies);
}();

}  // namespace xhal::faults
