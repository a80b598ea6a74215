// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "xhal/caching/allocator.hpp"

namespace xhal::caching {

class FreeList;
struct ExpandableSegment;
struct Pool;

// A recorded stream, perhaps of another device; it may be destroyed before the block is freed.
struct User {
  Stream stream;
  xhal_device_t device = nullptr;
};

// A range of a segment. The blocks of a segment are linked by address and tile it; the first stays the first as long as the segment is.
struct Block {
  uint64_t address = 0;
  uint64_t size = 0;
  uint64_t requested = 0;
  Stream stream;
  Pool* pool = nullptr;
  FreeList* home = nullptr;  // of its pool and stream
  Block* previous = nullptr;
  Block* next = nullptr;
  // In a bin of small blocks.
  Block* bin_previous = nullptr;
  Block* bin_next = nullptr;
  ExpandableSegment* expandable = nullptr;
  uint64_t freed_at = 0;   // the pool's count of searches
  uint64_t last_free = 0;  // the allocator's count of frees
  uint32_t events_pending = 0;
  bool is_live = false;
  bool is_free = false;  // in its home; neither free nor live: waits for recorded streams
  bool is_mapped = true;
  bool is_counted_split = false;
  std::vector<User> users;  // without its own stream
  Context allocated_at;
  Context segment_at;  // of the first block: where the segment was taken

  // What is not mapped is no part of the segment.
  bool is_split() const {
    return (previous != nullptr && previous->is_mapped) || (next != nullptr && next->is_mapped);
  }
};

// Nodes for blocks; a node is used again, never given back before the allocator goes.
class BlockNodes {
 public:
  BlockNodes() = default;
  BlockNodes(const BlockNodes&) = delete;
  BlockNodes& operator=(const BlockNodes&) = delete;
  ~BlockNodes() {
    for (Block* chunk : chunks_) delete[] chunk;
  }
  Block* take() {
    if (unused_ == nullptr) grow();
    Block* out = unused_;
    unused_ = out->next;
    out->next = nullptr;
    return out;
  }
  void give_back(Block* block) {
    *block = Block{};
    block->next = unused_;
    unused_ = block;
  }

 private:
  static constexpr size_t kChunk = 128;
  void grow() {
    chunks_.reserve(chunks_.size() + 1);
    Block* chunk = new Block[kChunk];
    chunks_.push_back(chunk);
    for (size_t i = kChunk; i-- > 0;) {
      chunk[i].next = unused_;
      unused_ = &chunk[i];
    }
  }
  std::vector<Block*> chunks_;
  Block* unused_ = nullptr;
};

}  // namespace xhal::caching
