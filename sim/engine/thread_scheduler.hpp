// SPDX-License-Identifier: Apache-2.0
// Real threads: one for each started lane, kept for the next lane when one finishes.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/scheduler.hpp"

namespace xhal::sim {

class ThreadScheduler final : public Scheduler {
 public:
  ThreadScheduler();
  // All lanes have finished before.
  ~ThreadScheduler() override;

  uint64_t now_ns() const override { return monotonic_ns(); }
  bool start(Lane& lane) override;
  void wake(Lane& lane) override;
  bool park(Parker& parker, uint64_t deadline_ns) override;
  void unpark(Parker& parker) override;
  void relax(uint64_t turn) override;

 private:
  struct Worker {
    std::condition_variable ready;
    Lane* lane = nullptr;
    std::thread thread;
  };

  void work(Worker& worker);
  void drive(Lane& lane);

  const uint32_t spins_;  // looks at a word before sleeping on it
  std::mutex mutex_;
  bool stopping_ = false;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Worker*> idle_;
};

}  // namespace xhal::sim
