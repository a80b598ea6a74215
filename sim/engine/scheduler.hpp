// SPDX-License-Identifier: Apache-2.0
// The one place where time passes, threads are handed over and somebody chooses who goes next. Everything else of the engine is
// the same whoever schedules: WorkerPool has real threads and lets the operating system choose among them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "engine/futex.hpp"
#include "engine/lane.hpp"
#include "engine/odd.hpp"
#include "kernels/scratch.hpp"

namespace xhal::sim {

// What a worker lends to the lane that it runs.
struct Place {
  Scheduler& scheduler;
  ImageScratch scratch;
  LocalMemory local_memory;
  bool owes_wake = false;  // lanes became ready by what it did, and nobody was told yet
  // Counts what was done, so that somebody can see whether the worker comes on.
  std::atomic<uint64_t> beats{0};

  void beat() { beats.store(beats.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
};

// What one blocked host thread sleeps on; used once.
class Parker {
 public:
  Parker() = default;
  Parker(const Parker&) = delete;
  Parker& operator=(const Parker&) = delete;

 private:
  friend class Scheduler;
  std::atomic<uint32_t> word_{0};
};

// Work whose parts wait for one another.
class Together {
 public:
  Together() = default;
  Together(const Together&) = delete;
  Together& operator=(const Together&) = delete;
  // Each part is run once, with a place of its own.
  virtual void run_part(uint32_t part, Place& place) = 0;

 protected:
  ~Together() = default;
};

class Scheduler {
 public:
  explicit Scheduler(const Oddness& how_odd = {}) : odd(how_odd) {}
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  virtual ~Scheduler() = default;

  const Oddness odd;

  // The clock of events and deadlines, in nanoseconds; it never goes back.
  [[nodiscard]] virtual uint64_t now_ns() const = 0;

  // ---- Lanes

  // Before the first lane is pushed to. False when no thread can be had; nothing has changed then.
  [[nodiscard]] virtual bool start() = 0;
  // The lane, which nobody has, is to be run. It may be gone when this returns. A worker that goes on with its own lane afterwards
  // calls settle(); one that does not takes the lane itself, which spares waking another one.
  virtual void ready(Lane& lane) = 0;
  virtual void settle(Place& place) = 0;
  // Asked between operations: whether a lane of that urgency, after `done` operations in a row, should let others go first.
  [[nodiscard]] virtual bool should_yield(uint32_t urgency, uint64_t done) const = 0;
  // Around an operation that may wait for something else than a processor: meanwhile another worker takes the other lanes.
  virtual void begin_blocking(Place& place) = 0;
  virtual void end_blocking(Place& place) = 0;
  // Called in turn 0, 1, 2, ... by an operation that polls memory until somebody else changes it.
  virtual void relax(uint64_t turn) = 0;

  // ---- Work whose parts wait for one another

  // Makes sure that so many parts can run at the same time, from now on. False when they cannot; nothing is lost then.
  [[nodiscard]] virtual bool reserve_together(uint32_t count) = 0;
  // Runs parts 0 to count - 1, for which it was reserved, at the same time: each goes on whatever the others do, also when it polls without
  // calling relax(). Returns when all have ended. Blocks in the sense of begin_blocking(), which is not to be called meanwhile.
  virtual void run_together(Place& place, Together& work, uint32_t count) = 0;

  // ---- Waiting. Host threads park, which are no workers.

  // By a thread that is about to look at a word: whom it has woken, or who has woken it, may be waiting for this very processor.
  virtual void give_way() = 0;
  // How long to look at a word before sleeping on it; 0: not at all.
  [[nodiscard]] virtual uint64_t patience_ns() const = 0;
  // Blocks until the parker is unparked (true) or the deadline has passed (false).
  [[nodiscard]] virtual bool park(Parker& parker, uint64_t deadline_ns) = 0;
  virtual void unpark(Parker& parker) = 0;

 protected:
  // The implementation's to use as it likes; 0 at first.
  static std::atomic<uint32_t>& word_of(Parker& parker) { return parker.word_; }
};

// What the devices of an instance run on.
[[nodiscard]] std::unique_ptr<Scheduler> make_scheduler(uint32_t units, const Oddness& odd = {});
// Somebody asks about work, or is about to wait for it: work of the process that was not to start before does so now. Cheap when there is none.
void start_withheld();
// While it lives nothing is kept back: its thread waits for work.
class StartsWithheld {
 public:
  StartsWithheld();
  ~StartsWithheld();
  StartsWithheld(const StartsWithheld&) = delete;
  StartsWithheld& operator=(const StartsWithheld&) = delete;
};

// The deadline of a wait that begins now; times too long to count never come, and none at all has passed already.
inline uint64_t deadline_after(const Scheduler& scheduler, uint64_t timeout_ns) {
  if (timeout_ns == kNever || timeout_ns == 0) return timeout_ns;
  const uint64_t now = scheduler.now_ns();
  return timeout_ns > kNever - now ? kNever : now + timeout_ns;
}

}  // namespace xhal::sim
