// SPDX-License-Identifier: Apache-2.0
#include "engine/worker_pool.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

#include "engine/runner.hpp"
#include "engine/signals.hpp"
#include "engine/spin_lock.hpp"

namespace xhal::sim {
namespace {

// A parker's word: one of these, and above it the processor that whoever wrote it was on.
enum : uint32_t { kParked = 0, kUnparked = 1, kParkedAsleep = 2 };
constexpr uint32_t kParkerBits = 2;
uint32_t here(uint32_t state) { return state | static_cast<uint32_t>(sched_getcpu()) << kParkerBits; }
uint32_t parker_state(uint32_t word) { return word & ((1u << kParkerBits) - 1); }
bool is_same_processor(uint32_t word, uint32_t other) { return word >> kParkerBits == other >> kParkerBits; }

// Longer than handing over to a running thread takes, about as long as waking a sleeping one.
constexpr uint64_t kPatienceNs = 20'000;
constexpr uint32_t kLooksBetweenClocks = 32;
// Less than a microsecond: too short for anybody to be told of it.
constexpr uint32_t kGlances = 32;
// A lane with much to do lets another one of its urgency go first after so many operations.
constexpr uint64_t kTurn = 64;
// Threads that stay when they have nothing to do.
constexpr size_t kKeptAsleep = 16;
// When no worker has come on for so long, they are taken for stuck.
constexpr std::chrono::milliseconds kStuck{10};

constexpr uint64_t kRelaxSpins = 256;
constexpr uint64_t kRelaxYields = 4096;
constexpr uint64_t kRelaxNaps = 64;  // of one length, before it doubles
constexpr long kShortestNapNs = 20'000;
constexpr uint64_t kLongestNapDoublings = 6;  // 1.28 milliseconds

uint32_t usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? static_cast<uint32_t>(CPU_COUNT(&set)) : 1;
}

}  // namespace

// ---- Lanes that are ready ------------------------------------------------------------------------------------------------------

void ReadyLanes::push(Lane& lane) {
  List& list = lists_[std::min(lane.urgency(), kUrgencies - 1)];
  lane.next_ready_ = nullptr;
  if (list.first == nullptr) {
    list.first = &lane;
  } else {
    list.last->next_ready_ = &lane;
  }
  list.last = &lane;
  ++size_;
}

Lane* ReadyLanes::pop() {
  const uint32_t level = most_urgent();
  if (level == 0) return nullptr;
  List& list = lists_[level - 1];
  --size_;
  return std::exchange(list.first, list.first->next_ready_);
}

Lane* ReadyLanes::pop_last() {
  constexpr uint32_t kMostOvertakings = 8;
  const uint32_t level = most_urgent();
  if (level == 0) return nullptr;
  List& list = lists_[level - 1];
  if (list.first == list.last || overtaken_ == kMostOvertakings) {
    overtaken_ = 0;
    return pop();
  }
  ++overtaken_;
  count(Oddity::kLastFirst);
  Lane* before = list.first;
  while (before->next_ready_ != list.last) before = before->next_ready_;
  Lane* const lane = std::exchange(list.last, before);
  before->next_ready_ = nullptr;
  --size_;
  return lane;
}

uint32_t ReadyLanes::most_urgent() const {
  for (uint32_t level = kUrgencies; level != 0; --level) {
    if (lists_[level - 1].first != nullptr) return level;
  }
  return 0;
}

// ---- Workers -------------------------------------------------------------------------------------------------------------------

namespace {

// Of the calling thread, when it is a worker.
[[gnu::tls_model("initial-exec")]] constinit thread_local Place* current_place = nullptr;

// Systems like to run a woken thread on the processor of the one that woke it. Whichever of the two has that processor then keeps the other
// one waiting as long as it does nothing but look at a word.
[[gnu::tls_model("initial-exec")]] constinit thread_local bool owes_way = false;

// Whom it last slept for, or woke from such a sleep, had this very processor meanwhile: nothing changes as long as this thread looks.
[[gnu::tls_model("initial-exec")]] constinit thread_local bool looks_in_vain = false;

void wake_sleeper(const std::atomic<uint32_t>& word) {
  futex_wake(word);
  owes_way = true;
}

}  // namespace

struct WorkerPool::Worker {
  explicit Worker(Scheduler& scheduler) : place{scheduler, {}, {}, false, {}} {}
  Place place;
  std::atomic<uint32_t> asleep{0};
  std::thread thread;
};

// A worker that has run its lane empty looks at it for a while: handing over to it then takes no system call.
class WorkerPool::Watch {
 public:
  explicit Watch(WorkerPool& pool) : pool_(pool) {}

  bool glance(uint32_t look) const {
    if (look == kGlances || !is_free()) return false;
    if (look == 0) {
      pool_.give_way();
    } else {
      cpu_pause();
    }
    return true;
  }
  bool begin() {
    if (!is_free()) return false;
    looks_ = 0;
    end_ns_ = pool_.now_ns() + pool_.patience_ns_;
    pool_.watching_.fetch_add(1, std::memory_order_seq_cst);
    return true;
  }
  bool keep_on() {
    if (!is_free()) return false;
    cpu_pause();
    return ++looks_ % kLooksBetweenClocks != 0 || pool_.now_ns() < end_ns_;
  }
  // Whoever made a lane ready may have counted on this worker, which goes on with its own.
  void end(bool resumed) {
    pool_.watching_.fetch_sub(1, std::memory_order_seq_cst);
    if (!resumed || pool_.ready_count_.load(std::memory_order_seq_cst) == 0) return;
    Worker* other = nullptr;
    {
      const std::lock_guard lock(pool_.mutex_);
      other = pool_.engage_for_ready();
    }
    wake(other);
  }

 private:
  // To stay with its lane: no other one waits.
  [[nodiscard]] bool is_free() const {
    return pool_.patience_ns() != 0 && pool_.ready_count_.load(std::memory_order_relaxed) == 0;
  }

  WorkerPool& pool_;
  uint32_t looks_ = 0;
  uint64_t end_ns_ = 0;
};

namespace {

// Of the process: those that keep work back, how many lanes they keep, and how many threads wait for work. Whoever keeps a lane writes that
// and then looks for those who wait; who is about to wait writes that and then looks for lanes: one of the two sees the other.
struct LazyPools {
  std::mutex mutex;
  std::vector<WorkerPool*> all;
  std::atomic<size_t> withheld{0};
  std::atomic<size_t> waiting{0};

  static LazyPools& of_process() {
    static auto* const pools = new LazyPools;
    return *pools;
  }
};

}  // namespace

void start_withheld() {
  LazyPools& pools = LazyPools::of_process();
  if (pools.withheld.load(std::memory_order_seq_cst) == 0) return;
  const std::lock_guard lock(pools.mutex);
  for (WorkerPool* pool : pools.all) pool->start_withheld_here();
}

StartsWithheld::StartsWithheld() {
  LazyPools::of_process().waiting.fetch_add(1, std::memory_order_seq_cst);
  start_withheld();
}

StartsWithheld::~StartsWithheld() { LazyPools::of_process().waiting.fetch_sub(1, std::memory_order_seq_cst); }

// Whoever looks at a lane that is empty would start what is pushed next.
WorkerPool::WorkerPool(uint32_t units, const Oddness& how_odd)
    : Scheduler(how_odd),
      units_(std::max(units, 1u)),
      patience_ns_(usable_cpus() > 1 && !how_odd.has(Oddity::kLazy) ? kPatienceNs : 0) {
  if (!how_odd.has(Oddity::kLazy)) return;
  LazyPools& pools = LazyPools::of_process();
  const std::lock_guard lock(pools.mutex);
  pools.all.push_back(this);
}

WorkerPool::~WorkerPool() {
  if (odd.has(Oddity::kLazy)) {
    LazyPools& pools = LazyPools::of_process();
    const std::lock_guard lock(pools.mutex);
    std::erase(pools.all, this);
  }
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (Worker* worker : asleep_) {
      worker->asleep.store(0, std::memory_order_release);
      wake(worker);
    }
    keeper_wanted_.notify_one();
  }
  if (keeper_.joinable()) keeper_.join();
  for (const auto& worker : workers_) worker->thread.join();
  reap();
}

bool WorkerPool::start() {
  const std::lock_guard lock(mutex_);
  return !workers_.empty() || spawn();
}

size_t WorkerPool::workers() const {
  const std::lock_guard lock(mutex_);
  return workers_.size();
}

size_t WorkerPool::sleepers() const {
  const std::lock_guard lock(mutex_);
  return asleep_.size();
}

bool WorkerPool::spawn() {
  reap();
  try {
    workers_.reserve(workers_.size() + 1);
    asleep_.reserve(workers_.size() + 1);  // so that a worker never fails to go to sleep, or to leave
    left_.reserve(workers_.size() + 1);
    auto worker = std::make_unique<Worker>(*this);
    {
      const AllSignalsBlocked blocked;
      worker->thread = std::thread([this, raw = worker.get()] { work(*raw); });
    }
    workers_.push_back(std::move(worker));
    ++running_;
    return true;
  } catch (const std::system_error&) {
    return false;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void WorkerPool::reap() {
  for (const auto& worker : left_) worker->thread.join();
  left_.clear();
}

void WorkerPool::wake(Worker* worker) {
  if (worker != nullptr) wake_sleeper(worker->asleep);
}

WorkerPool::Worker* WorkerPool::engage_one() {
  if (asleep_.empty()) {
    static_cast<void>(spawn());  // without a thread the lane waits for one that is there
    return nullptr;
  }
  Worker* const worker = asleep_.back();
  asleep_.pop_back();
  ++running_;
  worker->asleep.store(0, std::memory_order_release);
  return worker;
}

WorkerPool::Worker* WorkerPool::engage_for_ready() {
  if (ready_.size() <= watching_.load(std::memory_order_seq_cst)) return nullptr;
  if (running_ < limit()) return engage_one();
  if (odd.has(Oddity::kOneWorker)) return nullptr;
  if (!keeper_.joinable()) {
    try {
      const AllSignalsBlocked blocked;
      keeper_ = std::thread([this] { keep(); });
    } catch (const std::system_error&) {
      return nullptr;
    }
  }
  if (keeper_sleeps_) keeper_wanted_.notify_one();
  return nullptr;
}

void WorkerPool::ready_changed() {
  ready_count_.store(static_cast<uint32_t>(ready_.size()), std::memory_order_seq_cst);
  most_urgent_.store(ready_.most_urgent(), std::memory_order_relaxed);
}

void WorkerPool::ready(Lane& lane) {
  if (odd.has(Oddity::kLazy) && current_place == nullptr && !lane.resumes()) [[unlikely]]
    return withhold(lane);
  Worker* worker = nullptr;
  {
    const std::lock_guard lock(mutex_);
    ready_.push(lane);
    ready_changed();
    if (blocked_) count(Oddity::kOneWorker);
    if (current_place != nullptr && &current_place->scheduler == this) {
      current_place->owes_wake = true;
      return;
    }
    worker = engage_for_ready();
  }
  wake(worker);
}

void WorkerPool::withhold(Lane& lane) {
  LazyPools& pools = LazyPools::of_process();
  {
    const std::lock_guard lock(mutex_);
    withheld_.push_back(&lane);
    pools.withheld.fetch_add(1, std::memory_order_seq_cst);
  }
  if (pools.waiting.load(std::memory_order_seq_cst) != 0) start_withheld();
}

void WorkerPool::start_withheld_here() {
  Worker* worker = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (withheld_.empty()) return;
    for (Lane* lane : withheld_) {
      ready_.push(*lane);
      count(Oddity::kLazy);
    }
    LazyPools::of_process().withheld.fetch_sub(withheld_.size(), std::memory_order_relaxed);
    withheld_.clear();
    ready_changed();
    worker = engage_for_ready();
  }
  wake(worker);
}

void WorkerPool::settle(Place& place) {
  place.owes_wake = false;
  Worker* worker = nullptr;
  {
    const std::lock_guard lock(mutex_);
    worker = engage_for_ready();
  }
  wake(worker);
}

bool WorkerPool::should_yield(uint32_t urgency, uint64_t done) const {
  const uint32_t waiting = most_urgent_.load(std::memory_order_relaxed);
  if (waiting == 0) return false;
  return waiting - 1 > urgency || (done >= kTurn && waiting - 1 == urgency) ||
         crowded_.load(std::memory_order_relaxed);
}

void WorkerPool::begin_blocking(Place&) {
  Worker* worker = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (odd.has(Oddity::kOneWorker)) {
      blocked_ = true;
      if (ready_.size() != 0) count(Oddity::kOneWorker);
      return;
    }
    --running_;
    crowded_.store(running_ > limit(), std::memory_order_relaxed);
    worker = engage_for_ready();
  }
  wake(worker);
}

void WorkerPool::end_blocking(Place&) {
  const std::lock_guard lock(mutex_);
  if (odd.has(Oddity::kOneWorker)) {
    blocked_ = false;
    return;
  }
  ++running_;
  crowded_.store(running_ > limit(), std::memory_order_relaxed);
}

void WorkerPool::work(Worker& worker) {
  pthread_setname_np(pthread_self(), "xhal-sim");
  current_place = &worker.place;
  std::unique_lock lock(mutex_);
  for (;;) {
    Lane* const lane = running_ > limit()            ? nullptr
                       : odd.has(Oddity::kLastFirst) ? ready_.pop_last()
                                                     : ready_.pop();
    if (lane != nullptr) {
      ready_changed();
      ++picked_;
      // Several may have become ready by what one worker did: each who takes one sees to the next.
      Worker* const next = engage_for_ready();
      lock.unlock();
      wake(next);
      Runner::run(*lane, worker.place, Watch(*this));
      worker.place.owes_wake = false;
      lock.lock();
      continue;
    }
    if (stopping_) return;
    --running_;
    crowded_.store(running_ > limit(), std::memory_order_relaxed);
    // It leaves lanes behind when there are more workers than units, as after an operation that blocked: those that run take them, or
    // the keeper sees to it.
    wake(engage_for_ready());
    if (asleep_.size() >= kKeptAsleep) {
      const auto mine = std::ranges::find(workers_, &worker, &std::unique_ptr<Worker>::get);
      left_.push_back(std::move(*mine));
      workers_.erase(mine);
      return;
    }
    asleep_.push_back(&worker);
    worker.asleep.store(1, std::memory_order_relaxed);
    lock.unlock();
    while (worker.asleep.load(std::memory_order_acquire) != 0) futex_wait(worker.asleep, 1, kNever);
    owes_way = true;
    looks_in_vain = false;
    lock.lock();
    if (stopping_) return;
  }
}

// ---- What nobody announced -----------------------------------------------------------------------------------------------------

uint64_t WorkerPool::beats() const {
  uint64_t sum = picked_;
  for (const auto& worker : workers_) sum += worker->place.beats.load(std::memory_order_relaxed);
  return sum;
}

// A kernel that spins without telling anybody would keep its worker for ever. While lanes wait and no worker comes on, it adds one.
void WorkerPool::keep() {
  pthread_setname_np(pthread_self(), "xhal-sim-keep");
  std::unique_lock lock(mutex_);
  for (;;) {
    keeper_sleeps_ = true;
    keeper_wanted_.wait(lock, [&] { return stopping_ || ready_.size() != 0; });
    keeper_sleeps_ = false;
    if (stopping_) return;
    const uint64_t before = beats();
    if (keeper_wanted_.wait_for(lock, kStuck, [&] { return stopping_; })) return;
    if (ready_.size() == 0) {
      extra_ = 0;
    } else if (beats() == before) {
      ++extra_;
      Worker* const worker = engage_for_ready();
      lock.unlock();
      wake(worker);
      lock.lock();
    }
  }
}

// ---- Host threads --------------------------------------------------------------------------------------------------------------

uint64_t WorkerPool::patience_ns() const { return looks_in_vain ? 0 : patience_ns_; }

bool WorkerPool::park(Parker& parker, uint64_t deadline_ns) {
  std::atomic<uint32_t>& word = word_of(parker);
  uint32_t expected = kParked;
  const uint32_t asleep = here(kParkedAsleep);
  if (!word.compare_exchange_strong(expected, asleep, std::memory_order_acq_rel)) return true;
  for (;;) {
    const uint32_t now = word.load(std::memory_order_acquire);
    if (parker_state(now) == kUnparked) {
      looks_in_vain = is_same_processor(now, asleep);
      return true;
    }
    if (deadline_ns != kNever && now_ns() >= deadline_ns) return false;
    futex_wait(word, asleep, deadline_ns);
  }
}

void WorkerPool::unpark(Parker& parker) {
  std::atomic<uint32_t>& word = word_of(parker);
  const uint32_t unparked = here(kUnparked);
  const uint32_t former = word.exchange(unparked, std::memory_order_acq_rel);
  if (parker_state(former) != kParkedAsleep) return;
  looks_in_vain = is_same_processor(former, unparked);
  wake_sleeper(word);
}

void WorkerPool::give_way() {
  if (!owes_way) return;
  owes_way = false;
  sched_yield();
}

void WorkerPool::relax(uint64_t turn) {
  if (turn < kRelaxSpins) {
    cpu_pause();
  } else if (turn < kRelaxYields) {
    sched_yield();
  } else {
    const uint64_t doublings = std::min((turn - kRelaxYields) / kRelaxNaps, kLongestNapDoublings);
    const timespec nap = {0, kShortestNapNs << doublings};
    nanosleep(&nap, nullptr);
  }
}

std::unique_ptr<Scheduler> make_scheduler(uint32_t units, const Oddness& odd) {
  return std::make_unique<WorkerPool>(units, odd);
}

}  // namespace xhal::sim
