// SPDX-License-Identifier: Apache-2.0
#include "engine/event.hpp"

#include <mutex>

namespace xhal::sim {

Position Event::current() const {
  for (;;) {
    const uint64_t generation = generation_.load(std::memory_order_acquire);
    if (generation == 0) return {};
    const Mark& mark = marks_[generation & 1];
    Position position;
    position.progress = mark.progress.load(std::memory_order_acquire);
    position.number = mark.number.load(std::memory_order_acquire);
    // The mark is written anew only for generation + 2, that is after generation + 1 could be seen.
    if (generation_.load(std::memory_order_relaxed) == generation) return position;
  }
}

void Event::publish(Position position) {
  const uint64_t generation = generation_.load(std::memory_order_relaxed) + 1;
  Mark& mark = marks_[generation & 1];
  mark.progress.store(position.progress, std::memory_order_release);
  mark.number.store(position.number, std::memory_order_release);
  generation_.store(generation, std::memory_order_release);
}

void Event::stamp(uint64_t generation, uint64_t ns) {
  const std::lock_guard lock(time_lock_);
  if (generation < time_generation_) return;
  time_generation_ = generation;
  time_ns_ = ns;
}

std::optional<uint64_t> Event::time() const {
  const uint64_t current = generation();
  const std::lock_guard lock(time_lock_);
  if (time_generation_ != current) return std::nullopt;
  return time_ns_;
}

}  // namespace xhal::sim
