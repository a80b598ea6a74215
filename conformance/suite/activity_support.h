// SPDX-License-Identifier: Apache-2.0
// Activity records, gathered.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "suite/support.h"

namespace xhal::conformance {

constexpr uint32_t kEveryActivity = XHAL_ACTIVITY_KERNEL | XHAL_ACTIVITY_COPY | XHAL_ACTIVITY_FILL |
                                    XHAL_ACTIVITY_HOST_FUNCTION | XHAL_ACTIVITY_WAIT | XHAL_ACTIVITY_GRAPH |
                                    XHAL_ACTIVITY_ALLOCATION;

struct Activity {
  xhal_activity_record_t record{};  // its name is dead
  std::string name;
};

// A subscription to a device, at the longest until the end of its scope. Leaves the test as inconclusive where a vendor's one place for
// subscribers is taken.
class Subscription {
 public:
  Subscription(Context& t, uint32_t kinds, size_t device = 0);
  ~Subscription() { reset(); }
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

  operator xhal_subscription_t() const { return handle_; }  // NOLINT(google-explicit-constructor)
  void reset();
  // The test has unsubscribed itself.
  xhal_subscription_t release() { return std::exchange(handle_, nullptr); }

  // What came so far, in the order of delivery: all, and of one stream and kind.
  [[nodiscard]] std::vector<Activity> all() const;
  [[nodiscard]] std::vector<Activity> of(uint64_t stream_id, uint32_t kinds = kEveryActivity) const;
  [[nodiscard]] size_t count(uint64_t stream_id, uint32_t kinds = kEveryActivity) const {
    return of(stream_id, kinds).size();
  }
  // Records that no reader could make sense of: a stride or struct_size below the first one.
  [[nodiscard]] size_t malformed() const;

 private:
  // Outlives the subscription, should the driver call it too late.
  struct Gathered {
    mutable std::mutex mutex;
    std::vector<Activity> records;
    size_t malformed = 0;
  };
  static void gather(void* user, const xhal_activity_record_t* records, uint32_t count, uint32_t stride);

  Gathered& gathered_;
  xhal_subscription_t handle_ = nullptr;
};

// The calling thread's external correlation, until the end of the scope.
class Correlation {
 public:
  Correlation(Context& t, uint64_t id);
  ~Correlation();
  Correlation(const Correlation&) = delete;
  Correlation& operator=(const Correlation&) = delete;

 private:
  xhal_driver_t driver_;
  uint64_t former_ = 0;
};

uint64_t stream_id(Context& t, xhal_stream_t stream);

}  // namespace xhal::conformance
