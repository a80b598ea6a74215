// SPDX-License-Identifier: Apache-2.0
// Threads that run host functions: as many as block at a time, since one that blocks must not keep another stream's from running.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace xhal::opencl {

// Made where it is submitted, so that nothing can fail when its turn comes.
class HostWork {
 public:
  HostWork() = default;
  virtual ~HostWork() = default;
  HostWork(const HostWork&) = delete;
  HostWork& operator=(const HostWork&) = delete;
  virtual void run() = 0;

 private:
  friend class HostThreads;
  std::unique_ptr<HostWork> next_;
};

class HostThreads {
 public:
  HostThreads() = default;
  ~HostThreads();  // when nothing is left to run
  HostThreads(const HostThreads&) = delete;
  HostThreads& operator=(const HostThreads&) = delete;

  // Makes sure that there is a thread at all. Throws std::system_error or bad_alloc.
  void start();
  // From a callback of the driver's, which must neither wait nor run what may block.
  void run(std::unique_ptr<HostWork> work) noexcept;

 private:
  void loop();
  void add_thread();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<HostWork> first_;
  HostWork* last_ = nullptr;
  size_t waiting_ = 0;  // pieces of work
  size_t idle_ = 0;     // threads
  std::vector<std::thread> threads_;
  bool ends_ = false;
};

}  // namespace xhal::opencl
