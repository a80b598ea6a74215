// SPDX-License-Identifier: Apache-2.0
// Lies about telemetry and activity records. Each function does what the base driver does, but for one lie.
#include <deque>

#include "fault.hpp"

namespace xhal::faults {
namespace {

// ---- Telemetry ----

// The elements of a call that the base accepted.
xhal_metric_t* metric_at(xhal_metric_t* metrics, uint32_t stride, uint32_t i) {
  return reinterpret_cast<xhal_metric_t*>(reinterpret_cast<char*>(metrics) + size_t{stride} * i);
}

xhal_result_t an_unknown_metric_fails_all(xhal_device_t device, uint32_t count, uint32_t stride,
                                          xhal_metric_t* metrics) {
  const xhal_result_t result = next::device_read_metrics(device, count, stride, metrics);
  for (uint32_t i = 0; result == XHAL_SUCCESS && i < count; ++i) {
    if (metric_at(metrics, stride, i)->status == XHAL_ERROR_UNSUPPORTED) return XHAL_ERROR_NOT_FOUND;
  }
  return result;
}

xhal_result_t made_up_numbers_are_real(xhal_device_t device, uint32_t count, uint32_t stride,
                                       xhal_metric_t* metrics) {
  const xhal_result_t result = next::device_read_metrics(device, count, stride, metrics);
  for (uint32_t i = 0; result == XHAL_SUCCESS && i < count; ++i) metric_at(metrics, stride, i)->simulated = 0;
  return result;
}

xhal_result_t readings_wait(xhal_device_t device, uint32_t count, uint32_t stride, xhal_metric_t* metrics) {
  next::device_synchronize(device, kLongEnoughNs);
  return next::device_read_metrics(device, count, stride, metrics);
}

xhal_result_t readings_come_from_the_future(xhal_device_t device, uint32_t count, uint32_t stride,
                                            xhal_metric_t* metrics) {
  const xhal_result_t result = next::device_read_metrics(device, count, stride, metrics);
  for (uint32_t i = 0; result == XHAL_SUCCESS && i < count; ++i)
    metric_at(metrics, stride, i)->timestamp_ns += UINT64_C(3600000000000);
  return result;
}

xhal_result_t readings_open_the_device(xhal_device_t device, uint32_t count, uint32_t stride,
                                       xhal_metric_t* metrics) {
  xhal_stream_t stream = nullptr;
  if (below(device).stream_create(device, nullptr, &stream) == XHAL_SUCCESS)
    below(device).stream_destroy(stream);
  return next::device_read_metrics(device, count, stride, metrics);
}

// ---- Activity ----

// How records are spoilt on the way to a subscriber.
struct Subscriber {
  xhal_activity_desc_t desc{};
  void (*spoil)(const Subscriber& to, xhal_activity_record_t& record) = nullptr;
  std::atomic<uint64_t>* everybodys = nullptr;
};
// Callbacks may come until the instance ends, so subscribers live as long.
struct Subscribers {
  std::mutex lock;
  std::deque<Subscriber> all;
  std::atomic<uint64_t> everybodys{0};
};

void spoil_records(void* user, const xhal_activity_record_t* records, uint32_t count, uint32_t stride) {
  const auto& to = *static_cast<const Subscriber*>(user);
  const char* at = reinterpret_cast<const char*>(records);
  for (uint32_t i = 0; i < count; ++i, at += stride) {
    xhal_activity_record_t record;
    std::memcpy(&record, at, sizeof(record));
    to.spoil(to, record);
    to.desc.callback(to.desc.user, &record, 1, sizeof(record));
  }
}

xhal_result_t subscribe_spoilt(xhal_device_t device, const xhal_activity_desc_t* desc,
                               xhal_subscription_t* out,
                               void (*spoil)(const Subscriber&, xhal_activity_record_t&)) {
  if (!is_whole(desc) || desc->callback == nullptr) return next::activity_subscribe(device, desc, out);
  xhal_activity_desc_t mine = *desc;
  mine.callback = spoil_records;
  {
    Subscribers& subscribers = own<Subscribers>(device);
    const std::lock_guard guard(subscribers.lock);
    mine.user = &subscribers.all.emplace_back(Subscriber{*desc, spoil, &subscribers.everybodys});
  }
  return next::activity_subscribe(device, &mine, out);
}

void tell_it_before(const Subscriber& to, xhal_activity_record_t& record) {
  to.desc.callback(to.desc.user, &record, 1, sizeof(record));
}
xhal_result_t subscribe_twice_told(xhal_device_t device, const xhal_activity_desc_t* desc,
                                   xhal_subscription_t* out) {
  return subscribe_spoilt(device, desc, out, tell_it_before);
}

void forget_the_stream(const Subscriber&, xhal_activity_record_t& record) { record.stream_id = 0; }
xhal_result_t subscribe_without_streams(xhal_device_t device, const xhal_activity_desc_t* desc,
                                        xhal_subscription_t* out) {
  return subscribe_spoilt(device, desc, out, forget_the_stream);
}

void turn_around(const Subscriber&, xhal_activity_record_t& record) {
  const uint64_t begin = record.begin_ns;
  record.begin_ns = record.end_ns + 1;
  record.end_ns = begin;
}
xhal_result_t subscribe_backwards(xhal_device_t device, const xhal_activity_desc_t* desc,
                                  xhal_subscription_t* out) {
  return subscribe_spoilt(device, desc, out, turn_around);
}

void forget_the_id(const Subscriber&, xhal_activity_record_t& record) { record.correlation_id = 1; }
xhal_result_t subscribe_without_ids(xhal_device_t device, const xhal_activity_desc_t* desc,
                                    xhal_subscription_t* out) {
  return subscribe_spoilt(device, desc, out, forget_the_id);
}

// The id that some thread exchanged last, given to all.
xhal_result_t exchange_for_everybody(xhal_driver_t driver, uint64_t id, uint64_t* out_former) {
  const xhal_result_t result = next::driver_exchange_correlation(driver, id, out_former);
  if (result == XHAL_SUCCESS && id != 0) own<Subscribers>(driver).everybodys.store(id);
  return result;
}
void give_everybodys(const Subscriber& to, xhal_activity_record_t& record) {
  record.external_correlation = to.everybodys->load();
}
xhal_result_t subscribe_to_everybodys(xhal_device_t device, const xhal_activity_desc_t* desc,
                                      xhal_subscription_t* out) {
  return subscribe_spoilt(device, desc, out, give_everybodys);
}

xhal_result_t clocks_two_seconds_off(xhal_device_t device, xhal_clocks_t* out) {
  const xhal_result_t result = next::device_get_clocks(device, out);
  if (result == XHAL_SUCCESS) out->host_ns += 2000000000u;
  return result;
}

xhal_result_t subscribe_to_known_kinds(xhal_device_t device, const xhal_activity_desc_t* desc,
                                       xhal_subscription_t* out) {
  if (desc == nullptr || desc->struct_size != sizeof(*desc))
    return next::activity_subscribe(device, desc, out);
  xhal_activity_desc_t known = *desc;
  known.kinds &= 0x7F;
  return next::activity_subscribe(device, &known, out);
}

// Watched fills are made on a stream of the watcher's.
using Watchers = std::atomic<int>;
xhal_result_t subscribe_and_count(xhal_device_t device, const xhal_activity_desc_t* desc,
                                  xhal_subscription_t* out) {
  const xhal_result_t result = next::activity_subscribe(device, desc, out);
  if (result == XHAL_SUCCESS) ++own<Watchers>(device);
  return result;
}
xhal_result_t unsubscribe_and_count(xhal_subscription_t subscription) {
  Watchers& watchers = own<Watchers>(subscription);
  const xhal_result_t result = next::activity_unsubscribe(subscription);
  if (result == XHAL_SUCCESS) --watchers;
  return result;
}
xhal_result_t fill_on_the_watchers_stream(xhal_stream_t stream, void* destination, uint64_t pattern,
                                          uint32_t width, uint64_t size) {
  if (own<Watchers>(stream) == 0 || is_capturing(stream))
    return next::memory_fill(stream, destination, pattern, width, size);
  return ahead_of(stream, [&](xhal_stream_t other) {
    return below(stream).memory_fill(other, destination, pattern, width, size);
  });
}

}  // namespace

const std::span<const Lie> kObservationLies = [] {
  static const Lie kLies[] = {
#include "table/observation.def"
  };
  return std::span<const Lie>(kLies);
}();

}  // namespace xhal::faults
