// SPDX-License-Identifier: Apache-2.0
// Records of what a device did, and who gets them.
//
// A record is handed over by the worker that did the operation, before the operation counts as done. Whoever sees work done has its
// records, so that a flush and an end of a subscription wait for nothing but a callback that is under way.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "activity/correlation.hpp"
#include "xhal/observe.h"

namespace xhal::sim {

class Activity;

// What a handle of a subscription points to.
class Subscription {
 public:
  Subscription(Activity& device, const xhal_activity_desc_t& desc)
      : activity(device), kinds(desc.kinds), callback_(desc.callback), user_(desc.user) {}
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

  Activity& activity;
  const uint32_t kinds;
  xhal_subscription_t handle = nullptr;

  // Calls the callback, when its turn comes, unless the subscription has ended.
  void deliver(const xhal_activity_record_t& record);
  // Waits for the callback that is under way. False when it still is after that time.
  [[nodiscard]] bool await_callback(uint64_t timeout_ns);
  // Waits likewise; the callback is not called again.
  void end();

 private:
  const xhal_activity_fn callback_;
  void* const user_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool busy_ = false;
  bool ended_ = false;
  uint64_t calls_ = 0;  // that have returned
};

// Of one device.
class Activity {
 public:
  Activity(uint32_t device_index, uint64_t instance_id)
      : device_index_(device_index), instance_id_(instance_id) {}
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;
  ~Activity();

  // The kinds that somebody has subscribed to: XHAL_ACTIVITY_ bits.
  [[nodiscard]] uint32_t wanted() const { return wanted_.load(std::memory_order_relaxed); }
  // What the calling thread has exchanged for this device's instance, or 0.
  [[nodiscard]] uint64_t external_correlation() const {
    return ThreadCorrelations::any() ? ThreadCorrelations::of(instance_id_) : 0;
  }
  // Fills in the device, and hands the record to all who want its kind.
  void deliver(xhal_activity_record_t record) const;

  // Throws std::bad_alloc.
  xhal_subscription_t subscribe(const xhal_activity_desc_t& desc);
  // Waits for a callback under way; the subscription is gone then.
  void unsubscribe(Subscription& subscription);

 private:
  using List = std::vector<std::shared_ptr<Subscription>>;
  void set(List list);
  [[nodiscard]] std::shared_ptr<const List> list() const;

  const uint32_t device_index_;
  const uint64_t instance_id_;
  std::atomic<uint32_t> wanted_{0};
  mutable std::mutex mutex_;
  std::shared_ptr<const List> list_ = std::make_shared<const List>();
};

}  // namespace xhal::sim
