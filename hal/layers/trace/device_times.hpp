// SPDX-License-Identifier: Apache-2.0
// When operations ran on the device, as the driver's activity records tell it.
//
// The layer has a subscription of its own for each device that claims the feature `activity`. It is made, flushed and ended by the driver's own
// functions, below all layers: no other layer counts, checks or fails these calls, and the handle, which libxhal never sees, needs no stamp.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "event_text.hpp"
#include "xhal/driver.h"

namespace xhal::trace {

class Attachment;

enum class DeviceMode {
  kOff,
  kTimes,
  kArrows,  // also from calls to operations, for which submissions carry the layer's correlation ids
};

// Held while a driver is asked for something of subscriptions, and by a fork. Taken before the layer's lock; callbacks never take it.
std::mutex& subscriptions_lock();

class DeviceTimes {
 public:
  DeviceTimes(Attachment& attachment, DeviceMode mode) : attachment_(attachment), mode_(mode) {}
  DeviceTimes(const DeviceTimes&) = delete;
  DeviceTimes& operator=(const DeviceTimes&) = delete;

  // All without the layer's lock.

  // A stream that work is about to be submitted to for the first time: its device has been opened by then, and not by this.
  void watch(xhal_stream_t stream);
  // After a successful wait: the records of what is done come now, not when the driver feels like it.
  void collect();
  // Where the vendor allows one subscriber, it is the application: true when the layer's own subscription has ended for it.
  bool give_way(xhal_device_t device);
  // The application looks at records itself, so their correlation is left to it from now on.
  void application_subscribed() { leaves_correlation_ = true; }
  void learn_driver(xhal_driver_t driver) { driver_ = driver; }

  // Gives what the calling thread submits this id, unless the application has one of its own. Whether it did.
  bool push(uint64_t correlation, Track caller, uint64_t now_ns);
  void pop(bool was_accepted, uint64_t correlation);

 private:
  struct Lane {  // a stream's track
    Track track = {};
    uint32_t named_in_epoch = 0;
    uint64_t end_ns = 0;        // of its last operation
    uint64_t graph_end_ns = 0;  // of its last graph, which lies around its nodes
  };
  struct Device {
    DeviceTimes* owner = nullptr;
    xhal_device_t handle = nullptr;
    const xhal_functions_t* driver = nullptr;
    xhal_subscription_t subscription = nullptr;  // null: not claimed, given up, or refused
    bool is_settled = false;                     // not tried again
    // Guarded by the layer's lock.
    int64_t host_minus_device_ns = 0;
    uint64_t uncertainty_ns = 0;
    uint64_t clocks_read_ns = 0;
    uint32_t process = 0;
    uint32_t index = 0;
    uint32_t named_in_epoch = 0;
    std::unordered_map<uint64_t, Lane> lanes;  // by the stream's id
  };
  struct Call {
    Track caller;
    uint64_t begin_ns;
    bool has_arrow;  // a graph's launch has several records
  };

  static void on_records(void* user, const xhal_activity_record_t* records, uint32_t count, uint32_t stride);
  void show(Device& device, const xhal_activity_record_t& record, std::string& problem);
  void name_tracks(Device& device, Lane& lane, uint64_t stream_id, std::string& problem);
  static bool read_clocks(Device& device);
  void subscribe(Device& device);
  void unsubscribe(Device& device);

  Attachment& attachment_;
  const DeviceMode mode_;
  std::atomic<bool> leaves_correlation_{false};
  std::atomic<xhal_driver_t> driver_{nullptr};

  std::map<xhal_device_t, std::unique_ptr<Device>> devices_;  // changed with the subscriptions' lock held

  std::atomic<uint32_t> subscriptions_{0};

  // Guarded by the layer's lock: the latest submissions, whose records come once or often or never.
  static constexpr size_t kMostCalls = 1U << 16;
  std::map<uint64_t, Call> calls_;
};

}  // namespace xhal::trace
