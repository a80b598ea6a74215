// SPDX-License-Identifier: Apache-2.0
// Events: generations that each name a position of a stream.
//
// Generation 0 is "never recorded". A record makes the next one current; whoever waits takes the position of the generation that
// is current then, so that later records change nothing for it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "engine/progress.hpp"
#include "engine/spin_lock.hpp"
#include "xhal/base.h"

namespace xhal::sim {

// The point of a capture at which an event was recorded.
struct CaptureMark;
class SharedEvent;

class Event {
 public:
  // `with_others`: null when the event is this process's alone.
  Event(uint32_t device_epoch, bool takes_time, std::shared_ptr<SharedEvent> with_others = nullptr);
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  virtual ~Event();

  // The handle, graphs and each operation that still has to stamp it hold it; the last one deletes it.
  void hold() { holders_.fetch_add(1, std::memory_order_relaxed); }
  void release() { release(1); }
  // The handle's.
  void close() {
    uint64_t held = 0;
    {
      const std::lock_guard lock(record_lock_);
      held = held_records_;
    }
    release(kHeldByHandle - held);
  }

  const uint32_t epoch;  // of its device when it was made
  const bool timed;

  // Position of the current generation; its progress is null when there was no record. Lock-free, unless it is shared.
  [[nodiscard]] Position current() const {
    if (shared != nullptr) [[unlikely]]
      return shared_position();
    for (;;) {
      const uint64_t generation = generation_.load(std::memory_order_acquire);
      if (generation == 0) return {};
      const Mark& mark = marks_[generation & 1];
      Position position;
      position.progress = mark.progress.load(std::memory_order_acquire);
      position.number = mark.number.load(std::memory_order_acquire);
      // The mark is written anew only for generation + 2, that is after generation + 1 could be seen.
      if (generation_.load(std::memory_order_relaxed) == generation) [[likely]]
        return position;
    }
  }
  [[nodiscard]] uint64_t generation() const {
    return shared == nullptr ? generation_.load(std::memory_order_acquire) : shared_generation();
  }

  // The next generation is current from now on. Returns its number. Under the lock of the position's stream. 0 when the event is shared
  // and too many of its generations are pending. `held`: by the record, which releases the event.
  uint64_t publish(Position position, bool held = false);
  // Whether a record is an operation of its stream, which ends in stamp() or drop().
  [[nodiscard]] bool needs_stamp() const { return timed || shared != nullptr; }

  // Recorded in a capture: the generations stay as they are. A record outside of captures ends it.
  void mark(CaptureMark mark);
  [[nodiscard]] bool may_be_marked() const { return is_marked_.load(std::memory_order_acquire); }
  // Null when its latest record was in no capture that is still under way.
  [[nodiscard]] std::shared_ptr<const CaptureMark> capture_mark() const;

  // When a timed generation was reached. Generations may be reached in any order, on different streams; the latest counts.
  void stamp(uint64_t generation, uint64_t ns);
  // A record that is not executed, because of a failure.
  void drop(uint64_t generation, xhal_result_t reason);
  // The time of the current generation, once it is done.
  [[nodiscard]] std::optional<uint64_t> time() const;

 private:
  [[nodiscard]] uint64_t shared_generation() const;
  [[nodiscard]] Position shared_position() const;

  struct Mark {
    std::atomic<const Progress*> progress{nullptr};
    std::atomic<uint64_t> number{0};
  };

  // Records count themselves, under the lock that they hold anyway, and are added when the handle goes. Until then the count is far from
  // zero, whatever those have released that are not counted yet.
  static constexpr uint64_t kHeldByHandle = uint64_t{1} << 62;
  void release(uint64_t count) {
    if (holders_.fetch_sub(count, std::memory_order_acq_rel) == count) delete this;
  }

  // Of whoever records.
  mutable SpinLock record_lock_;  // records take turns
  std::atomic<bool> is_marked_{false};
  std::atomic<uint64_t> generation_{0};
  uint64_t held_records_ = 0;
  Mark marks_[2];  // of the current generation and of the one being published

 public:
  // Its generations are those of the page then, also in what follows.
  const std::shared_ptr<SharedEvent> shared;

 private:
  std::shared_ptr<const CaptureMark> mark_;  // under record_lock_

  // Of whoever executes records. Events are many, and are not aligned to cache lines: it is enough that what the others write is
  // further away than one.
  std::atomic<uint64_t> holders_{kHeldByHandle};
  uint64_t time_generation_ = 0;
  uint64_t time_ns_ = 0;
  mutable SpinLock time_lock_;
};

}  // namespace xhal::sim
