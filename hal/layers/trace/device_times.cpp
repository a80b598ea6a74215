// SPDX-License-Identifier: Apache-2.0
#include "device_times.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "attachment.hpp"
#include "xhal/kit/driver.hpp"

namespace xhal::trace {
namespace {

constexpr uint32_t kAllKinds = XHAL_ACTIVITY_KERNEL | XHAL_ACTIVITY_COPY | XHAL_ACTIVITY_FILL |
                               XHAL_ACTIVITY_HOST_FUNCTION | XHAL_ACTIVITY_WAIT | XHAL_ACTIVITY_GRAPH |
                               XHAL_ACTIVITY_ALLOCATION;
// Longest that a wait of the application's lasts longer: for a callback that is under way.
constexpr uint64_t kFlushNs = 10'000'000;
constexpr uint64_t kClocksAfterNs = 1'000'000'000;

const xhal_functions_t* driver_of(const void* handle) {
  return static_cast<const xhal_handle_header_t*>(handle)->table->driver;
}

std::string_view kind_name(uint32_t kind) {
  switch (kind) {
    case XHAL_ACTIVITY_KERNEL:
      return "kernel";
    case XHAL_ACTIVITY_COPY:
      return "copy";
    case XHAL_ACTIVITY_FILL:
      return "fill";
    case XHAL_ACTIVITY_HOST_FUNCTION:
      return "host function";
    case XHAL_ACTIVITY_WAIT:
      return "wait";
    case XHAL_ACTIVITY_GRAPH:
      return "graph";
    case XHAL_ACTIVITY_ALLOCATION:
      return "allocation";
    default:
      return "operation";
  }
}

std::string_view direction_name(uint32_t detail) {
  switch (detail) {
    case XHAL_COPY_PAGEABLE_TO_DEVICE:
      return "pageable to device";
    case XHAL_COPY_DEVICE_TO_PAGEABLE:
      return "device to pageable";
    case XHAL_COPY_PINNED_TO_DEVICE:
      return "pinned to device";
    case XHAL_COPY_DEVICE_TO_PINNED:
      return "device to pinned";
    case XHAL_COPY_DEVICE_TO_DEVICE:
      return "device to device";
    case XHAL_COPY_HOST_TO_HOST:
      return "host to host";
    case XHAL_COPY_DEVICE_TO_PEER:
      return "device to peer";
    default:
      return "";
  }
}

}  // namespace

std::mutex& subscriptions_lock() {
  static std::mutex& lock = *new std::mutex;  // never destroyed: calls may come during static destruction
  return lock;
}

// ---- Subscriptions -----------------------------------------------------------------------------------------------------------

void DeviceTimes::watch(xhal_stream_t stream) {
  if (mode_ == DeviceMode::kOff) return;
  const xhal_functions_t* driver = driver_of(stream);
  xhal_device_t handle = nullptr;
  // Through the layers below: one of them may know that the stream is gone.
  if (driver == nullptr || attachment_.next().stream_get_device(stream, &handle) != XHAL_SUCCESS ||
      handle == nullptr)
    return;
  const std::lock_guard changes(subscriptions_lock());
  auto& device = devices_[handle];
  if (device == nullptr) {
    device = std::make_unique<Device>();
    device->owner = this;
    device->handle = handle;
    device->driver = driver;
  }
  if (device->subscription == nullptr && !device->is_settled) subscribe(*device);
}

// The device's feature is asked for before the call: a refusal would leave its text with the thread.
void DeviceTimes::subscribe(Device& device) {
  xhal_device_properties_t properties = {};
  properties.struct_size = sizeof(properties);
  const bool claims =
      device.driver->device_get_properties(device.handle, &properties) == XHAL_SUCCESS &&
      (properties.features[XHAL_FEATURE_ACTIVITY / 64] >> (XHAL_FEATURE_ACTIVITY % 64) & 1) != 0;
  device.is_settled = !claims;
  if (!claims) return;
  device.index = properties.index;
  attachment_.learn_device(properties);
  xhal_activity_desc_t desc = {};
  desc.struct_size = sizeof(desc);
  desc.kinds = kAllKinds;
  desc.callback = on_records;
  desc.user = &device;
  const bool has_clocks = read_clocks(device);
  const xhal_result_t result =
      has_clocks ? device.driver->activity_subscribe(device.handle, &desc, &device.subscription)
                 : XHAL_ERROR_UNKNOWN;
  if (result >= 0 && device.subscription != nullptr) {
    ++subscriptions_;
    return;
  }
  device.subscription = nullptr;
  // Inside a host function nothing is made; the next new stream tries again.
  if (result == XHAL_ERROR_CALL_FORBIDDEN) return;
  device.is_settled = true;
  attachment_.log(
      "device " + std::to_string(device.index) + " of driver '" + attachment_.driver_name() +
      "' gives the trace no records, so device times are missing; XHAL_TRACE=device=off asks for none");
}

void DeviceTimes::unsubscribe(Device& device) {
  device.driver->activity_unsubscribe(device.subscription);
  device.subscription = nullptr;
  --subscriptions_;
}

bool DeviceTimes::read_clocks(Device& device) {
  xhal_clocks_t clocks = {};
  clocks.struct_size = sizeof(clocks);
  if (device.driver->device_get_clocks(device.handle, &clocks) != XHAL_SUCCESS) return false;
  const auto difference = static_cast<int64_t>(clocks.host_ns - clocks.device_ns);
  const std::lock_guard guard(layer_lock());
  const uint64_t apart = static_cast<uint64_t>(std::abs(difference - device.host_minus_device_ns));
  // Two readings differ by chance, too: times of one stream keep their distances until the clocks have truly drifted.
  if (device.clocks_read_ns == 0 || apart > device.uncertainty_ns + clocks.uncertainty_ns) {
    device.host_minus_device_ns = difference;
    device.uncertainty_ns = clocks.uncertainty_ns;
  }
  device.clocks_read_ns = now_ns();
  return true;
}

void DeviceTimes::collect() {
  if (mode_ == DeviceMode::kOff) return;
  // Who does not get it leaves the records to who has it.
  const std::unique_lock changes(subscriptions_lock(), std::try_to_lock);
  if (!changes.owns_lock()) return;
  for (auto& [handle, device] : devices_) {
    if (device->subscription == nullptr) continue;
    if (device->driver->activity_flush(device->subscription, kFlushNs) < 0) {
      // After a reset, or with the device gone. The next new stream brings a new one.
      unsubscribe(*device);
      continue;
    }
    uint64_t read_ns = 0;
    {
      const std::lock_guard guard(layer_lock());
      read_ns = device->clocks_read_ns;
    }
    if (now_ns() - read_ns > kClocksAfterNs) read_clocks(*device);
  }
}

bool DeviceTimes::give_way(xhal_device_t handle) {
  const std::lock_guard changes(subscriptions_lock());
  const auto found = devices_.find(handle);
  if (found == devices_.end() || found->second->subscription == nullptr) return false;
  Device& device = *found->second;
  unsubscribe(device);
  device.is_settled = true;
  attachment_.log("the application takes the only subscription of device " + std::to_string(device.index) +
                  "; the trace has no device times of it from here on");
  return true;
}

// ---- Correlation -------------------------------------------------------------------------------------------------------------

bool DeviceTimes::push(uint64_t correlation, Track caller, uint64_t now) {
  xhal_driver_t driver = driver_.load();
  if (mode_ != DeviceMode::kArrows || subscriptions_ == 0 || leaves_correlation_ || driver == nullptr)
    return false;
  {
    const std::lock_guard guard(layer_lock());
    if (calls_.size() == kMostCalls) calls_.erase(calls_.begin());
    calls_[correlation] = {caller, now, false};
  }
  uint64_t former = 0;
  uint64_t unused = 0;
  const xhal_functions_t* functions = driver_of(driver);
  if (functions->driver_exchange_correlation(driver, correlation, &former) < 0) return false;
  if (former == 0) return true;
  functions->driver_exchange_correlation(driver, former, &unused);
  return false;
}

void DeviceTimes::pop(bool was_accepted, uint64_t correlation) {
  xhal_driver_t driver = driver_.load();
  uint64_t former = 0;
  driver_of(driver)->driver_exchange_correlation(driver, 0, &former);
  if (was_accepted) return;
  const std::lock_guard guard(layer_lock());
  calls_.erase(correlation);
}

// ---- Records -----------------------------------------------------------------------------------------------------------------

void DeviceTimes::on_records(void* user, const xhal_activity_record_t* records, uint32_t count,
                             uint32_t stride) {
  auto& device = *static_cast<Device*>(user);
  DeviceTimes& self = *device.owner;
  if (!self.attachment_.recording()) return;
  std::string problem;
  {
    const std::lock_guard guard(layer_lock());
    for (uint32_t i = 0; i < count; ++i) {
      xhal_activity_record_t record = {};
      const auto* bytes = reinterpret_cast<const unsigned char*>(records) + size_t{i} * stride;
      std::memcpy(&record, bytes, std::min<size_t>(stride, sizeof(record)));
      self.show(device, record, problem);
    }
  }
  self.attachment_.log(problem);
}

void DeviceTimes::name_tracks(Device& device, Lane& lane, uint64_t stream_id, std::string& problem) {
  const uint32_t epoch = attachment_.epoch();
  if (lane.named_in_epoch == epoch) return;
  lane.named_in_epoch = epoch;
  EventText names;
  if (device.named_in_epoch != epoch) {
    device.named_in_epoch = epoch;
    names.begin('M', "process_name", lane.track, 0);
    names.argument("name", attachment_.device_title(device.index) + ": operations, device time");
    names.end();
  }
  names.begin('M', "thread_name", lane.track, 0);
  names.argument("name", "stream " + std::to_string(stream_id));
  names.end();
  attachment_.append(names, 0, Flush::kWhenDue, problem);
}

void DeviceTimes::show(Device& device, const xhal_activity_record_t& record, std::string& problem) {
  Lane& lane = device.lanes[record.stream_id];
  if (device.process == 0) device.process = new_device_process();
  if (lane.track.process == 0) lane.track = {device.process, new_stream_thread()};
  name_tracks(device, lane, record.stream_id, problem);
  const auto to_host = [&](uint64_t ns) { return ns + static_cast<uint64_t>(device.host_minus_device_ns); };
  // A clock that was set anew must not make slices cross, which no viewer can show.
  uint64_t& last_end = record.kind == XHAL_ACTIVITY_GRAPH ? lane.graph_end_ns : lane.end_ns;
  const uint64_t begin = std::max(to_host(record.begin_ns), last_end);
  const uint64_t end = std::max(to_host(record.end_ns), begin);
  last_end = end;
  const auto call = calls_.find(record.external_correlation);
  const bool is_ours = call != calls_.end();
  EventText text;
  const bool has_name = record.name != nullptr && record.name[0] != '\0';
  text.begin('X',
             has_name ? std::string_view(record.name, strnlen(record.name, 256)) : kind_name(record.kind),
             lane.track, begin);
  text.duration(end - begin);
  text.category("device");
  text.argument("kind", kind_name(record.kind));
  if (record.bytes != 0) text.argument("bytes", record.bytes);
  if (record.detail != 0) text.argument("direction", direction_name(record.detail));
  text.argument("driver_correlation", record.correlation_id);
  if (record.external_correlation != 0)
    text.argument(is_ours ? "correlation" : "application_correlation", record.external_correlation);
  text.end();
  // Within the clocks' uncertainty an operation may seem to begin before its call: no viewer shows an arrow back in time.
  if (is_ours && !call->second.has_arrow && begin >= call->second.begin_ns) {
    call->second.has_arrow = true;
    text.begin('s', "ran", call->second.caller, call->second.begin_ns);
    text.category("device");
    text.flow_id(record.external_correlation);
    text.end();
    text.begin('f', "ran", lane.track, begin);
    text.category("device");
    text.flow_id(record.external_correlation);
    text.piece(",\"bp\":\"e\"");
    text.end();
  }
  attachment_.append(text, end, Flush::kWhenDue, problem);
}

}  // namespace xhal::trace
