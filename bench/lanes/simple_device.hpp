// SPDX-License-Identifier: Apache-2.0
// The simple fake device: what one writes first. Made from the description of PyTorch's OpenReg: a stream is a thread with a mutex, a condition variable
// and a queue of functions; an event is a flag with a mutex and a condition variable. It is a reference, not a driver.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace xhal::bench {

class SimpleEvent {
 public:
  void begin();
  void set();
  void wait();
  [[nodiscard]] bool is_set();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_set_ = true;
};

class SimpleStream {
 public:
  SimpleStream();
  ~SimpleStream();  // what was submitted is run first
  SimpleStream(const SimpleStream&) = delete;
  SimpleStream& operator=(const SimpleStream&) = delete;

  void submit(std::function<void()> task);
  void synchronize();
  [[nodiscard]] bool is_idle();
  void record(const std::shared_ptr<SimpleEvent>& event);
  void wait(const std::shared_ptr<SimpleEvent>& event);

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable has_work_;
  std::condition_variable is_done_;
  std::deque<std::function<void()>> tasks_;
  bool is_busy_ = false;
  bool stopping_ = false;
  std::thread worker_;
};

}  // namespace xhal::bench
