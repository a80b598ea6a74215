// SPDX-License-Identifier: Apache-2.0
// A driver that does nothing and answers what a test wants to be answered: two devices with a few calls of each kind.
#include <time.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control.hpp"
#include "xhal/kit/driver.hpp"
#include "xhal/kit/handles.hpp"
#include "xhal/kit/structs.hpp"

namespace xhal::traced {
namespace {

struct Device {
  uint32_t index;
  xhal_device_t handle;
  xhal_stream_t default_stream;
};
struct Driver {
  xhal_driver_t handle;
  Device devices[2];
};
struct Stream {
  Device* device;
  uint64_t id;
  bool is_default;
  std::atomic<bool> captures = false;
};
struct Kernel {
  std::string name;
};

// Activity, where the option asks for it: a record of each fill and launch, which a flush delivers. The device's clock is a second behind.
enum class Subscribers { kNone, kOne, kSeveral };
constexpr uint64_t kClockIsBehindNs = 1'000'000'000;
std::atomic<Subscribers> subscribers = Subscribers::kNone;
std::mutex activity_lock;
struct Subscription {
  xhal_activity_desc_t desc;
  uint32_t device_index;
  std::vector<xhal_activity_record_t> records;
};
std::set<Subscription*> subscriptions;
thread_local uint64_t thread_correlation = 0;
std::atomic<uint64_t> latest_correlation = 0;
std::atomic<xhal_result_t> flush_failure = XHAL_SUCCESS;

uint64_t device_now() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<uint64_t>(now.tv_nsec) -
         kClockIsBehindNs;
}

std::atomic<bool> held = false;
std::atomic<xhal_result_t> next_failure = XHAL_SUCCESS;
std::atomic<uint64_t> call_count = 0;

constexpr Control kControl = {
    [](bool on) { held = on; },
    [](xhal_result_t result) { next_failure = result; },
    [](xhal_result_t result) { flush_failure = result; },
    [] {
      const std::lock_guard guard(activity_lock);
      return static_cast<uint32_t>(subscriptions.size());
    },
    []() -> uint64_t { return latest_correlation; },
    []() -> uint64_t { return call_count; },
};

xhal_result_t submit() {
  ++call_count;
  const xhal_result_t failure = next_failure.exchange(XHAL_SUCCESS);
  return failure < 0 ? kit::fail(failure, "as the test asked for") : XHAL_SUCCESS;
}
xhal_result_t submit_work(xhal_stream_t handle, uint32_t kind, uint64_t bytes, const char* name,
                          uint64_t own) {
  const xhal_result_t result = submit();
  if (result < 0 || subscribers == Subscribers::kNone) return result;
  const auto* stream = kit::object_of<Stream>(handle);
  xhal_activity_record_t record = {};
  record.struct_size = sizeof(record);
  record.kind = kind;
  record.device_index = stream->device->index;
  record.stream_id = stream->id;
  record.correlation_id = kit::services().next_id();
  record.external_correlation = thread_correlation != 0 ? thread_correlation : own;
  record.begin_ns = record.end_ns = device_now();
  record.bytes = bytes;
  record.name = name;
  latest_correlation = record.external_correlation;
  const std::lock_guard guard(activity_lock);
  for (Subscription* subscription : subscriptions) {
    if (subscription->device_index == record.device_index && (subscription->desc.kinds & kind) != 0)
      subscription->records.push_back(record);
  }
  return result;
}

xhal_result_t subscribe(xhal_device_t device, const xhal_activity_desc_t* desc, xhal_subscription_t* out) {
  const std::lock_guard guard(activity_lock);
  if (subscribers == Subscribers::kOne && !subscriptions.empty())
    return kit::fail(XHAL_ERROR_BUSY, "somebody has the subscription");
  auto* subscription = new Subscription{*desc, kit::object_of<Device>(device)->index, {}};
  subscriptions.insert(subscription);
  *out = kit::make_handle<xhal_subscription_t>(subscription);
  return XHAL_SUCCESS;
}

xhal_result_t flush(xhal_subscription_t handle, uint64_t /*timeout_ns*/) {
  if (const xhal_result_t failure = flush_failure.exchange(XHAL_SUCCESS); failure < 0)
    return kit::fail(failure, "as the test asked for");
  auto* subscription = kit::object_of<Subscription>(handle);
  std::vector<xhal_activity_record_t> records;
  {
    const std::lock_guard guard(activity_lock);
    records.swap(subscription->records);
  }
  if (!records.empty()) {
    subscription->desc.callback(subscription->desc.user, records.data(),
                                static_cast<uint32_t>(records.size()), sizeof(records[0]));
  }
  return XHAL_SUCCESS;
}

xhal_result_t unsubscribe(xhal_subscription_t handle) {
  auto* subscription = kit::object_of<Subscription>(handle);
  {
    const std::lock_guard guard(activity_lock);
    subscriptions.erase(subscription);
  }
  kit::free_handle(handle);
  delete subscription;
  return XHAL_SUCCESS;
}

xhal_result_t get_clocks(xhal_device_t /*device*/, xhal_clocks_t* out) {
  xhal_clocks_t clocks = {};
  clocks.device_ns = device_now();
  clocks.host_ns = clocks.device_ns + kClockIsBehindNs;
  kit::write_struct(clocks, out);
  return XHAL_SUCCESS;
}

xhal_result_t poll() {
  ++call_count;
  return held ? XHAL_NOT_READY : XHAL_SUCCESS;
}
xhal_result_t wait() {
  ++call_count;
  return held ? XHAL_TIMEOUT : XHAL_SUCCESS;
}

xhal_stream_t make_stream(Device* device, bool is_default) {
  return kit::make_handle<xhal_stream_t>(new Stream{device, kit::services().next_id(), is_default, false});
}

xhal_result_t get_devices(xhal_driver_t handle, uint32_t capacity, xhal_device_t* out, uint32_t* count) {
  const auto* driver = kit::object_of<Driver>(handle);
  *count = 2;
  for (uint32_t i = 0; i < capacity && i < 2; ++i) out[i] = driver->devices[i].handle;
  return capacity == 1 ? XHAL_INCOMPLETE : XHAL_SUCCESS;
}

xhal_result_t get_extension(xhal_driver_t /*driver*/, const char* name, uint32_t version, const void** out) {
  if (std::strcmp(name, "traced_control") != 0 || version != 1) {
    return kit::fail(XHAL_ERROR_NOT_FOUND, "no extension '%s'", name);
  }
  *out = &kControl;
  return XHAL_SUCCESS;
}

xhal_result_t get_properties(xhal_device_t handle, xhal_device_properties_t* out) {
  xhal_device_properties_t properties = {};
  properties.index = kit::object_of<Device>(handle)->index;
  std::strcpy(properties.name, "a \"quoted\" device\n");
  if (subscribers != Subscribers::kNone)
    properties.features[XHAL_FEATURE_ACTIVITY / 64] |= uint64_t{1} << (XHAL_FEATURE_ACTIVITY % 64);
  kit::write_struct(properties, out);
  return XHAL_SUCCESS;
}

xhal_result_t stream_get_info(xhal_stream_t handle, xhal_stream_info_t* out) {
  const auto* stream = kit::object_of<Stream>(handle);
  xhal_stream_info_t info = {};
  info.is_default = stream->is_default ? 1 : 0;
  info.device_index = stream->device->index;
  info.id = stream->id;
  kit::write_struct(info, out);
  return XHAL_SUCCESS;
}

xhal_result_t kernel_get_info(xhal_kernel_t handle, xhal_kernel_info_t* out) {
  xhal_kernel_info_t info = {};
  const std::string& name = kit::object_of<Kernel>(handle)->name;
  std::memcpy(info.name, name.data(), std::min(name.size(), sizeof(info.name) - 1));
  kit::write_struct(info, out);
  return XHAL_SUCCESS;
}

template <class Object, class Handle>
void release(Handle handle) {
  delete kit::object_of<Object>(handle);
  kit::free_handle(handle);
}

const xhal_functions_t kFunctions = [] {
  xhal_functions_t f = {};
  f.struct_size = sizeof(f);
  f.driver_get_devices = get_devices;
  f.driver_get_extension = get_extension;
  f.device_get_properties = get_properties;
  f.device_synchronize = [](xhal_device_t, uint64_t) { return wait(); };
  f.device_get_default_stream = [](xhal_device_t device, xhal_stream_t* out) -> xhal_result_t {
    *out = kit::object_of<Device>(device)->default_stream;
    return XHAL_SUCCESS;
  };
  f.stream_create = [](xhal_device_t device, const xhal_stream_desc_t*, xhal_stream_t* out) -> xhal_result_t {
    *out = make_stream(kit::object_of<Device>(device), false);
    return XHAL_SUCCESS;
  };
  f.stream_destroy = [](xhal_stream_t stream) -> xhal_result_t {
    release<Stream>(stream);
    return XHAL_SUCCESS;
  };
  f.stream_get_info = stream_get_info;
  f.stream_query = [](xhal_stream_t) { return poll(); };
  f.stream_synchronize = [](xhal_stream_t, uint64_t) { return wait(); };
  f.stream_wait_event = [](xhal_stream_t, xhal_event_t, uint32_t) { return submit(); };
  f.event_create = [](xhal_device_t device, const xhal_event_desc_t*, xhal_event_t* out) -> xhal_result_t {
    *out = kit::make_handle<xhal_event_t>(new Stream{kit::object_of<Device>(device), 0, false, false});
    return XHAL_SUCCESS;
  };
  f.event_destroy = [](xhal_event_t event) -> xhal_result_t {
    release<Stream>(event);
    return XHAL_SUCCESS;
  };
  f.event_record = [](xhal_event_t, xhal_stream_t, uint32_t) { return submit(); };
  f.event_query = [](xhal_event_t) { return poll(); };
  f.event_synchronize = [](xhal_event_t, uint64_t) { return wait(); };
  f.memory_copy = [](xhal_stream_t, void*, const void*, uint64_t) { return submit(); };
  f.memory_fill = [](xhal_stream_t stream, void*, uint64_t, uint32_t, uint64_t size) {
    return submit_work(stream, XHAL_ACTIVITY_FILL, size, "", 0);
  };
  f.module_load = [](xhal_device_t, const xhal_module_desc_t*, xhal_module_t* out) -> xhal_result_t {
    *out = kit::make_handle<xhal_module_t>(new Kernel);
    return XHAL_SUCCESS;
  };
  f.module_destroy = [](xhal_module_t module) -> xhal_result_t {
    release<Kernel>(module);
    return XHAL_SUCCESS;
  };
  f.module_get_kernel = [](xhal_module_t, const char* name, xhal_kernel_t* out) -> xhal_result_t {
    *out = kit::make_handle<xhal_kernel_t>(new Kernel{name});
    return XHAL_SUCCESS;
  };
  f.stream_begin_capture = [](xhal_stream_t stream, uint32_t) -> xhal_result_t {
    kit::object_of<Stream>(stream)->captures = true;
    return XHAL_SUCCESS;
  };
  f.stream_end_capture = [](xhal_stream_t stream, xhal_graph_t* out) -> xhal_result_t {
    kit::object_of<Stream>(stream)->captures = false;
    *out = kit::make_handle<xhal_graph_t>(nullptr);
    return XHAL_SUCCESS;
  };
  f.stream_get_capture_info = [](xhal_stream_t stream, xhal_capture_info_t* out) -> xhal_result_t {
    xhal_capture_info_t info = {};
    info.state =
        kit::object_of<Stream>(stream)->captures ? XHAL_CAPTURE_STATE_ACTIVE : XHAL_CAPTURE_STATE_NONE;
    kit::write_struct(info, out);
    return XHAL_SUCCESS;
  };
  f.kernel_get_info = kernel_get_info;
  f.kernel_launch = [](xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch) {
    return submit_work(stream, XHAL_ACTIVITY_KERNEL, 0, kit::object_of<Kernel>(kernel)->name.c_str(),
                       launch != nullptr ? launch->correlation_id : 0);
  };
  f.stream_get_device = [](xhal_stream_t stream, xhal_device_t* out) -> xhal_result_t {
    *out = kit::object_of<Stream>(stream)->device->handle;
    return XHAL_SUCCESS;
  };
  f.activity_subscribe = subscribe;
  f.activity_flush = flush;
  f.activity_unsubscribe = unsubscribe;
  f.device_get_clocks = get_clocks;
  f.driver_exchange_correlation = [](xhal_driver_t, uint64_t id, uint64_t* out_former) -> xhal_result_t {
    *out_former = std::exchange(thread_correlation, id);
    return XHAL_SUCCESS;
  };
  return f;
}();

xhal_result_t open_driver(const xhal_driver_open_t* params, xhal_driver_t* out) {
  Subscribers asked = Subscribers::kNone;
  const kit::OptionRule rules[] = {
      {"subscribers", "'one' or 'several' subscriptions to activity records",
       [&](std::string_view value) -> std::string {
         asked = value == "one" ? Subscribers::kOne : Subscribers::kSeveral;
         return value == "one" || value == "several" ? "" : "neither 'one' nor 'several'";
       }},
  };
  const xhal_result_t read = kit::apply_options("traced", {params->options, params->option_count}, rules);
  if (read < 0) return read;
  subscribers = asked;
  auto* driver = new Driver;
  for (uint32_t i = 0; i < 2; ++i) {
    Device& device = driver->devices[i];
    device.index = i;
    device.handle = kit::make_handle<xhal_device_t>(&device);
    device.default_stream = make_stream(&device, true);
  }
  driver->handle = kit::make_handle<xhal_driver_t>(driver);
  *out = driver->handle;
  return XHAL_SUCCESS;
}

xhal_result_t close_driver(xhal_driver_t handle) {
  auto* driver = kit::object_of<Driver>(handle);
  {
    const std::lock_guard guard(activity_lock);
    for (Subscription* subscription : subscriptions) delete subscription;
    subscriptions.clear();
  }
  for (Device& device : driver->devices) {
    release<Stream>(device.default_stream);
    kit::free_handle(device.handle);
  }
  kit::free_handle(handle);
  delete driver;
  return XHAL_SUCCESS;
}

}  // namespace
}  // namespace xhal::traced

extern "C" xhal_result_t xhal_driver_negotiate(const xhal_negotiation_t* host,
                                               xhal_driver_interface_t* interface_out) {
  using namespace xhal::traced;  // NOLINT(google-build-using-namespace)
  return xhal::kit::negotiate(host, interface_out, {"traced", "1", open_driver, close_driver, &kFunctions});
}
