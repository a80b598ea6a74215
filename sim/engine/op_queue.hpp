// SPDX-License-Identifier: Apache-2.0
// Operations on their way from the submitting threads, which take turns, to the one worker. Segments of slots, used in place.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "engine/op.hpp"

namespace xhal::sim {

class OpQueue {
 public:
  OpQueue() = default;
  OpQueue(const OpQueue&) = delete;
  OpQueue& operator=(const OpQueue&) = delete;
  ~OpQueue() {
    delete spare_.load(std::memory_order_relaxed);
    for (Segment* segment = head_; segment != nullptr;) delete std::exchange(segment, segment->next);
  }

  // The submitting side. The slot of the next operation; it is not there for the worker until it is published.
  [[nodiscard]] Op& next_slot() {
    if (tail_ == nullptr || tail_used_ == kSlots) {
      Segment* segment = spare_.exchange(nullptr, std::memory_order_acquire);
      if (segment == nullptr) segment = new Segment;
      segment->next = nullptr;
      if (tail_ == nullptr) {
        head_ = segment;
      } else {
        tail_->next = segment;
      }
      tail_ = segment;
      tail_used_ = 0;
    }
    return tail_->slots[tail_used_];
  }
  void publish() {
    ++tail_used_;
    pushed_.fetch_add(1, std::memory_order_release);
  }
  [[nodiscard]] uint64_t pushed() const { return pushed_.load(std::memory_order_acquire); }

  // The worker's side. The oldest operation, or null.
  [[nodiscard]] Op* front() {
    if (pushed_.load(std::memory_order_acquire) == popped_) return nullptr;
    if (head_used_ == kSlots) {
      Segment* empty = std::exchange(head_, head_->next);
      head_used_ = 0;
      delete spare_.exchange(empty, std::memory_order_acq_rel);
    }
    return &head_->slots[head_used_];
  }
  // The operation's body has been emptied.
  void pop() {
    ++head_used_;
    ++popped_;
  }

 private:
  static constexpr uint32_t kSlots = 32;
  struct Segment {
    Op slots[kSlots];
    Segment* next = nullptr;
  };

  std::atomic<uint64_t> pushed_{0};
  std::atomic<Segment*> spare_{nullptr};
  Segment* tail_ = nullptr;
  uint32_t tail_used_ = 0;
  alignas(64) Segment* head_ = nullptr;  // written by next_slot only before the first publish
  uint32_t head_used_ = 0;
  uint64_t popped_ = 0;
};

}  // namespace xhal::sim
