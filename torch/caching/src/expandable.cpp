// SPDX-License-Identifier: Apache-2.0
// One range of addresses for each pool and stream, backed page by page where blocks need it.
#include <algorithm>
#include <utility>

#include "state.hpp"

namespace xhal::caching {
namespace {

uint64_t down(uint64_t value, uint64_t unit) { return value / unit * unit; }
uint64_t up(uint64_t value, uint64_t unit) { return down(value + unit - 1, unit); }
void* pointer_to(uint64_t address) { return reinterpret_cast<void*>(address); }

}  // namespace

using State = AllocatorState;

// Pages [begin, end) of the segment; all of them or none.
xhal_result_t State::map_pages(ExpandableSegment& segment, uint64_t begin, uint64_t end) {
  const uint64_t bytes = (end - begin) * segment.page;
  if (bytes > limit || reserved() > limit - bytes) return XHAL_ERROR_OUT_OF_DEVICE_MEMORY;
  for (uint64_t page = begin; page < end; ++page) {
    void* at = pointer_to(segment.address + page * segment.page);
    xhal_physical_t physical = nullptr;
    xhal_result_t result = xhal_physical_create(device, segment.page, 0, &physical);
    if (result == XHAL_SUCCESS) {
      result = xhal_vmm_map(device, at, segment.page, physical, 0);
      if (result == XHAL_SUCCESS) {
        segment.pages[page] = physical;
        result = xhal_vmm_set_access(device, at, segment.page, device, XHAL_ACCESS_READ_WRITE);
      } else {
        xhal_physical_destroy(physical);
      }
    }
    if (result != XHAL_SUCCESS) {
      unmap_pages(segment, begin, page + 1);
      return result;
    }
  }
  return XHAL_SUCCESS;
}

void State::unmap_pages(ExpandableSegment& segment, uint64_t begin, uint64_t end) {
  for (uint64_t page = begin; page < end; ++page) {
    if (segment.pages[page] == nullptr) continue;
    xhal_vmm_unmap(device, pointer_to(segment.address + page * segment.page), segment.page);
    xhal_physical_destroy(std::exchange(segment.pages[page], nullptr));
  }
}

// Counts, tells and remembers what became mapped (bytes > 0) or unmapped.
void State::count_mapped(Pool& pool, ExpandableSegment& segment, uint64_t address, int64_t bytes) {
  const bool is_mapping = bytes > 0;
  const auto size = static_cast<uint64_t>(is_mapping ? bytes : -bytes);
  trace(is_mapping ? Action::kSegmentMap : Action::kSegmentUnmap, address, size, segment.stream_id,
        id_of(pool), asked_at);
  if (is_mapping && segment.mapped == 0) {
    count_segment(pool, 1);
    segments.emplace(segment.address, segment.first);
  }
  segment.mapped += static_cast<uint64_t>(bytes);
  if (segment.mapped == 0) {
    count_segment(pool, -1);
    segments.erase(segment.address);
  }
  ++(is_mapping ? stats.num_device_alloc : stats.num_device_free);
  count_reserved(pool, bytes);
}

xhal_result_t State::reserve_segment(Pool& pool, Stream stream, uint64_t least, ExpandableSegment** out) {
  auto segment = std::make_unique<ExpandableSegment>();
  const uint64_t wanted_page = pool.kind == PoolKind::kSmall ? kSmallSegment : settings.large_segment_bytes;
  segment->page = up(wanted_page, vmm.granularity);
  if (least > UINT64_MAX / 4) return XHAL_ERROR_OUT_OF_DEVICE_MEMORY;
  // Addresses cost nothing: an eighth more than the device has, since blocks in use leave holes.
  segment->size = up(std::max(least, device_bytes + device_bytes / 8), segment->page);
  segment->stream_id = stream.id;
  void* address = nullptr;
  xhal_result_t result = xhal_vmm_reserve(device, segment->size, 0, nullptr, &address);
  // Many streams may leave no such range; a smaller one is followed by another.
  while (result == XHAL_ERROR_OUT_OF_HOST_MEMORY && segment->size / 2 >= std::max(least, segment->page)) {
    segment->size = up(segment->size / 2, segment->page);
    result = xhal_vmm_reserve(device, segment->size, 0, nullptr, &address);
  }
  if (result != XHAL_SUCCESS) return result;
  segment->address = reinterpret_cast<uint64_t>(address);
  segment->pages.resize(segment->size / segment->page);
  Block* block = nodes.take();
  block->address = segment->address;
  block->size = segment->size;
  block->stream = stream;
  block->pool = &pool;
  block->home = &pool.list_of(stream.id, &set_nodes);
  block->expandable = segment.get();
  block->is_mapped = false;
  segment->first = block;
  *out = segment.get();
  pool.expandable.push_back(std::move(segment));
  return XHAL_SUCCESS;
}

// The mapped free memory right before a hole is used first; the hole is filled as far as needed.
xhal_result_t State::map_into(Pool& pool, ExpandableSegment& segment, Block* hole, uint64_t size,
                              Block** out) {
  Block* before = hole->previous;
  const bool joins = before != nullptr && before->is_free && before->is_mapped;
  const uint64_t bytes = up(size - (joins ? before->size : 0), segment.page);
  const uint64_t begin = (hole->address - segment.address) / segment.page;
  if (const xhal_result_t result = map_pages(segment, begin, begin + bytes / segment.page);
      result != XHAL_SUCCESS)
    return result;
  if (bytes < hole->size) cut(hole, bytes);
  hole->is_mapped = true;
  count_mapped(pool, segment, hole->address, static_cast<int64_t>(bytes));
  *out = merge(hole);
  return XHAL_SUCCESS;
}

xhal_result_t State::take_expandable(Pool& pool, Stream stream, uint64_t size, Block** out) {
  for (const auto& segment : pool.expandable) {
    if (segment->stream_id != stream.id) continue;
    for (Block* block = segment->first; block != nullptr; block = block->next) {
      if (block->is_mapped) continue;
      const Block* before = block->previous;
      const uint64_t joined = before != nullptr && before->is_free && before->is_mapped ? before->size : 0;
      if (joined + block->size >= size) return map_into(pool, *segment, block, size, out);
    }
  }
  ExpandableSegment* segment = nullptr;
  const xhal_result_t result = reserve_segment(pool, stream, size, &segment);
  return result != XHAL_SUCCESS ? result : map_into(pool, *segment, segment->first, size, out);
}

// Whole pages of free blocks. Unlike a free, an unmap does not heed work that was submitted: only what was freed before the device was
// waited for last is unmapped.
void State::unmap_free(Pool& pool) {
  const RelaxedCapture relaxed(*this);
  for (const auto& segment : pool.expandable)
    for (Block* block = segment->first; block != nullptr; block = block->next) {
      if (!block->is_free || !block->is_mapped || block->last_free > settled_frees) continue;
      const uint64_t begin = up(block->address - segment->address, segment->page);
      const uint64_t end = down(block->address - segment->address + block->size, segment->page);
      if (begin >= end) continue;
      take_out(block);
      block = unmap_part(pool, *segment, block, segment->address + begin, end - begin);
    }
}

// Of a block in no list; what is left on both sides is free, and the hole is one with holes beside it. Returns the hole.
Block* State::unmap_part(Pool& pool, ExpandableSegment& segment, Block* block, uint64_t address,
                         uint64_t size) {
  const uint64_t begin = (address - segment.address) / segment.page;
  unmap_pages(segment, begin, begin + size / segment.page);
  Block* hole = address > block->address ? cut(block, address - block->address) : block;
  Block* behind = hole->size > size ? cut(hole, size) : nullptr;
  hole->is_mapped = false;
  if (hole != block) put_in(block);
  if (behind != nullptr) put_in(behind);
  count_mapped(pool, segment, address, -static_cast<int64_t>(size));
  if (Block* next = hole->next; next != nullptr && !next->is_mapped) absorb(hole, next);
  if (Block* previous = hole->previous; previous != nullptr && !previous->is_mapped) {
    absorb(previous, hole);
    hole = previous;
  }
  return hole;
}

// Of segments without a mapped page.
void State::release_addresses(Pool& pool) {
  for (const auto& segment : pool.expandable) {
    xhal_vmm_release(device, pointer_to(segment->address), segment->size);
    nodes.give_back(segment->first);
  }
  pool.expandable.clear();
}

}  // namespace xhal::caching
