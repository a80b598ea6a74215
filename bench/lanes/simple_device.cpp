// SPDX-License-Identifier: Apache-2.0
#include "bench/lanes/simple_device.hpp"

#include <utility>

namespace xhal::bench {

void SimpleEvent::begin() {
  const std::lock_guard lock(mutex_);
  is_set_ = false;
}

void SimpleEvent::set() {
  const std::lock_guard lock(mutex_);
  is_set_ = true;
  changed_.notify_all();
}

void SimpleEvent::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return is_set_; });
}

bool SimpleEvent::is_set() {
  const std::lock_guard lock(mutex_);
  return is_set_;
}

SimpleStream::SimpleStream() : worker_([this] { run(); }) {}

SimpleStream::~SimpleStream() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  has_work_.notify_one();
  worker_.join();
}

void SimpleStream::submit(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  has_work_.notify_one();
}

void SimpleStream::synchronize() {
  std::unique_lock lock(mutex_);
  is_done_.wait(lock, [this] { return tasks_.empty() && !is_busy_; });
}

bool SimpleStream::is_idle() {
  const std::lock_guard lock(mutex_);
  return tasks_.empty() && !is_busy_;
}

void SimpleStream::record(const std::shared_ptr<SimpleEvent>& event) {
  event->begin();
  submit([event] { event->set(); });
}

void SimpleStream::wait(const std::shared_ptr<SimpleEvent>& event) {
  submit([event] { event->wait(); });
}

void SimpleStream::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    has_work_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    const std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    is_busy_ = true;
    lock.unlock();
    task();
    lock.lock();
    is_busy_ = false;
    if (tasks_.empty()) is_done_.notify_all();
  }
}

}  // namespace xhal::bench
