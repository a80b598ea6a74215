// SPDX-License-Identifier: Apache-2.0
// Subscriptions to activity records, external correlation, and the clocks that records are read by.
#include "activity/activity.hpp"

#include <time.h>

#include "entries/entry.hpp"

namespace xhal::sim {
namespace {

constexpr uint32_t kKinds = XHAL_ACTIVITY_KERNEL | XHAL_ACTIVITY_COPY | XHAL_ACTIVITY_FILL |
                            XHAL_ACTIVITY_HOST_FUNCTION | XHAL_ACTIVITY_WAIT | XHAL_ACTIVITY_GRAPH |
                            XHAL_ACTIVITY_ALLOCATION;

Subscription& subscription_of(xhal_subscription_t handle) { return *kit::object_of<Subscription>(handle); }

xhal_result_t check_activity_claimed(const Device& device) {
  return check_claimed(device, XHAL_FEATURE_ACTIVITY, "activity");
}

xhal_result_t subscribe(xhal_device_t device, const xhal_activity_desc_t* desc,
                        xhal_subscription_t* out_subscription) {
  Device& d = device_of(device);
  if (const xhal_result_t result = check_activity_claimed(d); result < 0) return result;
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  xhal_activity_desc_t given = {};
  if (const xhal_result_t result = read("desc", desc, given); result < 0) return result;
  if (out_subscription == nullptr) return refuse_null("out_subscription");
  if ((given.kinds & ~kKinds) != 0) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "desc->kinds is 0x%x, the defined bits are 0x%x",
                     given.kinds, kKinds);
  }
  if (given.callback == nullptr) return refuse_null("desc->callback");
  return guarded([&] {
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    *out_subscription = d.activity().subscribe(given);
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t unsubscribe(xhal_subscription_t subscription) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  return guarded([&] {
    Subscription& s = subscription_of(subscription);
    s.activity.unsubscribe(s);
    return XHAL_SUCCESS;
  });
}

xhal_result_t flush(xhal_subscription_t subscription, uint64_t timeout_ns) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  return guarded([&] {
    Subscription& s = subscription_of(subscription);
    return s.await_callback(timeout_ns) ? XHAL_SUCCESS : XHAL_TIMEOUT;
  });
}

xhal_result_t exchange_correlation(xhal_driver_t driver, uint64_t id, uint64_t* out_former) {
  const Instance& instance = instance_of(driver);
  if (const xhal_result_t result = check_activity_claimed(*instance.devices.front()); result < 0)
    return result;
  if (out_former == nullptr) return refuse_null("out_former");
  if (ThreadCorrelations::exchange(instance.id, id, *out_former)) return XHAL_SUCCESS;
  return kit::fail(XHAL_ERROR_LIMIT_EXCEEDED,
                   "the thread has correlation ids for %u other instances of the simulator; end one",
                   ThreadCorrelations::kMost);
}

uint64_t host_ns() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

xhal_result_t get_clocks(xhal_device_t device, xhal_clocks_t* out) {
  Device& d = device_of(device);
  if (const xhal_result_t result = check_activity_claimed(d); result < 0) return result;
  if (const xhal_result_t result = check_out("out_clocks", out); result < 0) return result;
  // The scheduler's clock need not be the host's.
  const uint64_t before = host_ns();
  const uint64_t device_ns = d.scheduler().now_ns();
  const uint64_t behind = host_ns();
  xhal_clocks_t clocks = {};
  clocks.device_ns = device_ns;
  clocks.host_ns = before + (behind - before) / 2;
  clocks.uncertainty_ns = (behind - before + 1) / 2;
  kit::write_struct(clocks, out);
  return XHAL_SUCCESS;
}

}  // namespace

void add_activity_entries(xhal_functions_t& functions) {
  functions.activity_subscribe = subscribe;
  functions.activity_unsubscribe = unsubscribe;
  functions.activity_flush = flush;
  functions.driver_exchange_correlation = exchange_correlation;
  functions.device_get_clocks = get_clocks;
}

}  // namespace xhal::sim
