// SPDX-License-Identifier: Apache-2.0
// Lies about failures, and about what devices tell of themselves. Each function does what the driver does, but for one lie.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

#include "fault.hpp"

namespace xhal::faults {
namespace {

// ---- Failures of work ----

bool is_failure_of_work(xhal_result_t result) {
  switch (result) {
    case XHAL_ERROR_LAUNCH_FAILED:
    case XHAL_ERROR_ILLEGAL_ADDRESS:
    case XHAL_ERROR_LAUNCH_TIMEOUT:
    case XHAL_ERROR_MEMORY_CORRUPT:
      return true;
    default:
      return false;
  }
}
xhal_result_t lost(xhal_result_t result) {
  return is_failure_of_work(result) ? xhal_result_t{XHAL_SUCCESS} : result;
}
xhal_result_t renamed(xhal_result_t result) {
  return is_failure_of_work(result) ? xhal_result_t{XHAL_ERROR_UNKNOWN} : result;
}
template <class Handle>
xhal_result_t told_once(Handle handle, xhal_result_t result) {
  return is_failure_of_work(result) && notes(handle).count(handle) > 0 ? xhal_result_t{XHAL_SUCCESS} : result;
}

xhal_result_t synchronize_and_lose(xhal_stream_t stream, uint64_t timeout_ns) {
  return lost(next::stream_synchronize(stream, timeout_ns));
}
xhal_result_t query_and_lose(xhal_stream_t stream) { return lost(next::stream_query(stream)); }
xhal_result_t event_synchronize_and_lose(xhal_event_t event, uint64_t timeout_ns) {
  return lost(next::event_synchronize(event, timeout_ns));
}
xhal_result_t event_query_and_lose(xhal_event_t event) { return lost(next::event_query(event)); }

xhal_result_t synchronize_and_rename(xhal_stream_t stream, uint64_t timeout_ns) {
  return renamed(next::stream_synchronize(stream, timeout_ns));
}
xhal_result_t query_and_rename(xhal_stream_t stream) { return renamed(next::stream_query(stream)); }

xhal_result_t synchronize_and_forget(xhal_stream_t stream, uint64_t timeout_ns) {
  return told_once(stream, next::stream_synchronize(stream, timeout_ns));
}
xhal_result_t query_and_forget(xhal_stream_t stream) { return told_once(stream, next::stream_query(stream)); }

// A failure of work may end the process, they say.
xhal_result_t doomed(xhal_device_t device, xhal_device_properties_t* out, uint32_t recovery) {
  const xhal_result_t result = next::device_get_properties(device, out);
  if (result != XHAL_SUCCESS || !is_whole(out)) return result;
  out->fault_scope = XHAL_FAULT_SCOPE_PROCESS;
  out->fault_recovery = recovery;
  return result;
}
xhal_result_t properties_of_a_doomed_process(xhal_device_t device, xhal_device_properties_t* out) {
  return doomed(device, out, XHAL_RECOVERY_NONE);
}
xhal_result_t properties_of_a_doomed_process_that_recovers(xhal_device_t device,
                                                           xhal_device_properties_t* out) {
  return doomed(device, out, XHAL_RECOVERY_RESET);
}
xhal_result_t synchronize_and_end(xhal_stream_t stream, uint64_t timeout_ns) {
  const xhal_result_t result = next::stream_synchronize(stream, timeout_ns);
  if (is_failure_of_work(result)) std::raise(SIGKILL);
  return result;
}

// The first failure of any stream, for all of them.
using AnyFailure = std::atomic<xhal_result_t>;
xhal_result_t spread(xhal_stream_t stream, xhal_result_t result) {
  AnyFailure& first = own<AnyFailure>(stream);
  if (is_failure_of_work(result)) first.store(result);
  return result == XHAL_SUCCESS ? first.load() : result;
}
xhal_result_t synchronize_and_spread(xhal_stream_t stream, uint64_t timeout_ns) {
  return spread(stream, next::stream_synchronize(stream, timeout_ns));
}
xhal_result_t query_and_spread(xhal_stream_t stream) { return spread(stream, next::stream_query(stream)); }

// Nobody signals what failed.
xhal_result_t wait_for_what_failed(xhal_event_t event, uint64_t timeout_ns) {
  const xhal_result_t result = next::event_synchronize(event, timeout_ns);
  if (!is_failure_of_work(result)) return result;
  std::this_thread::sleep_for(std::chrono::nanoseconds(std::min(timeout_ns, kLongEnoughNs)));
  return XHAL_TIMEOUT;
}

// A poisoned stream's fills are made all the same.
xhal_result_t fill_on_poisoned_streams(xhal_stream_t stream, void* destination, uint64_t pattern,
                                       uint32_t width, uint64_t size) {
  if (!is_failure_of_work(next::stream_query(stream)))
    return next::memory_fill(stream, destination, pattern, width, size);
  return ahead_of(stream, [&](xhal_stream_t other) {
    return below(stream).memory_fill(other, destination, pattern, width, size);
  });
}

// Waits for the device, so that the failure of a launch right before it is there.
xhal_result_t properties_tell_the_failure(xhal_device_t device, xhal_device_properties_t* out) {
  constexpr uint64_t kAMomentNs = 100'000'000;
  uint32_t is_active = 0;
  if (next::device_is_active(device, &is_active) == XHAL_SUCCESS && is_active != 0) {
    auto fault = sized<xhal_fault_t>();
    below(device).device_synchronize(device, kAMomentNs);
    if (below(device).device_get_fault(device, &fault) == XHAL_SUCCESS && is_failure_of_work(fault.code))
      return fault.code;
  }
  return next::device_get_properties(device, out);
}

// What waits for something that has failed goes on as if it had not.
xhal_result_t wait_unless_it_failed(xhal_stream_t stream, xhal_event_t event, uint32_t flags) {
  constexpr uint64_t kAMomentNs = 500'000'000;
  if (flags == 0 && !is_capturing(stream) && is_failure_of_work(next::event_synchronize(event, kAMomentNs)))
    return XHAL_SUCCESS;
  return next::stream_wait_event(stream, event, flags);
}

struct HostCall {
  xhal_host_fn function;
  void* user;
};
void call_with_success(void* user, xhal_result_t) {
  const std::unique_ptr<HostCall> call(static_cast<HostCall*>(user));
  call->function(call->user, XHAL_SUCCESS);
}
void call_unless_failed(void* user, xhal_result_t status) {
  const std::unique_ptr<HostCall> call(static_cast<HostCall*>(user));
  if (status == XHAL_SUCCESS) call->function(call->user, status);
}
// A graph's host functions run once a launch: they stay as they are.
xhal_result_t host_function_by(xhal_stream_t stream, xhal_host_fn function, void* user, xhal_host_fn by) {
  if (function == nullptr || is_capturing(stream)) return next::stream_host_function(stream, function, user);
  auto call = std::make_unique<HostCall>(HostCall{function, user});
  const xhal_result_t result = next::stream_host_function(stream, by, call.get());
  if (result == XHAL_SUCCESS) static_cast<void>(call.release());
  return result;
}
xhal_result_t host_function_hears_success(xhal_stream_t stream, xhal_host_fn function, void* user) {
  return host_function_by(stream, function, user, call_with_success);
}
xhal_result_t host_function_is_dropped(xhal_stream_t stream, xhal_host_fn function, void* user) {
  return host_function_by(stream, function, user, call_unless_failed);
}

xhal_result_t no_host_function_is_taken(xhal_stream_t stream, xhal_host_fn function, void* user) {
  return function == nullptr ? xhal_result_t{XHAL_SUCCESS}
                             : next::stream_host_function(stream, function, user);
}
xhal_result_t fill_in_a_host_function(xhal_stream_t stream, void* destination, uint64_t pattern,
                                      uint32_t width, uint64_t size) {
  return ignoring(next::memory_fill(stream, destination, pattern, width, size), XHAL_ERROR_CALL_FORBIDDEN);
}

xhal_result_t fault_is_read_once(xhal_device_t device, xhal_fault_t* out) {
  const xhal_result_t result = next::device_get_fault(device, out);
  if (result != XHAL_SUCCESS || out->code == XHAL_SUCCESS || notes(device).count(device) == 0) return result;
  const uint32_t size = out->struct_size;
  if (size < sizeof(*out)) return result;
  std::memset(out, 0, sizeof(*out));
  out->struct_size = size;
  return result;
}
xhal_result_t fault_has_no_cause(xhal_device_t device, xhal_fault_t* out) {
  const xhal_result_t result = next::device_get_fault(device, out);
  if (result == XHAL_SUCCESS && out->struct_size >= sizeof(*out)) {
    out->entry[0] = 0;
    out->correlation_id = 0;
  }
  return result;
}

// ---- Devices and drivers ----

xhal_result_t properties_without_a_name(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = next::device_get_properties(device, out);
  if (result == XHAL_SUCCESS && out->struct_size >= sizeof(*out)) out->architecture[0] = 0;
  return result;
}
xhal_result_t properties_with_one_uuid(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = next::device_get_properties(device, out);
  if (result == XHAL_SUCCESS && out->struct_size >= sizeof(*out))
    std::memset(out->uuid, 0x11, sizeof(out->uuid));
  return result;
}
xhal_result_t link_to_itself_is_pci(xhal_device_t device, xhal_device_t peer, xhal_link_t* out) {
  const xhal_result_t result = next::device_get_link(device, peer, out);
  if (result == XHAL_SUCCESS && device == peer) out->kind = XHAL_LINK_PCI;
  return result;
}
xhal_result_t default_stream_is_new(xhal_device_t device, xhal_stream_t* out) {
  return out == nullptr ? next::device_get_default_stream(device, out)
                        : next::stream_create(device, nullptr, out);
}
xhal_result_t default_stream_is_destroyed(xhal_stream_t stream) {
  return ignoring(next::stream_destroy(stream), XHAL_ERROR_INVALID_ARGUMENT);
}
xhal_result_t create_of_any_priority(xhal_device_t device, const xhal_stream_desc_t* desc,
                                     xhal_stream_t* out) {
  const xhal_result_t result = next::stream_create(device, desc, out);
  if (result != XHAL_ERROR_INVALID_ARGUMENT || !is_whole(desc) || desc->priority == 0) return result;
  xhal_stream_desc_t plain = *desc;
  plain.priority = 0;
  return next::stream_create(device, &plain, out);
}
xhal_result_t info_without_priority(xhal_stream_t stream, xhal_stream_info_t* out) {
  const xhal_result_t result = next::stream_get_info(stream, out);
  if (result == XHAL_SUCCESS) out->priority = 0;
  return result;
}
xhal_result_t formats_without_stride(xhal_device_t device, uint32_t capacity, uint32_t stride,
                                     xhal_image_format_t* out, uint32_t* out_count) {
  const uint32_t mine = stride > sizeof(xhal_image_format_t) ? uint32_t{sizeof(xhal_image_format_t)} : stride;
  return next::device_get_image_formats(device, capacity, mine, out, out_count);
}
xhal_result_t no_format_is_listed(xhal_device_t device, uint32_t capacity, uint32_t stride,
                                  xhal_image_format_t* out, uint32_t* out_count) {
  const xhal_result_t result = next::device_get_image_formats(device, capacity, stride, out, out_count);
  if (result < 0) return result;
  *out_count = 0;
  return XHAL_SUCCESS;
}
xhal_result_t formats_always_fit(xhal_device_t device, uint32_t capacity, uint32_t stride,
                                 xhal_image_format_t* out, uint32_t* out_count) {
  return ignoring(next::device_get_image_formats(device, capacity, stride, out, out_count), XHAL_INCOMPLETE);
}
xhal_result_t notes_always_fit(xhal_device_t device, uint32_t capacity, uint32_t stride,
                               xhal_device_note_t* out, uint32_t* out_count) {
  return ignoring(next::device_get_notes(device, capacity, stride, out, out_count), XHAL_INCOMPLETE);
}
xhal_result_t notes_say_nothing(xhal_device_t device, uint32_t capacity, uint32_t stride,
                                xhal_device_note_t* out, uint32_t* out_count) {
  const xhal_result_t result = next::device_get_notes(device, capacity, stride, out, out_count);
  if (result >= 0 && capacity > 0 && *out_count > 0) out->text[0] = '\0';
  return result;
}
xhal_result_t notes_without_stride(xhal_device_t device, uint32_t capacity, uint32_t stride,
                                   xhal_device_note_t* out, uint32_t* out_count) {
  const uint32_t mine = stride > sizeof(xhal_device_note_t) ? uint32_t{sizeof(xhal_device_note_t)} : stride;
  return next::device_get_notes(device, capacity, mine, out, out_count);
}
xhal_result_t any_extension_is_null(xhal_driver_t driver, const char* name, uint32_t version,
                                    const void** out) {
  const xhal_result_t result = next::driver_get_extension(driver, name, version, out);
  if (result != XHAL_ERROR_NOT_FOUND) return result;
  *out = nullptr;
  return XHAL_SUCCESS;
}
xhal_result_t unclaimed_is_a_bad_argument(xhal_device_t device, const xhal_external_semaphore_desc_t* desc,
                                          xhal_semaphore_t* out) {
  const xhal_result_t result = next::semaphore_import(device, desc, out);
  return result == XHAL_ERROR_UNSUPPORTED ? xhal_result_t{XHAL_ERROR_INVALID_ARGUMENT} : result;
}
xhal_result_t properties_without_versions(xhal_driver_t driver, xhal_driver_properties_t* out) {
  const xhal_result_t result = next::driver_get_properties(driver, out);
  if (result == XHAL_SUCCESS && out->struct_size >= sizeof(*out)) out->version[0] = 0;
  return result;
}

}  // namespace

const std::span<const Lie> kFailuresLies = [] {
  static const Lie kLies[] = {
#include "table/failures.def"
  };
  return std::span<const Lie>(kLies);
}();

}  // namespace xhal::faults
