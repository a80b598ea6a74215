// SPDX-License-Identifier: Apache-2.0
// The free blocks of one pool and stream, to be searched for the smallest that is large enough.
#pragma once

#include <array>
#include <bit>
#include <memory>
#include <memory_resource>
#include <set>
#include <vector>

#include "block.hpp"

namespace xhal::caching {

// One bin for each size of small blocks: what is freed last in a bin is found first, while it is still in the caches.
class SmallBins {
 public:
  void insert(Block* block) {
    const size_t bin = bin_of(block->size);
    block->bin_previous = nullptr;
    block->bin_next = heads_[bin];
    if (heads_[bin] != nullptr) heads_[bin]->bin_previous = block;
    heads_[bin] = block;
    words_[bin / 64] |= uint64_t{1} << (bin % 64);
    summary_ |= uint64_t{1} << (bin / 64);
  }
  void remove(Block* block) {
    const size_t bin = bin_of(block->size);
    if (block->bin_previous != nullptr) block->bin_previous->bin_next = block->bin_next;
    if (block->bin_next != nullptr) block->bin_next->bin_previous = block->bin_previous;
    if (heads_[bin] != block) return;
    heads_[bin] = block->bin_next;
    if (heads_[bin] != nullptr) return;
    words_[bin / 64] &= ~(uint64_t{1} << (bin % 64));
    if (words_[bin / 64] == 0) summary_ &= ~(uint64_t{1} << (bin / 64));
  }
  Block* best_fit(uint64_t size) const {
    const size_t bin = bin_of(size);
    size_t word = bin / 64;
    if (const uint64_t rest = words_[word] & (~uint64_t{0} << (bin % 64)); rest != 0)
      return heads_[word * 64 + static_cast<size_t>(std::countr_zero(rest))];
    if (++word == words_.size()) return nullptr;
    const uint64_t later = summary_ & (~uint64_t{0} << word);
    if (later == 0) return nullptr;
    word = static_cast<size_t>(std::countr_zero(later));
    return heads_[word * 64 + static_cast<size_t>(std::countr_zero(words_[word]))];
  }
  template <typename Fn>
  void for_each(Fn&& fn) const {
    for (Block* head : heads_)
      for (Block* block = head; block != nullptr;) {
        Block* following = block->bin_next;
        fn(block);
        block = following;
      }
  }

 private:
  // Expandable segments have larger free blocks; the last bin takes them all, and each of them is large enough for every request.
  static constexpr size_t kBins = kSmallSegment / kBlockUnit;
  static_assert(kBins == 64 * 64);
  static size_t bin_of(uint64_t size) { return std::min<size_t>(size / kBlockUnit, kBins) - 1; }

  std::array<Block*, kBins> heads_{};
  std::array<uint64_t, 64> words_{};
  uint64_t summary_ = 0;
};

struct BySizeAndAddress {
  using is_transparent = void;
  bool operator()(const Block* a, const Block* b) const {
    return a->size != b->size ? a->size < b->size : a->address < b->address;
  }
  bool operator()(const Block* a, uint64_t size) const { return a->size < size; }
};

class FreeList {
 public:
  FreeList(PoolKind kind, std::pmr::memory_resource* nodes) : large_(nodes) {
    if (kind == PoolKind::kSmall) small_ = std::make_unique<SmallBins>();
  }
  void insert(Block* block) {
    if (small_) {
      small_->insert(block);
    } else {
      large_.insert(block);
    }
  }
  void remove(Block* block) {
    if (small_) {
      small_->remove(block);
    } else {
      large_.erase(block);
    }
  }
  Block* best_fit(uint64_t size) const {
    if (small_) return small_->best_fit(size);
    const auto found = large_.lower_bound(size);
    return found == large_.end() ? nullptr : *found;
  }
  // The blocks may leave the list meanwhile only by way of what is returned.
  std::vector<Block*> all() const {
    std::vector<Block*> out(large_.begin(), large_.end());
    if (small_) small_->for_each([&](Block* block) { out.push_back(block); });
    return out;
  }

 private:
  std::unique_ptr<SmallBins> small_;
  std::pmr::set<Block*, BySizeAndAddress> large_;
};

}  // namespace xhal::caching
