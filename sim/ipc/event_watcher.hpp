// SPDX-License-Identifier: Apache-2.0
// Lets positions of this process stand for generations that others record: a thread, started with the first wait that has to wait, sleeps
// until an event's bell rings or a recorder ends, and brings the positions on. Nothing is polled while nothing happens.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/fault.hpp"
#include "engine/progress.hpp"
#include "ipc/descriptor.hpp"
#include "ipc/shared_event.hpp"

namespace xhal::sim {

class EventWatcher {
 public:
  // Both live longer.
  EventWatcher(ProgressPool& progresses, FaultLog& faults) : progresses_(progresses), faults_(faults) {}
  EventWatcher(const EventWatcher&) = delete;
  EventWatcher& operator=(const EventWatcher&) = delete;
  // Nobody waits any more. What is still watched is never done.
  ~EventWatcher();

  // Done when the generation is over or its recorder has ended. Throws std::bad_alloc and std::system_error.
  Position watch(std::shared_ptr<SharedEvent> event, uint64_t generation);

 private:
  struct Watch {
    std::shared_ptr<SharedEvent> event;
    uint64_t generation = 0;
    Progress* progress = nullptr;
    uint64_t number = 0;
    ProcessId recorder;
  };
  struct Recorder {
    Descriptor pidfd;  // none where the system has no such thing: looked at now and then
    bool has_ended = false;
  };

  void start();
  void run();
  void add_recorder(ProcessId recorder);
  // Takes what is over out of the list.
  std::vector<Watch> take_over_ones();
  void end(const Watch& watch);

  ProgressPool& progresses_;
  FaultLog& faults_;
  std::mutex mutex_;
  std::vector<Watch> watches_;
  std::map<uint64_t, Recorder> recorders_;  // those that somebody waits for
  Descriptor epoll_;
  Descriptor wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace xhal::sim
