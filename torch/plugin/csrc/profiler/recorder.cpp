// SPDX-License-Identifier: Apache-2.0
#include "profiler/recorder.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <set>

#include "runtime/check.hpp"
#include "runtime/driver.hpp"
#include "xhal/xhal.h"

namespace torch_xhal {
namespace {

using Clock = std::chrono::system_clock;

constexpr uint32_t kKinds = XHAL_ACTIVITY_KERNEL | XHAL_ACTIVITY_COPY | XHAL_ACTIVITY_FILL;

// What to add to the host's monotonic clock. The smallest distance of several readings was interrupted least.
int64_t epoch_distance() {
  const auto since_epoch = [](auto now) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
  };
  int64_t best = 0, narrowest = INT64_MAX;
  for (int i = 0; i < 5; ++i) {
    const int64_t before = since_epoch(std::chrono::steady_clock::now());
    const int64_t epoch = since_epoch(Clock::now());
    const int64_t behind = since_epoch(std::chrono::steady_clock::now());
    if (behind - before >= narrowest) continue;
    narrowest = behind - before;
    best = epoch - (before + narrowest / 2);
  }
  return best;
}

// Both clocks run at their own speed, so two moments are needed.
class ClockLine {
 public:
  ClockLine(const xhal_clocks_t& first, const xhal_clocks_t& second)
      : device_(first.device_ns), host_(static_cast<int64_t>(first.host_ns) + epoch_distance()) {
    const auto device_step = static_cast<int64_t>(second.device_ns - first.device_ns);
    const auto host_step = static_cast<int64_t>(second.host_ns - first.host_ns);
    // Less than a millisecond tells the uncertainty of the readings rather than a speed.
    if (device_step > 1'000'000 && host_step > 0)
      drift_ = static_cast<double>(host_step - device_step) / static_cast<double>(device_step);
  }
  int64_t host(uint64_t device) const {
    const auto since = static_cast<int64_t>(device - device_);
    return host_ + since + static_cast<int64_t>(static_cast<double>(since) * drift_);
  }

 private:
  uint64_t device_;
  int64_t host_;
  double drift_ = 0;
};

class DeviceRecorder {
 public:
  // Null, and a text among the errors, when the device cannot be watched.
  static std::unique_ptr<DeviceRecorder> start(c10::DeviceIndex index, std::vector<std::string>& errors) {
    std::unique_ptr<DeviceRecorder> out(new DeviceRecorder(index));
    xhal_activity_desc_t desc = {};
    desc.struct_size = sizeof(desc);
    desc.kinds = kKinds;
    desc.callback = &DeviceRecorder::take;
    desc.user = out.get();
    out->begin_ = out->clocks(errors);
    const xhal_result_t result = xhal_activity_subscribe(out->device_.handle, &desc, &out->subscription_);
    if (result == XHAL_SUCCESS) return out;
    errors.push_back(text_of(result, "xhal_activity_subscribe"));
    return nullptr;
  }

  void stop(Recording& into) {
    const auto note = [&](xhal_result_t result, const char* call) {
      if (result != XHAL_SUCCESS) into.errors.push_back(text_of(result, call));
    };
    note(xhal_device_synchronize(device_.handle, XHAL_WAIT_FOREVER), "xhal_device_synchronize");
    note(xhal_activity_flush(subscription_, XHAL_WAIT_FOREVER), "xhal_activity_flush");
    const ClockLine line(begin_, clocks(into.errors));
    note(xhal_activity_unsubscribe(subscription_), "xhal_activity_unsubscribe");
    for (Activity& activity : taken_) {
      activity.begin_ns = line.host(static_cast<uint64_t>(activity.begin_ns));
      activity.end_ns = line.host(static_cast<uint64_t>(activity.end_ns));
      into.activities.push_back(activity);
    }
  }

  const c10::DeviceIndex index;

 private:
  explicit DeviceRecorder(c10::DeviceIndex of) : index(of), device_(device_at(of)) {}

  xhal_clocks_t clocks(std::vector<std::string>& errors) const {
    xhal_clocks_t out = {};
    out.struct_size = sizeof(out);
    const xhal_result_t result = xhal_device_get_clocks(device_.handle, &out);
    if (result != XHAL_SUCCESS) errors.push_back(text_of(result, "xhal_device_get_clocks"));
    return out;
  }

  // The driver's thread, which may not wait for anything of xhal's.
  static void take(void* user, const xhal_activity_record_t* records, uint32_t count, uint32_t stride) {
    auto& self = *static_cast<DeviceRecorder*>(user);
    const std::lock_guard lock(self.mutex_);
    const auto* place = reinterpret_cast<const char*>(records);
    for (uint32_t i = 0; i < count; ++i, place += stride) {
      const auto& record = *reinterpret_cast<const xhal_activity_record_t*>(place);
      self.taken_.push_back({record.kind, record.detail, self.index, record.stream_id,
                             record.external_correlation, static_cast<int64_t>(record.begin_ns),
                             static_cast<int64_t>(record.end_ns), record.bytes, self.kept(record.name)});
    }
  }

  const std::string* kept(const char* name) {
    // A few hundred names at most, which traces outlive their recording with.
    static auto* const mutex = new std::mutex();
    static auto* const names = new std::set<std::string, std::less<>>();
    const std::string_view text = name == nullptr ? "" : name;
    if (last_name_ != nullptr && *last_name_ == text) return last_name_;
    const std::lock_guard lock(*mutex);
    auto found = names->find(text);
    if (found == names->end()) found = names->emplace(text).first;
    return last_name_ = &*found;
  }

  const Device& device_;
  xhal_subscription_t subscription_ = nullptr;
  xhal_clocks_t begin_ = {};
  std::mutex mutex_;
  std::deque<Activity> taken_;
  const std::string* last_name_ = nullptr;
};

struct Recorder {
  std::mutex mutex;
  bool is_on = false;
  std::vector<std::unique_ptr<DeviceRecorder>> devices;
  std::vector<std::string> errors;
};
Recorder& recorder() {
  static auto* const value = new Recorder();
  return *value;
}

// With the lock held.
void watch(Recorder& all, c10::DeviceIndex device) {
  const bool is_watched = std::any_of(all.devices.begin(), all.devices.end(),
                                      [&](const auto& of) { return of->index == device; });
  if (is_watched || !has_feature(device_at(device), XHAL_FEATURE_ACTIVITY)) return;
  if (auto started = DeviceRecorder::start(device, all.errors)) all.devices.push_back(std::move(started));
}

}  // namespace

void start_recording_activity() {
  Recorder& all = recorder();
  const std::lock_guard lock(all.mutex);
  all.is_on = true;
  for (c10::DeviceIndex device = 0; device < device_count(); ++device)
    if (is_active(device)) watch(all, device);
}

Recording stop_recording_activity() {
  Recorder& all = recorder();
  Recording out;
  std::vector<std::unique_ptr<DeviceRecorder>> devices;
  {
    const std::lock_guard lock(all.mutex);
    all.is_on = false;
    devices = std::exchange(all.devices, {});
    out.errors = std::exchange(all.errors, {});
  }
  for (auto& device : devices) device->stop(out);
  return out;
}

std::string devices_without_activity() {
  std::string out;
  for (const Device& device : driver().devices)
    if (!has_feature(device, XHAL_FEATURE_ACTIVITY))
      out += (out.empty() ? "" : ", ") + std::string(device.properties.name);
  return out;
}

void watch_activity_of(c10::DeviceIndex device) {
  Recorder& all = recorder();
  const std::lock_guard lock(all.mutex);
  if (all.is_on) watch(all, device);
}

}  // namespace torch_xhal
