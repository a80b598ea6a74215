// SPDX-License-Identifier: Apache-2.0
// Real threads: as many workers as the device has units take the lanes that are ready, the most urgent ones first; a worker whose
// operation blocks does not count, so that another one takes its place.
#pragma once

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/crew.hpp"
#include "engine/scheduler.hpp"

namespace xhal::sim {

// Lanes in state kReady: first in, first out within a level.
class ReadyLanes {
 public:
  void push(Lane& lane);
  // Null when there is none.
  Lane* pop();
  // The same, but the last one of its level first; no lane is overtaken for ever.
  Lane* pop_last();
  [[nodiscard]] size_t size() const { return size_; }
  // 1 + the level of the most urgent one; 0 when there is none.
  [[nodiscard]] uint32_t most_urgent() const;

 private:
  struct List {
    Lane* first = nullptr;
    Lane* last = nullptr;
  };
  std::array<List, kUrgencies> lists_;
  size_t size_ = 0;
  uint32_t overtaken_ = 0;  // by pop_last(), in a row
};

class WorkerPool final : public Scheduler {
 public:
  explicit WorkerPool(uint32_t units, const Oddness& odd = {});
  // All lanes have finished, and nobody is in a call.
  ~WorkerPool() override;

  uint64_t now_ns() const override { return monotonic_ns(); }
  bool start() override;
  void ready(Lane& lane) override;
  void settle(Place& place) override;
  bool should_yield(uint32_t urgency, uint64_t done) const override;
  void begin_blocking(Place& place) override;
  void end_blocking(Place& place) override;
  void relax(uint64_t turn) override;
  bool reserve_together(uint32_t count) override { return crew_.reserve_together(count); }
  void run_together(Place& place, Together& work, uint32_t count) override {
    crew_.run_together(place, work, count);
  }
  void give_way() override;
  uint64_t patience_ns() const override;
  bool park(Parker& parker, uint64_t deadline_ns) override;
  void unpark(Parker& parker) override;

  // Lanes that ready() kept back until now, see start_withheld().
  void start_withheld_here();

  // Threads that there are now; for tests.
  [[nodiscard]] size_t workers() const;
  [[nodiscard]] size_t sleepers() const;

 private:
  struct Worker;
  class Watch;

  void work(Worker& worker);
  // Keeps back a lane that is ready, see start_withheld().
  void withhold(Lane& lane);
  void keep();
  // Under mutex_. Whoever they return is to be woken by wake() once the mutex is free; null when there is nobody.
  Worker* engage_one();
  Worker* engage_for_ready();
  bool spawn();
  void ready_changed();
  // Joins the threads that have left.
  void reap();
  static void wake(Worker* worker);
  [[nodiscard]] uint32_t limit() const { return units_ + extra_; }
  [[nodiscard]] uint64_t beats() const;

  const uint32_t units_;
  const uint64_t patience_ns_;

  mutable std::mutex mutex_;
  bool stopping_ = false;
  ReadyLanes ready_;
  uint32_t running_ = 0;  // workers that neither sleep nor block
  uint32_t extra_ = 0;    // above units_, since those that run do not come on
  uint64_t picked_ = 0;
  std::vector<Lane*> withheld_;
  bool blocked_ = false;  // Oddity::kOneWorker: by what the one worker does
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Worker*> asleep_;
  std::vector<std::unique_ptr<Worker>> left_;

  // Copies of what mutex_ guards, for looks without it.
  std::atomic<uint32_t> ready_count_{0};
  std::atomic<uint32_t> most_urgent_{0};
  std::atomic<bool> crowded_{false};
  std::atomic<uint32_t> watching_{
      0};  // running workers that look at an empty lane, and leave it for a ready one

  std::condition_variable keeper_wanted_;
  bool keeper_sleeps_ = false;
  std::thread keeper_;

  Crew crew_{*this};
};

}  // namespace xhal::sim
