// SPDX-License-Identifier: Apache-2.0
// How far a stream has come: the one truth that queries, waits, events and deferred frees ask.
//
// The operations of a stream are numbered from 1. A position (progress, number) is done when that many operations are done, and stays
// done for ever: a progress lives as long as its instance, and when its stream is gone it goes on counting for the next one, unless
// somebody may still ask for its failure.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "engine/fault.hpp"
#include "engine/scheduler.hpp"

namespace xhal::sim {

class Progress;

struct Position {
  const Progress* progress = nullptr;  // null: done
  uint64_t number = 0;
};

// Is told once when a position is done, under the progress's lock.
class Waiter {
 public:
  Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  virtual void reached() = 0;

 protected:
  ~Waiter() = default;

 private:
  friend class Progress;
  uint64_t number_ = 0;
  Waiter* next_ = nullptr;
  bool queued_ = false;
};

class Progress {
 public:
  Progress() = default;
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  [[nodiscard]] uint64_t submitted() const { return submitted_.load(std::memory_order_acquire); }
  [[nodiscard]] uint64_t done() const { return done_.load(std::memory_order_acquire); }
  [[nodiscard]] bool reached(uint64_t number) const { return done() >= number; }
  // NOT_READY, SUCCESS, or the code of the failure at or before `number`. Wait-free.
  [[nodiscard]] xhal_result_t status(uint64_t number) const {
    if (!reached(number)) return XHAL_NOT_READY;
    return failed_from_.load(std::memory_order_acquire) <= number ? fault_->code : XHAL_SUCCESS;
  }
  // The failure that poisons the stream, or null.
  [[nodiscard]] const Fault* fault() const {
    return failed_from_.load(std::memory_order_acquire) == kNever ? nullptr : fault_;
  }

  // The stream's side. `number` is one more than submitted(); the stream's lock orders the callers.
  void submit(uint64_t number) { submitted_.store(number, std::memory_order_release); }
  // Called before `number` is retired, once at most.
  void fail(uint64_t number, const Fault* fault);
  void retire(uint64_t number);
  // Somebody may ask for the status of that position, or of what its operation waited for, when the stream is gone. The stream's lock
  // orders the callers.
  void name(uint64_t number) { named_ = number > named_ ? number : named_; }

  // False when the position is done already; the waiter is not queued then.
  [[nodiscard]] bool add(Waiter& waiter, uint64_t number) const;
  // Afterwards nobody is in, or will call, waiter.reached().
  void remove(Waiter& waiter) const;

 private:
  friend class ProgressPool;
  void fire();

  // Apart, since one thread writes the first, another one the second, and both look at the others, which hardly ever change.
  alignas(64) std::atomic<uint64_t> submitted_{0};
  uint64_t named_ = 0;  // highest number that name() was told
  alignas(64) std::atomic<uint64_t> done_{0};
  alignas(64) mutable std::atomic<uint64_t> next_wake_{kNever};  // lowest number that somebody waits for
  std::atomic<uint64_t> failed_from_{kNever};
  const Fault* fault_ = nullptr;
  mutable std::mutex mutex_;
  mutable Waiter* waiters_ = nullptr;
};

// Waits on the host: SUCCESS, TIMEOUT or the failure's code.
[[nodiscard]] xhal_result_t await(const Progress& progress, uint64_t number, uint64_t deadline_ns,
                                  Scheduler& scheduler);

// Where progresses come from and go back to.
class ProgressPool {
 public:
  [[nodiscard]] Progress* take();
  // One that failed is never used again: its positions go on telling the failure.
  void give_back(Progress* progress);
  // One of a stream that is gone. If it failed, it is used again unless a position was named that tells the failure. `own`: the record
  // of the failure goes the same way; null when others point to it.
  void give_back_of_gone_stream(Progress* progress, FaultLog& faults, const Fault* own);

  // As long as one lives, failures that are given back stay as they are: for who looks at streams that may go meanwhile.
  class Look {
   public:
    explicit Look(ProgressPool& pool);
    Look(const Look&) = delete;
    Look& operator=(const Look&) = delete;
    ~Look();

   private:
    ProgressPool& pool_;
  };

 private:
  struct Failed {
    Progress* progress = nullptr;
    FaultLog* faults = nullptr;
    const Fault* own = nullptr;
  };
  // Under mutex_.
  void use_again(const Failed& failed);

  std::mutex mutex_;
  std::deque<Progress> all_;
  std::vector<Progress*> unused_;
  std::vector<Failed> looked_at_;
  uint64_t looks_ = 0;
};

}  // namespace xhal::sim
