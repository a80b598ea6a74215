// SPDX-License-Identifier: Apache-2.0
// Operations on their way from the submitting threads, which take turns, to the worker that runs the lane: a ring of segments whose slots
// are filled and executed in place. How many have been pushed is told by the lane.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

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

  // The submitting side. The slot of the next operation; it is taken by commit(), and seen by the worker once the lane was pushed to.
  [[nodiscard]] Op& next_slot() {
    if (tail_used_ == kSlots) add_segment();
    return tail_->slots[tail_used_];
  }
  void commit() { ++tail_used_; }

  // The worker's side, as often as the lane was pushed to. The oldest operation.
  [[nodiscard]] Op& front() {
    if (head_used_ == kSlots) {
      Segment* const empty = std::exchange(head_, head_->next);
      head_used_ = 0;
      delete spare_.exchange(empty, std::memory_order_acq_rel);
    }
    return head_->slots[head_used_];
  }
  void pop() {
    ++head_used_;
    ++taken_;
  }
  [[nodiscard]] uint64_t taken() const { return taken_; }

 private:
  static constexpr uint32_t kSlots = 32;
  struct Segment {
    Op slots[kSlots];
    Segment* next = nullptr;
  };

  [[gnu::noinline]] void add_segment() {
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

  std::atomic<Segment*> spare_{nullptr};
  Segment* tail_ = nullptr;
  uint32_t tail_used_ = kSlots;
  alignas(64) Segment* head_ = nullptr;  // written by the submitting side only before the first push
  uint32_t head_used_ = 0;
  uint64_t taken_ = 0;
};

}  // namespace xhal::sim
