// SPDX-License-Identifier: Apache-2.0
#include "engine/crew.hpp"

#include <pthread.h>

#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "engine/signals.hpp"

namespace xhal::sim {

struct Crew::Run {
  Together& work;
  size_t left;  // members that are at it; under mutex_
};

struct Crew::Member {
  explicit Member(Scheduler& scheduler) : place{scheduler, {}, {}, false, {}} {}
  Place place;
  // Under mutex_.
  Run* run = nullptr;
  uint32_t part = 0;
  std::condition_variable wanted;
  std::thread thread;
};

Crew::Crew(Scheduler& scheduler) : scheduler_(scheduler) {}

Crew::~Crew() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& member : members_) member->wanted.notify_one();
  }
  for (const auto& member : members_) member->thread.join();
}

size_t Crew::members() const {
  const std::lock_guard lock(mutex_);
  return members_.size();
}

bool Crew::grow(size_t count) {
  try {
    members_.reserve(members_.size() + count);
    idle_.reserve(members_.size() + count);  // so that a member never fails to become idle
    for (; count != 0; --count) {
      auto member = std::make_unique<Member>(scheduler_);
      {
        const AllSignalsBlocked blocked;
        member->thread = std::thread([this, raw = member.get()] { serve(*raw); });
      }
      idle_.push_back(member.get());
      members_.push_back(std::move(member));
    }
    return true;
  } catch (const std::system_error&) {
    return false;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

// The caller's thread is the first one.
bool Crew::reserve_together(uint32_t count) {
  const std::lock_guard lock(mutex_);
  return members_.size() + 1 >= count || grow(count - 1 - members_.size());
}

void Crew::run_together(Place& place, Together& work, uint32_t count) {
  // Its parts wait for one another, for somebody else as well if they like.
  scheduler_.begin_blocking(place);
  Run run = {work, count - 1};
  {
    std::unique_lock lock(mutex_);
    // All at once or none: whoever has some and waits for more could wait for another one that does the same. What was reserved is there,
    // so it comes back when the others end.
    while (idle_.size() < run.left && !grow(run.left - idle_.size())) run_ended_.wait(lock);
    for (uint32_t part = 1; part < count; ++part) {
      Member& member = *idle_.back();
      idle_.pop_back();
      member.run = &run;
      member.part = part;
      member.wanted.notify_one();
    }
  }
  work.run_part(0, place);
  {
    std::unique_lock lock(mutex_);
    while (run.left != 0) run_ended_.wait(lock);
  }
  scheduler_.end_blocking(place);
}

void Crew::serve(Member& member) {
  pthread_setname_np(pthread_self(), "xhal-sim-crew");
  std::unique_lock lock(mutex_);
  for (;;) {
    member.wanted.wait(lock, [&] { return stopping_ || member.run != nullptr; });
    if (member.run == nullptr) return;
    Run& run = *member.run;
    lock.unlock();
    run.work.run_part(member.part, member.place);
    lock.lock();
    member.run = nullptr;
    idle_.push_back(&member);
    if (--run.left == 0) run_ended_.notify_all();
  }
}

}  // namespace xhal::sim
