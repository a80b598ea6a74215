// SPDX-License-Identifier: Apache-2.0
#include "engine/event.hpp"

#include <mutex>
#include <utility>

#include "graph/capture.hpp"
#include "ipc/shared_event.hpp"

namespace xhal::sim {

Event::Event(uint32_t device_epoch, bool takes_time, std::shared_ptr<SharedEvent> with_others)
    : epoch(device_epoch), timed(takes_time), shared(std::move(with_others)) {}

Event::~Event() = default;

uint64_t Event::shared_generation() const { return shared->current(); }
Position Event::shared_position() const { return shared->position(); }

uint64_t Event::publish(Position position, bool held) {
  const std::lock_guard lock(record_lock_);
  uint64_t generation = 0;
  if (shared != nullptr) [[unlikely]] {
    generation = shared->record(position);
    if (generation == 0) return 0;
  } else {
    generation = generation_.load(std::memory_order_relaxed) + 1;
    Mark& mark = marks_[generation & 1];
    mark.progress.store(position.progress, std::memory_order_release);
    mark.number.store(position.number, std::memory_order_release);
    generation_.store(generation, std::memory_order_release);
  }
  if (held) ++held_records_;
  if (is_marked_.load(std::memory_order_relaxed)) {
    is_marked_.store(false, std::memory_order_relaxed);
    mark_.reset();
  }
  return generation;
}

void Event::mark(CaptureMark mark) {
  auto latest = std::make_shared<const CaptureMark>(std::move(mark));
  const std::lock_guard lock(record_lock_);
  mark_.swap(latest);
  is_marked_.store(true, std::memory_order_release);
}

std::shared_ptr<const CaptureMark> Event::capture_mark() const {
  if (!may_be_marked()) return nullptr;
  const std::lock_guard lock(record_lock_);
  return mark_ != nullptr && mark_->capture->state() != XHAL_CAPTURE_STATE_NONE ? mark_ : nullptr;
}

void Event::stamp(uint64_t generation, uint64_t ns) {
  if (shared != nullptr) return shared->finish(generation, XHAL_SUCCESS);
  const std::lock_guard lock(time_lock_);
  if (generation < time_generation_) return;
  time_generation_ = generation;
  time_ns_ = ns;
}

void Event::drop(uint64_t generation, xhal_result_t reason) {
  if (shared != nullptr) shared->finish(generation, reason);
}

std::optional<uint64_t> Event::time() const {
  const uint64_t current = generation();
  const std::lock_guard lock(time_lock_);
  if (time_generation_ != current) return std::nullopt;
  return time_ns_;
}

}  // namespace xhal::sim
