// SPDX-License-Identifier: Apache-2.0
// Work in one order, a stream, as the scheduler sees it: who runs it, and whether there is anything to run.
//
// Who pushes writes how many operations there are and then looks at the state; who leaves an empty lane writes the state and then looks
// at that number: one of the two sees the other. Each has a cache line of its own. While a lane is hot, that is while pushes come in as it
// is run, pushes do without a fence, and leaving it pays for that (asymmetric.hpp). Who has left a lane, or made it idle, touches it
// no more: it may be deleted.
#pragma once

#include <atomic>
#include <cstdint>

#include "engine/asymmetric.hpp"

namespace xhal::sim {

class Scheduler;
struct Place;

// Levels of Lane::urgency().
inline constexpr uint32_t kUrgencies = 3;

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

  // Whether it was made ready behind an operation that had begun and stalled; asked in Scheduler::ready().
  [[nodiscard]] bool resumes() const { return resumes_; }
  // Higher ones go first where several wait.
  [[nodiscard]] uint32_t urgency() const { return urgency_; }

  // ---- Whoever pushes; the callers take turns.

  // One operation more. True when nobody will look: signal() is to be called.
  [[nodiscard]] bool push() {
    const uint64_t number = pushed_.load(std::memory_order_relaxed) + 1;
    pushed_.store(number, std::memory_order_release);
    light_fence();
    if ((state_.load(std::memory_order_relaxed) & kHot) != 0) [[likely]]
      return false;
    return push_to_cold(number);
  }
  [[nodiscard]] uint64_t pushed() const { return pushed_.load(std::memory_order_acquire); }

  // ---- Anybody.

  // Something changed that the lane must look at: a push, what a stalled operation waits for, or an end.
  void signal(Scheduler& scheduler);

  // Who pushes alone may call: takes the lane, empty and run by nobody, for the calling thread; pushes wait then until it is given back.
  [[nodiscard]] bool try_take();
  void give_back(Scheduler& scheduler);
  // Who pushes alone may call: nobody will run the lane or touch it any more.
  [[nodiscard]] bool try_retire();

 protected:
  ~Lane() = default;

  // Whoever runs it has seen that pushes come in meanwhile.
  void note_arrival() {
    if (++arrivals_ == kArrivalsOfHot) heat();
  }

 private:
  friend class Runner;
  friend class ReadyLanes;

  enum State : uint32_t {
    kIdle = 0,     // empty, nobody has it
    kReady = 1,    // in the scheduler's queue
    kRunning = 2,  // a worker, or the thread that took it, is at it
    kWatched = 3,  // empty, and a worker looks at it
    kTaken = 4,    // taken away from the worker that watches it, which has not seen that yet
    kAsleep = 5,   // stalled, nobody has it
    kLeaving = 6,  // found empty, and looked at once more before it is idle
    kRetired = 7
  };
  static constexpr uint32_t kStateMask = 7;
  static constexpr uint32_t kSignalled = 8;
  // Stays until the lane is left with a heavy fence: so a push that has seen it is seen by whoever leaves.
  static constexpr uint32_t kHot = 16;

  // Since it was last made ready. Fewer would not be worth the fence.
  static constexpr uint32_t kArrivalsOfHot = 16;

  static uint32_t state_of(uint32_t word) { return word & kStateMask; }
  static uint32_t with_state(uint32_t word, State state) { return (word & ~kStateMask) | state; }
  // Replaces the state by `to` unless `mask` of the word has become something else than `expected`.
  bool change(uint32_t mask, uint32_t expected, State to);
  void heat();
  [[nodiscard]] bool push_to_cold(uint64_t number);
  // By whoever runs it and has found it empty: true when it is idle, and no longer the caller's; false when it is to be run.
  [[nodiscard]] bool leave_empty();

  const uint32_t urgency_;
  uint32_t arrivals_ = 0;  // of whoever runs it
  bool resumes_ = false;   // of whoever makes it ready
  Lane* next_ready_ = nullptr;
  alignas(64) std::atomic<uint32_t> state_{0};
  alignas(64) std::atomic<uint64_t> pushed_{0};
};

}  // namespace xhal::sim
