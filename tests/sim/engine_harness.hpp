// SPDX-License-Identifier: Apache-2.0
// Streams and their scheduler without a device.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "engine/stream.hpp"
#include "engine/worker_pool.hpp"

namespace xhal::sim {

class FakeHost final : public StreamHost {
 public:
  explicit FakeHost(uint32_t units = 2, const Oddness& odd = {}) : scheduler_(units, odd) {}
  WorkerPool& scheduler() override { return scheduler_; }
  ProgressPool& progresses() override { return progresses_; }
  FaultLog& faults() override { return faults_; }
  Activity& activity() override { return activity_; }
  void failed(const Fault*) override { failures.fetch_add(1); }
  void went_idle() override { idles.fetch_add(1); }
  void forget(Stream&) override {
    left.fetch_add(1);
    left.notify_all();
  }
  Window window() const override { return {}; }

  std::atomic<int> failures{0};
  std::atomic<int> idles{0};
  std::atomic<int> left{0};

 private:
  ProgressPool progresses_;
  FaultLog faults_;
  Activity activity_{0, 1};
  WorkerPool scheduler_;  // last: its threads end first
};

// A stream that leaves at the end of the test and is waited for.
class Streams {
 public:
  explicit Streams(FakeHost& host) : host_(host) {}
  ~Streams() {
    for (Stream* stream : streams_) {
      if (!stream->leave()) {
        delete stream;
        host_.left.fetch_add(1);
      }
    }
    for (int left = host_.left.load(); left < static_cast<int>(streams_.size()); left = host_.left.load())
      host_.left.wait(left);
  }
  Stream& make(int32_t priority = 0) {
    streams_.push_back(new Stream(host_, streams_.size() + 1, {false, priority}));
    return *streams_.back();
  }

 private:
  FakeHost& host_;
  std::vector<Stream*> streams_;
};

inline xhal_result_t call(Stream& stream, xhal_host_fn function, void* user) {
  return stream.submit([&](Op& op) { op.make(HostFunctionOp{function, user}); });
}

inline xhal_result_t synchronize(Stream& stream, Scheduler& scheduler) {
  return await(stream.progress(), stream.progress().submitted(), kNever, scheduler);
}

struct Hold {
  std::atomic<bool> entered{false};
  std::atomic<bool> open{false};
  static void wait(void* user, xhal_result_t) {
    auto& hold = *static_cast<Hold*>(user);
    hold.entered.store(true);
    hold.entered.notify_all();
    hold.open.wait(false);
  }
  void release() {
    open.store(true);
    open.notify_all();
  }
};

}  // namespace xhal::sim
