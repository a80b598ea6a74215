// SPDX-License-Identifier: Apache-2.0
#include "work/host_threads.hpp"

#include <exception>
#include <utility>

namespace xhal::opencl {

HostThreads::~HostThreads() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void HostThreads::add_thread() {
  threads_.reserve(threads_.size() + 1);
  threads_.emplace_back([this] { loop(); });
}

void HostThreads::start() {
  const std::lock_guard lock(mutex_);
  if (threads_.empty()) add_thread();
}

void HostThreads::run(std::unique_ptr<HostWork> work) noexcept {
  const std::lock_guard lock(mutex_);
  HostWork* const added = work.get();
  (last_ == nullptr ? first_ : last_->next_) = std::move(work);
  last_ = added;
  ++waiting_;
  if (waiting_ > idle_) {
    try {
      add_thread();
    } catch (const std::exception&) {
      // The threads that there are run it when they are done with what they have.
    }
  }
  changed_.notify_one();
}

void HostThreads::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, [this] { return ends_ || first_ != nullptr; });
    --idle_;
    if (first_ == nullptr) return;
    const std::unique_ptr<HostWork> work = std::move(first_);
    first_ = std::move(work->next_);
    if (first_ == nullptr) last_ = nullptr;
    --waiting_;
    lock.unlock();
    work->run();
    lock.lock();
  }
}

}  // namespace xhal::opencl
