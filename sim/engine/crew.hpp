// SPDX-License-Identifier: Apache-2.0
// Threads for work whose parts wait for one another: each part has one of its own from its beginning to its end.
//
// A part may spin on a word without telling anybody, so nothing less than a thread will do. They are made when so many are asked for the
// first time, and kept as long as the scheduler.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/scheduler.hpp"

namespace xhal::sim {

class Crew {
 public:
  explicit Crew(Scheduler& scheduler);
  // Nobody is in a call.
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // Scheduler's functions of these names.
  [[nodiscard]] bool reserve_together(uint32_t count);
  void run_together(Place& place, Together& work, uint32_t count);

  // Threads that there are now; for tests.
  [[nodiscard]] size_t members() const;

 private:
  struct Run;
  struct Member;

  void serve(Member& member);
  // Under mutex_. False when the system gives no more threads or memory; those that were made stay.
  bool grow(size_t count);

  Scheduler& scheduler_;
  mutable std::mutex mutex_;
  std::condition_variable run_ended_;
  bool stopping_ = false;
  std::vector<std::unique_ptr<Member>> members_;
  std::vector<Member*> idle_;
};

}  // namespace xhal::sim
