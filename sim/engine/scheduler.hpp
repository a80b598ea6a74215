// SPDX-License-Identifier: Apache-2.0
// The one place where time passes, threads are handed over and somebody chooses who goes next. Everything else of the engine is
// the same whoever schedules: ThreadScheduler gives each lane a thread and lets the operating system choose.
#pragma once

#include <atomic>
#include <cstdint>

#include "engine/futex.hpp"

namespace xhal::sim {

// Work in one order: a stream.
class Lane {
 public:
  enum class Step {
    kRan,      // one operation was done; there may be more
    kWaiting,  // nothing can be done until somebody calls Scheduler::wake
    kFinished  // nothing will ever be done again
  };

  Lane() = default;
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // Does at most one operation. Never called by two threads at once.
  virtual Step step() = 0;
  // The scheduler's last call, after kFinished: the lane may delete itself.
  virtual void finished() = 0;

 protected:
  ~Lane() = default;

 private:
  friend class ThreadScheduler;
  std::atomic<uint32_t> signal_{0};
};

// What one blocked host thread sleeps on; used once.
class Parker {
 public:
  Parker() = default;
  Parker(const Parker&) = delete;
  Parker& operator=(const Parker&) = delete;

 private:
  friend class ThreadScheduler;
  std::atomic<uint32_t> word_{0};
};

class Scheduler {
 public:
  Scheduler() = default;
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  virtual ~Scheduler() = default;

  // The clock of events and deadlines, in nanoseconds; it never goes back.
  [[nodiscard]] virtual uint64_t now_ns() const = 0;

  // Begins to step a lane. False when no thread can be had; the lane is untouched then.
  [[nodiscard]] virtual bool start(Lane& lane) = 0;
  // A started lane may have become able to go on. Cheap when it runs already.
  virtual void wake(Lane& lane) = 0;

  // Blocks the calling thread, which is no lane's, until the parker is unparked (true) or the deadline has passed (false).
  [[nodiscard]] virtual bool park(Parker& parker, uint64_t deadline_ns) = 0;
  virtual void unpark(Parker& parker) = 0;

  // Called in turn 0, 1, 2, ... by an operation that polls memory until somebody else changes it.
  virtual void relax(uint64_t turn) = 0;
};

// The deadline of a wait that begins now; times too long to count never come, and none at all has passed already.
inline uint64_t deadline_after(const Scheduler& scheduler, uint64_t timeout_ns) {
  if (timeout_ns == kNever || timeout_ns == 0) return timeout_ns;
  const uint64_t now = scheduler.now_ns();
  return timeout_ns > kNever - now ? kNever : now + timeout_ns;
}

}  // namespace xhal::sim
