// SPDX-License-Identifier: Apache-2.0
#include "activity/activity.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "xhal/kit/driver.hpp"
#include "xhal/kit/handles.hpp"

namespace xhal::sim {

// ---- One subscription ----------------------------------------------------------------------------------------------------------

void Subscription::deliver(const xhal_activity_record_t& record) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !busy_; });
  if (ended_) return;
  busy_ = true;
  lock.unlock();
  // The callback must not call the library. One that does is refused as a host function would be, before it waits for itself.
  struct Call {
    const Subscription& subscription;
    const xhal_activity_record_t& record;
    static void run(void* user, xhal_result_t) {
      const auto& call = *static_cast<const Call*>(user);
      call.subscription.callback_(call.subscription.user_, &call.record, 1, sizeof(call.record));
    }
  } call = {*this, record};
  kit::run_host_function(&Call::run, &call, XHAL_SUCCESS);
  lock.lock();
  busy_ = false;
  ++calls_;
  changed_.notify_all();
}

bool Subscription::await_callback(uint64_t timeout_ns) {
  // Longer than any process lives, and short enough to be added to the time.
  constexpr uint64_t kLongest = uint64_t{1} << 62;
  std::unique_lock lock(mutex_);
  const uint64_t calls = calls_;
  return changed_.wait_for(lock, std::chrono::nanoseconds(std::min(timeout_ns, kLongest)),
                           [&] { return !busy_ || calls_ != calls; });
}

void Subscription::end() {
  std::unique_lock lock(mutex_);
  ended_ = true;
  changed_.wait(lock, [&] { return !busy_; });
}

// ---- Those of a device ---------------------------------------------------------------------------------------------------------

Activity::~Activity() {
  for (const auto& subscription : *list_) kit::free_handle(subscription->handle);
}

std::shared_ptr<const Activity::List> Activity::list() const {
  const std::lock_guard lock(mutex_);
  return list_;
}

void Activity::deliver(xhal_activity_record_t record) const {
  record.struct_size = sizeof(record);
  record.device_index = device_index_;
  const std::shared_ptr<const List> subscriptions = list();
  for (const auto& subscription : *subscriptions) {
    if ((subscription->kinds & record.kind) != 0) subscription->deliver(record);
  }
}

// Under mutex_.
void Activity::set(List list) {
  uint32_t kinds = 0;
  for (const auto& subscription : list) kinds |= subscription->kinds;
  list_ = std::make_shared<const List>(std::move(list));
  wanted_.store(kinds, std::memory_order_relaxed);
}

xhal_subscription_t Activity::subscribe(const xhal_activity_desc_t& desc) {
  const auto subscription = std::make_shared<Subscription>(*this, desc);
  subscription->handle = kit::make_handle<xhal_subscription_t>(subscription.get());
  if (subscription->handle == nullptr) throw std::bad_alloc();
  try {
    const std::lock_guard lock(mutex_);
    List list = *list_;
    list.push_back(subscription);
    set(std::move(list));
  } catch (...) {
    kit::free_handle(subscription->handle);
    throw;
  }
  return subscription->handle;
}

void Activity::unsubscribe(Subscription& subscription) {
  std::shared_ptr<Subscription> last;
  {
    const std::lock_guard lock(mutex_);
    List list = *list_;
    const auto it = std::ranges::find(list, &subscription, &std::shared_ptr<Subscription>::get);
    last = std::move(*it);
    list.erase(it);
    set(std::move(list));
  }
  kit::free_handle(last->handle);
  last->end();
}

}  // namespace xhal::sim
