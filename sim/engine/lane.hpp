// SPDX-License-Identifier: Apache-2.0
// Work in one order, a stream, as the scheduler sees it: who runs it, and whether there is anything to run.
//
// One word holds both the number of operations that were ever pushed and the lane's state, so that a push learns the state, and a worker
// that leaves an empty lane learns of a push, by the one instruction that either needs anyway. Who has left a lane, or made it idle,
// touches it no more: it may be deleted.
#pragma once

#include <atomic>
#include <cstdint>

namespace xhal::sim {

class Scheduler;
struct Place;

class Lane {
 public:
  enum class End {
    kEmpty,    // everything that was pushed is done
    kStalled,  // the first operation cannot go on until somebody calls signal()
    kYielded,  // there is more to do, and others were waiting
    kFinished  // nothing will ever be done again
  };

  explicit Lane(uint32_t urgency) : urgency_(urgency) {}
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // Does operations until one of the ends. Never called by two threads at once.
  virtual End run(Place& place) = 0;
  // How many operations run() has taken; asked between its calls.
  [[nodiscard]] virtual uint64_t taken() const = 0;
  // The scheduler's last call, after kFinished: the lane may delete itself.
  virtual void finished() = 0;

  // Higher ones go first where several wait.
  [[nodiscard]] uint32_t urgency() const { return urgency_; }

  // ---- Whoever pushes; the callers take turns.

  // One operation more. True when nobody has the lane: wake_idle() is to be called.
  [[nodiscard]] bool push() { return state_of(word_.fetch_add(kOne, std::memory_order_acq_rel)) == kIdle; }
  void wake_idle(Scheduler& scheduler);
  [[nodiscard]] uint64_t pushed() const { return word_.load(std::memory_order_acquire) >> kCountShift; }

  // ---- Anybody.

  // Something changed that the lane must look at: what a stalled operation waits for, or an end.
  void signal(Scheduler& scheduler);

  // Takes the lane, empty and run by nobody, for the calling thread; pushes wait then until it is given back.
  [[nodiscard]] bool try_take();
  void give_back(Scheduler& scheduler);
  // The same for good: nobody will run it or touch it.
  [[nodiscard]] bool try_retire();

 protected:
  ~Lane() = default;

 private:
  friend class Runner;
  friend class ReadyLanes;

  enum State : uint64_t {
    kIdle = 0,     // empty, nobody has it
    kReady = 1,    // in the scheduler's queue
    kRunning = 2,  // a worker, or the thread that took it, is at it
    kWatched = 3,  // empty, and a worker looks at the word
    kTaken = 4,    // taken away from the worker that watches it, which has not seen that yet
    kAsleep = 5,   // stalled, nobody has it
    kRetired = 6
  };
  static constexpr uint64_t kStateMask = 7;
  static constexpr uint64_t kSignalled = 8;
  static constexpr uint32_t kCountShift = 4;
  static constexpr uint64_t kOne = uint64_t{1} << kCountShift;

  static uint64_t state_of(uint64_t word) { return word & kStateMask; }
  static uint64_t with_state(uint64_t word, State state) { return (word & ~kStateMask) | state; }
  // Replaces the state by `to`, whatever the count is, unless `mask` of the word has become something else than `expected`.
  bool change(uint64_t mask, uint64_t expected, State to);

  std::atomic<uint64_t> word_{0};
  const uint32_t urgency_;
  Lane* next_ready_ = nullptr;
};

}  // namespace xhal::sim
