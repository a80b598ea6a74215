// SPDX-License-Identifier: Apache-2.0
#include "engine/progress.hpp"

#include <algorithm>
#include <optional>

#include "engine/spin_lock.hpp"

namespace xhal::sim {
namespace {

class HostWaiter final : public Waiter {
 public:
  explicit HostWaiter(Scheduler& scheduler) : scheduler_(scheduler) {}
  void reached() override { scheduler_.unpark(parker_); }
  [[nodiscard]] bool park(uint64_t deadline_ns) { return scheduler_.park(parker_, deadline_ns); }

 private:
  Scheduler& scheduler_;
  Parker parker_;
};

// Handing over between two running threads takes less time than going to sleep.
void look_for_a_while(const Progress& progress, uint64_t number, uint64_t deadline_ns, Scheduler& scheduler) {
  const uint64_t patience = scheduler.patience_ns();
  if (patience == 0) return;
  scheduler.give_way();
  const uint64_t end = std::min(deadline_ns, scheduler.now_ns() + patience);
  for (uint32_t looks = 1; !progress.reached(number); ++looks) {
    if (looks % 32 == 0 && scheduler.now_ns() >= end) return;
    cpu_pause();
  }
}

}  // namespace

void Progress::fail(uint64_t number, const Fault* fault) {
  fault_ = fault;
  failed_from_.store(number, std::memory_order_release);
}

// Either the waiter sees the new number, or this sees the waiter: both sides store first and look then.
void Progress::retire(uint64_t number) {
  done_.store(number, std::memory_order_seq_cst);
  if (next_wake_.load(std::memory_order_seq_cst) <= number) fire();
}

bool Progress::add(Waiter& waiter, uint64_t number) const {
  const std::lock_guard lock(mutex_);
  const uint64_t former = next_wake_.load(std::memory_order_relaxed);
  if (number < former) next_wake_.store(number, std::memory_order_seq_cst);
  if (done_.load(std::memory_order_seq_cst) >= number) {
    next_wake_.store(former, std::memory_order_relaxed);
    return false;
  }
  waiter.number_ = number;
  waiter.next_ = waiters_;
  waiter.queued_ = true;
  waiters_ = &waiter;
  return true;
}

void Progress::remove(Waiter& waiter) const {
  const std::lock_guard lock(mutex_);
  if (!waiter.queued_) return;
  uint64_t lowest = kNever;
  for (Waiter** link = &waiters_; *link != nullptr;) {
    if (*link == &waiter) {
      *link = waiter.next_;
      continue;
    }
    lowest = std::min(lowest, (*link)->number_);
    link = &(*link)->next_;
  }
  waiter.queued_ = false;
  next_wake_.store(lowest, std::memory_order_relaxed);
}

void Progress::fire() {
  const std::lock_guard lock(mutex_);
  const uint64_t number = done_.load(std::memory_order_relaxed);
  uint64_t lowest = kNever;
  for (Waiter** link = &waiters_; *link != nullptr;) {
    Waiter& waiter = **link;
    if (waiter.number_ > number) {
      lowest = std::min(lowest, waiter.number_);
      link = &waiter.next_;
      continue;
    }
    *link = waiter.next_;
    waiter.queued_ = false;
    waiter.reached();
  }
  next_wake_.store(lowest, std::memory_order_relaxed);
}

xhal_result_t await(const Progress& progress, uint64_t number, uint64_t deadline_ns, Scheduler& scheduler) {
  std::optional<StartsWithheld> starts;
  if (!progress.reached(number)) starts.emplace();
  if (!progress.reached(number) && deadline_ns != 0)
    look_for_a_while(progress, number, deadline_ns, scheduler);
  if (!progress.reached(number) && deadline_ns != 0) {
    HostWaiter waiter(scheduler);
    if (progress.add(waiter, number)) {
      // Whatever ended the wait, the position alone tells the answer.
      static_cast<void>(waiter.park(deadline_ns));
      progress.remove(waiter);
    }
  }
  const xhal_result_t status = progress.status(number);
  return status == XHAL_NOT_READY ? XHAL_TIMEOUT : status;
}

Progress* ProgressPool::take() {
  const std::lock_guard lock(mutex_);
  if (unused_.empty()) {
    // So that giving back never fails.
    unused_.reserve(all_.size() + 1);
    looked_at_.reserve(all_.size() + 1);
    return &all_.emplace_back();
  }
  Progress* progress = unused_.back();
  unused_.pop_back();
  return progress;
}

void ProgressPool::give_back(Progress* progress) {
  if (progress->fault() != nullptr) return;
  const std::lock_guard lock(mutex_);
  unused_.push_back(progress);
}

void ProgressPool::give_back_of_gone_stream(Progress* progress, FaultLog& faults, const Fault* own) {
  if (progress->fault() == nullptr) return give_back(progress);
  if (progress->named_ >= progress->failed_from_.load(std::memory_order_acquire)) return;
  const Failed failed = {progress, &faults, own};
  const std::lock_guard lock(mutex_);
  if (looks_ == 0) {
    use_again(failed);
  } else {
    looked_at_.push_back(failed);
  }
}

void ProgressPool::use_again(const Failed& failed) {
  failed.progress->failed_from_.store(kNever, std::memory_order_release);
  unused_.push_back(failed.progress);
  if (failed.own != nullptr) failed.faults->give_back(failed.own);
}

ProgressPool::Look::Look(ProgressPool& pool) : pool_(pool) {
  const std::lock_guard lock(pool_.mutex_);
  ++pool_.looks_;
}

ProgressPool::Look::~Look() {
  const std::lock_guard lock(pool_.mutex_);
  if (--pool_.looks_ != 0) return;
  for (const Failed& failed : pool_.looked_at_) pool_.use_again(failed);
  pool_.looked_at_.clear();
}

}  // namespace xhal::sim
