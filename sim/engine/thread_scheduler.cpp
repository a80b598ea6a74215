// SPDX-License-Identifier: Apache-2.0
#include "engine/thread_scheduler.hpp"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <system_error>

namespace xhal::sim {
namespace {

// Lane::signal_. A lane that runs is signalled to look again before it sleeps.
enum : uint32_t { kRunning = 0, kSignalled = 1, kAsleep = 2 };
// Parker::word_.
enum : uint32_t { kParked = 0, kUnparked = 1, kParkedAsleep = 2 };

// About 10 microseconds: longer than handing over to a running thread takes, shorter than waking a sleeping one.
constexpr uint32_t kSpins = 400;
constexpr uint64_t kRelaxSpins = 256;
constexpr uint64_t kRelaxYields = 4096;
constexpr long kRelaxSleepNs = 20'000;

void cpu_pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

uint32_t usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? static_cast<uint32_t>(CPU_COUNT(&set)) : 1;
}

// The application's signal handlers run on its own threads; a new thread inherits the mask of its maker.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &former_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t former_ = {};
};

}  // namespace

ThreadScheduler::ThreadScheduler() : spins_(usable_cpus() > 1 ? kSpins : 0) {}

ThreadScheduler::~ThreadScheduler() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& worker : workers_) worker->ready.notify_one();
  }
  for (const auto& worker : workers_) worker->thread.join();
}

bool ThreadScheduler::start(Lane& lane) {
  const std::lock_guard lock(mutex_);
  if (!idle_.empty()) {
    Worker* worker = idle_.back();
    idle_.pop_back();
    worker->lane = &lane;
    worker->ready.notify_one();
    return true;
  }
  try {
    workers_.reserve(workers_.size() + 1);
    idle_.reserve(workers_.size() + 1);  // so that a worker that has finished its lane never fails to queue
    auto worker = std::make_unique<Worker>();
    worker->lane = &lane;
    {
      const AllSignalsBlocked blocked;
      worker->thread = std::thread([this, raw = worker.get()] { work(*raw); });
    }
    workers_.push_back(std::move(worker));
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

void ThreadScheduler::work(Worker& worker) {
  pthread_setname_np(pthread_self(), "xhal-sim");
  std::unique_lock lock(mutex_);
  for (;;) {
    worker.ready.wait(lock, [&] { return worker.lane != nullptr || stopping_; });
    if (worker.lane == nullptr) return;
    Lane& lane = *worker.lane;
    lock.unlock();
    drive(lane);
    lock.lock();
    worker.lane = nullptr;
    idle_.push_back(&worker);
  }
}

void ThreadScheduler::drive(Lane& lane) {
  for (;;) {
    lane.signal_.exchange(kRunning, std::memory_order_acq_rel);
    Lane::Step step = Lane::Step::kRan;
    while (step == Lane::Step::kRan) step = lane.step();
    if (step == Lane::Step::kFinished) {
      lane.finished();
      return;
    }
    for (uint32_t i = 0; i < spins_ && lane.signal_.load(std::memory_order_relaxed) != kSignalled; ++i)
      cpu_pause();
    uint32_t expected = kRunning;
    if (!lane.signal_.compare_exchange_strong(expected, kAsleep, std::memory_order_acq_rel)) continue;
    while (lane.signal_.load(std::memory_order_acquire) == kAsleep) futex_wait(lane.signal_, kAsleep, kNever);
  }
}

void ThreadScheduler::wake(Lane& lane) {
  if (lane.signal_.exchange(kSignalled, std::memory_order_acq_rel) == kAsleep) futex_wake(lane.signal_);
}

bool ThreadScheduler::park(Parker& parker, uint64_t deadline_ns) {
  for (uint32_t i = 0; i < spins_; ++i) {
    if (parker.word_.load(std::memory_order_acquire) == kUnparked) return true;
    cpu_pause();
  }
  uint32_t expected = kParked;
  if (!parker.word_.compare_exchange_strong(expected, kParkedAsleep, std::memory_order_acq_rel)) return true;
  while (parker.word_.load(std::memory_order_acquire) != kUnparked) {
    if (deadline_ns != kNever && now_ns() >= deadline_ns) return false;
    futex_wait(parker.word_, kParkedAsleep, deadline_ns);
  }
  return true;
}

void ThreadScheduler::unpark(Parker& parker) {
  if (parker.word_.exchange(kUnparked, std::memory_order_acq_rel) == kParkedAsleep) futex_wake(parker.word_);
}

void ThreadScheduler::relax(uint64_t turn) {
  if (turn < kRelaxSpins) {
    cpu_pause();
  } else if (turn < kRelaxYields) {
    sched_yield();
  } else {
    const timespec nap = {0, kRelaxSleepNs};
    nanosleep(&nap, nullptr);
  }
}

}  // namespace xhal::sim
