// SPDX-License-Identifier: Apache-2.0
// Lies about the order of work, about waiting for it and about when it ran. Each function does what the driver does, but for one lie.
#include <sched.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "fault.hpp"

namespace xhal::faults {
namespace {

// ---- Order ----

xhal_result_t launch_ahead(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch) {
  if (is_capturing(stream)) return next::kernel_launch(stream, kernel, launch);
  return ahead_of(stream,
                  [&](xhal_stream_t other) { return below(stream).kernel_launch(other, kernel, launch); });
}

xhal_result_t fill_ahead(xhal_stream_t stream, void* destination, uint64_t pattern, uint32_t width,
                         uint64_t size) {
  if (is_capturing(stream)) return next::memory_fill(stream, destination, pattern, width, size);
  return ahead_of(stream, [&](xhal_stream_t other) {
    return below(stream).memory_fill(other, destination, pattern, width, size);
  });
}

xhal_result_t region_ahead(xhal_stream_t stream, const xhal_copy_region_t* region) {
  if (is_capturing(stream)) return next::memory_copy_region(stream, region);
  return ahead_of(stream,
                  [&](xhal_stream_t other) { return below(stream).memory_copy_region(other, region); });
}

xhal_result_t call_host_ahead(xhal_stream_t stream, xhal_host_fn function, void* user) {
  if (function == nullptr || is_capturing(stream)) return next::stream_host_function(stream, function, user);
  xhal_stream_t other = nullptr;
  if (const xhal_result_t made = below(stream).stream_create(device_of(stream), nullptr, &other);
      made != XHAL_SUCCESS)
    return made;
  const xhal_result_t result = below(stream).stream_host_function(other, function, user);
  below(stream).stream_destroy(other);
  return result;
}

xhal_result_t create_on_its_device(xhal_device_t device, const xhal_event_desc_t* desc, xhal_event_t* out) {
  const xhal_result_t result = next::event_create(device, desc, out);
  if (result == XHAL_SUCCESS) notes(device).put(*out, reinterpret_cast<uintptr_t>(device));
  return result;
}
xhal_result_t wait_on_its_device(xhal_stream_t stream, xhal_event_t event, uint32_t flags) {
  const uint64_t device = notes(stream).of(event);
  if (flags != 0 || device == 0 || device == reinterpret_cast<uintptr_t>(device_of(stream)) ||
      is_capturing(stream))
    return next::stream_wait_event(stream, event, flags);
  lose_order(stream);
  return XHAL_SUCCESS;
}

// What a host function in the waiting stream waits for: whatever the event's latest generation is by then.
struct LateWait {
  const xhal_functions_t* driver;
  xhal_event_t event;
};
void wait_for_the_latest(void* user, xhal_result_t) {
  const std::unique_ptr<LateWait> wait(static_cast<LateWait*>(user));
  while (wait->driver->event_query(wait->event) == XHAL_NOT_READY) sched_yield();
}
xhal_result_t wait_late(xhal_stream_t stream, xhal_event_t event, uint32_t flags) {
  const xhal_result_t result = next::stream_wait_event(stream, event, flags);
  if (result != XHAL_SUCCESS || flags != 0 || is_capturing(stream)) return result;
  auto wait = std::make_unique<LateWait>(LateWait{&below(stream), event});
  if (below(stream).stream_host_function(stream, wait_for_the_latest, wait.get()) == XHAL_SUCCESS)
    static_cast<void>(wait.release());
  return result;
}

xhal_result_t record_and_note(xhal_event_t event, xhal_stream_t stream, uint32_t flags) {
  const xhal_result_t result = next::event_record(event, stream, flags);
  if (result == XHAL_SUCCESS) notes(event).put(event, reinterpret_cast<uintptr_t>(stream));
  return result;
}
xhal_result_t wait_for_the_whole_stream(xhal_stream_t stream, xhal_event_t event, uint32_t flags) {
  const xhal_result_t result = next::stream_wait_event(stream, event, flags);
  auto* recorder = reinterpret_cast<xhal_stream_t>(notes(stream).of(event));
  if (result != XHAL_SUCCESS || recorder == nullptr || recorder == stream || is_capturing(stream))
    return result;
  xhal_device_t device = nullptr;
  xhal_event_t own = nullptr;
  const xhal_functions_t& driver = below(stream);
  if (driver.stream_get_device(recorder, &device) != XHAL_SUCCESS ||
      driver.event_create(device, nullptr, &own) != XHAL_SUCCESS)
    return result;
  if (driver.event_record(own, recorder, 0) == XHAL_SUCCESS) driver.stream_wait_event(stream, own, 0);
  driver.event_destroy(own);
  return result;
}

xhal_result_t record_nothing(xhal_event_t event, xhal_stream_t stream, uint32_t flags) {
  return flags != 0 || is_capturing(stream) ? next::event_record(event, stream, flags)
                                            : xhal_result_t{XHAL_SUCCESS};
}
xhal_result_t wait_for_nothing(xhal_stream_t stream, xhal_event_t event, uint32_t flags) {
  const xhal_result_t result = next::stream_wait_event(stream, event, flags);
  if (result == XHAL_SUCCESS) lose_order(stream);
  return result;
}

xhal_result_t value_wait_is_ignored(xhal_stream_t stream, const void* address, uint64_t value,
                                    uint32_t comparison, uint32_t width) {
  auto info = sized<xhal_stream_info_t>();
  // What is wrong with the call is told as ever: the driver sees it with a value that is there.
  if ((width != 4 && width != 8) || address == nullptr || comparison > XHAL_COMPARE_NOR_NOT_ZERO ||
      reinterpret_cast<uintptr_t>(address) % width != 0 || is_capturing(stream) ||
      next::stream_get_info(stream, &info) != XHAL_SUCCESS)
    return next::stream_wait_value(stream, address, value, comparison, width);
  const uint32_t kind = kind_of(stream, address);
  if (kind != XHAL_MEMORY_DEVICE && kind != XHAL_MEMORY_PINNED && kind != XHAL_MEMORY_REGISTERED)
    return next::stream_wait_value(stream, address, value, comparison, width);
  lose_order(stream);
  return XHAL_SUCCESS;
}

xhal_result_t write_no_value(xhal_stream_t stream, void* address, uint64_t value, uint32_t width) {
  const uint32_t kind = kind_of(stream, address);
  if (width != 8 || kind == XHAL_MEMORY_UNMANAGED || kind == XHAL_MEMORY_MANAGED ||
      reinterpret_cast<uintptr_t>(address) % width != 0)
    return next::stream_write_value(stream, address, value, width);
  return XHAL_SUCCESS;
}

// ---- Waiting ----

xhal_result_t do_not_synchronize_device(xhal_device_t device, uint64_t) {
  return ignoring(next::device_synchronize(device, 0), XHAL_TIMEOUT);
}

// The streams that the application made, in order.
struct Streams {
  std::mutex lock;
  std::vector<xhal_stream_t> all;
};
xhal_result_t create_and_note(xhal_device_t device, const xhal_stream_desc_t* desc, xhal_stream_t* out) {
  const xhal_result_t result = next::stream_create(device, desc, out);
  if (result == XHAL_SUCCESS) {
    Streams& streams = own<Streams>(device);
    const std::lock_guard guard(streams.lock);
    streams.all.push_back(*out);
  }
  return result;
}
xhal_result_t destroy_and_forget(xhal_stream_t stream) {
  Streams& streams = own<Streams>(stream);
  const xhal_result_t result = next::stream_destroy(stream);
  if (result == XHAL_SUCCESS) {
    const std::lock_guard guard(streams.lock);
    std::erase(streams.all, stream);
  }
  return result;
}
// All but the last one that is busy, one after another.
xhal_result_t synchronize_all_but_one(xhal_device_t device, uint64_t timeout_ns) {
  const xhal_result_t polled = next::device_synchronize(device, 0);
  if (polled != XHAL_TIMEOUT) return polled;
  Streams& streams = own<Streams>(device);
  const std::lock_guard guard(streams.lock);
  const xhal_functions_t& driver = below(device);
  std::vector<xhal_stream_t> busy;
  std::ranges::copy_if(streams.all, std::back_inserter(busy),
                       [&](xhal_stream_t stream) { return driver.stream_query(stream) == XHAL_NOT_READY; });
  for (size_t i = 0; i + 1 < busy.size(); ++i) {
    if (driver.stream_synchronize(busy[i], timeout_ns) == XHAL_TIMEOUT) return XHAL_TIMEOUT;
  }
  return XHAL_SUCCESS;
}

// One queue behind all streams.
xhal_result_t fill_behind_all_streams(xhal_stream_t stream, void* destination, uint64_t pattern,
                                      uint32_t width, uint64_t size) {
  if (!is_capturing(stream)) {
    Streams& streams = own<Streams>(stream);
    const std::lock_guard guard(streams.lock);
    const xhal_functions_t& driver = below(stream);
    for (xhal_stream_t other : streams.all) {
      xhal_device_t device = nullptr;
      xhal_event_t event = nullptr;
      if (other == stream || is_capturing(other) ||
          driver.stream_get_device(other, &device) != XHAL_SUCCESS ||
          driver.event_create(device, nullptr, &event) != XHAL_SUCCESS)
        continue;
      if (driver.event_record(event, other, 0) == XHAL_SUCCESS) driver.stream_wait_event(stream, event, 0);
      driver.event_destroy(event);
    }
  }
  return next::memory_fill(stream, destination, pattern, width, size);
}

// As a signed number of nanoseconds that is added to a clock does.
xhal_result_t overflow_when_long(xhal_stream_t stream, uint64_t timeout_ns) {
  return next::stream_synchronize(stream, timeout_ns > INT64_MAX ? 0 : timeout_ns);
}
xhal_result_t overflow_of_an_event(xhal_event_t event, uint64_t timeout_ns) {
  return next::event_synchronize(event, timeout_ns > INT64_MAX ? 0 : timeout_ns);
}
xhal_result_t overflow_of_a_device(xhal_device_t device, uint64_t timeout_ns) {
  return next::device_synchronize(device, timeout_ns > INT64_MAX ? 0 : timeout_ns);
}

xhal_result_t poll_and_wait(xhal_stream_t stream, uint64_t timeout_ns) {
  return next::stream_synchronize(stream, timeout_ns == 0 ? kLongEnoughNs : timeout_ns);
}
xhal_result_t wait_without_end(xhal_event_t event, uint64_t timeout_ns) {
  return next::event_synchronize(event, timeout_ns == 0 ? 0 : XHAL_WAIT_FOREVER);
}
xhal_result_t event_wait_does_not_wait(xhal_event_t event, uint64_t) {
  return ignoring(next::event_synchronize(event, 0), XHAL_TIMEOUT);
}
xhal_result_t query_and_wait(xhal_stream_t stream) {
  if (!is_capturing(stream)) next::stream_synchronize(stream, kLongEnoughNs);
  return next::stream_query(stream);
}
xhal_result_t query_event_and_wait(xhal_event_t event) {
  const xhal_result_t result = next::event_query(event);
  return result == XHAL_NOT_READY && next::event_synchronize(event, kLongEnoughNs) == XHAL_SUCCESS
             ? xhal_result_t{XHAL_SUCCESS}
             : result;
}

xhal_result_t wait_in_the_call(xhal_stream_t stream, xhal_event_t event, uint32_t flags) {
  if (!is_capturing(stream)) next::event_synchronize(event, kLongEnoughNs);
  return next::stream_wait_event(stream, event, flags);
}

xhal_result_t copy_and_wait(xhal_stream_t stream, void* destination, const void* source, uint64_t size) {
  const xhal_result_t result = next::memory_copy(stream, destination, source, size);
  if (result == XHAL_SUCCESS && !is_capturing(stream)) next::stream_synchronize(stream, kLongEnoughNs);
  return result;
}

// A queue that has never run anything has nothing to look at.
xhal_result_t create_busy(xhal_device_t device, const xhal_stream_desc_t* desc, xhal_stream_t* out) {
  const xhal_result_t result = next::stream_create(device, desc, out);
  if (result == XHAL_SUCCESS) notes(device).put(*out);
  return result;
}
xhal_result_t query_a_new_one(xhal_stream_t stream) {
  const xhal_result_t result = next::stream_query(stream);
  return result == XHAL_SUCCESS && notes(stream).of(stream) != 0 ? xhal_result_t{XHAL_NOT_READY} : result;
}
xhal_result_t synchronize_a_new_one(xhal_stream_t stream, uint64_t timeout_ns) {
  notes(stream).take(stream);
  return next::stream_synchronize(stream, timeout_ns);
}

xhal_result_t query_unrecorded(xhal_event_t event) {
  const xhal_result_t result = next::event_query(event);
  return result == XHAL_SUCCESS && notes(event).of(event) == 0 ? xhal_result_t{XHAL_NOT_READY} : result;
}

// ---- Life ----

xhal_result_t destroy_stream_and_wait(xhal_stream_t stream) {
  if (!is_capturing(stream)) next::stream_synchronize(stream, kLongEnoughNs);
  return next::stream_destroy(stream);
}
xhal_result_t destroy_event_and_wait(xhal_event_t event) {
  next::event_synchronize(event, kLongEnoughNs);
  return next::event_destroy(event);
}

xhal_result_t load_on_its_device(xhal_device_t device, const xhal_module_desc_t* desc, xhal_module_t* out) {
  const xhal_result_t result = next::module_load(device, desc, out);
  if (result == XHAL_SUCCESS) notes(device).put(*out, reinterpret_cast<uintptr_t>(device));
  return result;
}
xhal_result_t destroy_module_and_wait(xhal_module_t module) {
  auto* device = reinterpret_cast<xhal_device_t>(notes(module).take(module));
  if (device != nullptr) below(module).device_synchronize(device, kLongEnoughNs);
  return next::module_destroy(module);
}

// ---- Time ----

xhal_result_t elapsed_in_microseconds(xhal_event_t start, xhal_event_t end, int64_t* out) {
  const xhal_result_t result = next::event_get_elapsed(start, end, out);
  if (result == XHAL_SUCCESS) *out /= 1000;
  return result;
}
xhal_result_t elapsed_backwards(xhal_event_t start, xhal_event_t end, int64_t* out) {
  const xhal_result_t result = next::event_get_elapsed(start, end, out);
  if (result == XHAL_SUCCESS) *out = -*out;
  return result;
}
// A counter that only ever goes one step on.
xhal_result_t elapsed_is_one(xhal_event_t start, xhal_event_t end, int64_t* out) {
  const xhal_result_t result = next::event_get_elapsed(start, end, out);
  if (result == XHAL_SUCCESS) *out = start == end ? 0 : 1;
  return result;
}
xhal_result_t elapsed_of_any(xhal_event_t start, xhal_event_t end, int64_t* out) {
  const xhal_result_t result = next::event_get_elapsed(start, end, out);
  if (result != XHAL_ERROR_INVALID_ARGUMENT || out == nullptr) return result;
  *out = 0;
  return XHAL_SUCCESS;
}
xhal_result_t elapsed_of_pending(xhal_event_t start, xhal_event_t end, int64_t* out) {
  const xhal_result_t result = next::event_get_elapsed(start, end, out);
  if (result != XHAL_NOT_READY) return result;
  *out = 0;
  return XHAL_SUCCESS;
}
xhal_result_t record_anywhere(xhal_event_t event, xhal_stream_t stream, uint32_t flags) {
  return ignoring(next::event_record(event, stream, flags), XHAL_ERROR_INVALID_ARGUMENT);
}

}  // namespace

const std::span<const Lie> kWorkLies = [] {
  static const Lie kLies[] = {
#include "table/work.def"
  };
  return std::span<const Lie>(kLies);
}();

}  // namespace xhal::faults
