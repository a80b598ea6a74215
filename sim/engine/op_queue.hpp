// SPDX-License-Identifier: Apache-2.0
// Operations on their way from the submitting threads, which take turns, to the worker that runs the lane: one behind the other in
// segments, filled and executed in place. How many have been pushed is told by the lane.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
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
    for (Segment* segment = head_segment_; segment != nullptr;) delete std::exchange(segment, segment->next);
  }

  // The submitting side. Room for the next operation, which owns nothing yet; it is taken by commit(), and seen by the worker once the lane
  // was pushed to.
  [[nodiscard]] Op& next_slot() {
    if (room_ < sizeof(Op) + Op::kHeadBytes) add_segment();
    return *::new (static_cast<void*>(tail_)) Op;
  }
  void commit(const Op& op) {
    tail_ += op.size;
    room_ -= op.size;
  }

  // The worker's side, as often as the lane was pushed to. The oldest operation.
  [[nodiscard]] Op& front() {
    if (op_at(head_).kind == OpKind::kNextSegment) next_segment();
    return op_at(head_);
  }
  void pop() {
    head_ += op_at(head_).size;
    ++taken_;
  }
  [[nodiscard]] uint64_t taken() const { return taken_; }

 private:
  static constexpr size_t kBytes = 8128;
  struct Segment {
    alignas(8) std::byte bytes[kBytes];
    Segment* next;
  };

  static Op& op_at(std::byte* bytes) { return *std::launder(reinterpret_cast<Op*>(bytes)); }

  [[gnu::noinline]] void add_segment() {
    Segment* segment = spare_.exchange(nullptr, std::memory_order_acquire);
    if (segment == nullptr) segment = new Segment;
    segment->next = nullptr;
    if (tail_segment_ == nullptr) {
      head_segment_ = segment;
      head_ = segment->bytes;
    } else {
      tail_segment_->next = segment;
      (::new (static_cast<void*>(tail_)) Op)->kind = OpKind::kNextSegment;
    }
    tail_segment_ = segment;
    tail_ = segment->bytes;
    room_ = kBytes;
  }
  [[gnu::noinline]] void next_segment() {
    Segment* const empty = std::exchange(head_segment_, head_segment_->next);
    head_ = head_segment_->bytes;
    delete spare_.exchange(empty, std::memory_order_acq_rel);
  }

  alignas(64) Segment* tail_segment_ = nullptr;
  std::byte* tail_ = nullptr;
  size_t room_ = 0;
  // Written by the submitting side only before the first push.
  alignas(64) Segment* head_segment_ = nullptr;
  std::byte* head_ = nullptr;
  uint64_t taken_ = 0;
  std::atomic<Segment*> spare_{nullptr};
};

}  // namespace xhal::sim
