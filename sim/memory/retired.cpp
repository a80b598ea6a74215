// SPDX-License-Identifier: Apache-2.0
#include "memory/retired.hpp"

namespace xhal::sim {

void RetiredMemory::add(const RetiredRange& range) {
  const std::lock_guard lock(mutex_);
  open_.push_back(range);
  count_.fetch_add(1, std::memory_order_release);
  if (open_.size() * kStreamsForEach < last_streams_) return;
  close_open();
  release_done();
}

// A snapshot that is taken later than the frees covers all that was pending then, and more.
void RetiredMemory::close_open() {
  if (open_.empty()) return;
  PendingWork pending = pending_();
  last_streams_ = pending.streams;
  if (closed_.size() == kMostBatches) {
    Batch& newest = closed_.back();
    newest.ranges.insert(newest.ranges.end(), open_.begin(), open_.end());
    newest.pending = std::move(pending.positions);
    newest.first_pending = 0;
  } else {
    closed_.push_back({open_, std::move(pending.positions)});
  }
  open_.clear();
}

void RetiredMemory::release_done() {
  while (!closed_.empty()) {
    Batch& oldest = closed_.front();
    for (; oldest.first_pending < oldest.pending.size(); ++oldest.first_pending) {
      const Position& position = oldest.pending[oldest.first_pending];
      if (!position.progress->reached(position.number)) return;
    }
    release(oldest.ranges);
    closed_.pop_front();
  }
}

void RetiredMemory::release(std::vector<RetiredRange>& ranges) {
  for (const RetiredRange& range : ranges) release_(range);
  count_.fetch_sub(ranges.size(), std::memory_order_release);
  ranges.clear();
}

void RetiredMemory::reclaim() {
  if (is_empty()) return;
  // Held to the end: who comes meanwhile finds the memory released, not on its way.
  const std::lock_guard lock(mutex_);
  release_done();
  close_open();
  release_done();
}

void RetiredMemory::reclaim_known() {
  if (is_empty()) return;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock.owns_lock()) release_done();
}

void RetiredMemory::release_all() {
  const std::lock_guard lock(mutex_);
  for (Batch& batch : closed_) release(batch.ranges);
  closed_.clear();
  release(open_);
}

size_t RetiredMemory::snapshots() {
  const std::lock_guard lock(mutex_);
  return closed_.size();
}

}  // namespace xhal::sim
