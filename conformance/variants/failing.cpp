// SPDX-License-Identifier: Apache-2.0
// Drivers whose failures show later, or take more with them, as they declare.
#include <csignal>

#include "submissions.hpp"
#include "xhal/kit/driver.hpp"

namespace xhal::variants {
namespace {

// What an asynchronous failure is told by. A lost device is told by every call.
bool is_failure(xhal_result_t code) {
  return code <= XHAL_ERROR_LAUNCH_FAILED && code > XHAL_ERROR_DEVICE_LOST;
}

// ---- late_errors: a stream that has failed goes on taking copies, fills and launches, which it drops; who waits or asks is told

constexpr Id kLate = Id::k_late_errors;

struct Late {
  template <class Call>
  static xhal_result_t submit(xhal_stream_t stream, Work work, const Call& call) {
    const xhal_result_t result = call();
    if (!is_failure(result) || (work != Work::kCopy && work != Work::kFill && work != Work::kLaunch))
      return result;
    if (below(stream).stream_query(stream) != result) return result;
    count(kLate);
    return XHAL_SUCCESS;
  }
};

// ---- device_wide_faults: a failure of one stream is all streams'

constexpr Id kWide = Id::k_device_wide_faults;

// SUCCESS when the device is well.
xhal_result_t failure_of(const xhal_functions_t& driver, xhal_device_t device) {
  auto fault = sized<xhal_fault_t>();
  if (device == nullptr || driver.device_get_fault(device, &fault) != XHAL_SUCCESS) return XHAL_SUCCESS;
  return is_failure(fault.code) ? fault.code : XHAL_SUCCESS;
}

// What is submitted behind the failure is refused; in a capture nothing runs.
struct Wide {
  template <class Call>
  static xhal_result_t submit(xhal_stream_t stream, Work, const Call& call) {
    const xhal_result_t failure = failure_of(below(stream), device_of(stream));
    // Stale and dead streams have answers of their own.
    if (failure == XHAL_SUCCESS || is_capturing(stream) || below(stream).stream_query(stream) < 0)
      return call();
    count(kWide);
    return failure;
  }
};

// The failure in place of an end: who waits for what still runs is told when that has ended.
xhal_result_t told_instead(const xhal_functions_t& driver, xhal_device_t device, xhal_result_t result) {
  if (result != XHAL_SUCCESS) return result;
  const xhal_result_t failure = failure_of(driver, device);
  if (failure != XHAL_SUCCESS) count(kWide);
  return failure;
}
xhal_result_t query_stream(xhal_stream_t stream) {
  const xhal_result_t result = next<kWide>(stream).stream_query(stream);
  return result != XHAL_SUCCESS ? result : told_instead(below(stream), device_of(stream), result);
}
xhal_result_t synchronize_stream(xhal_stream_t stream, uint64_t timeout_ns) {
  const xhal_result_t result = next<kWide>(stream).stream_synchronize(stream, timeout_ns);
  return result != XHAL_SUCCESS ? result : told_instead(below(stream), device_of(stream), result);
}
xhal_result_t fault_of_device(xhal_device_t device, xhal_fault_t* out) {
  const xhal_result_t result = next<kWide>(device).device_get_fault(device, out);
  if (result == XHAL_SUCCESS && XHAL_TOLD(out, scope) && is_failure(out->code))
    out->scope = XHAL_FAULT_SCOPE_DEVICE;
  return result;
}
xhal_result_t wide_properties(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = next<kWide>(device).device_get_properties(device, out);
  if (result == XHAL_SUCCESS && XHAL_TOLD(out, fault_scope)) {
    // What takes more with it already stays as it is.
    if (out->fault_scope == XHAL_FAULT_SCOPE_STREAM) out->fault_scope = XHAL_FAULT_SCOPE_DEVICE;
    if (out->fault_recovery == XHAL_RECOVERY_STREAM) out->fault_recovery = XHAL_RECOVERY_NONE;
  }
  return result;
}

// ---- fatal_faults: a failure is the whole process's, and ends it, which with the number 0 is only declared

constexpr Id kFatal = Id::k_fatal_faults;

// Where the driver tells of the failure.
template <class Handle>
xhal_result_t told(Handle handle, xhal_result_t result) {
  if (!is_failure(result) || parameter<kFatal>(handle) == 0) return result;
  // As a bad address in a kernel would that runs on the host's processor, whoever watches for the signal.
  std::signal(SIGSEGV, SIG_DFL);
  std::raise(SIGSEGV);
  return result;
}

struct Fatal {
  template <class Call>
  static xhal_result_t submit(xhal_stream_t stream, Work, const Call& call) {
    return told(stream, call());
  }
};

xhal_result_t fatal_stream_query(xhal_stream_t stream) {
  return told(stream, next<kFatal>(stream).stream_query(stream));
}
xhal_result_t fatal_stream_synchronize(xhal_stream_t stream, uint64_t timeout_ns) {
  return told(stream, next<kFatal>(stream).stream_synchronize(stream, timeout_ns));
}
xhal_result_t fatal_device_synchronize(xhal_device_t device, uint64_t timeout_ns) {
  return told(device, next<kFatal>(device).device_synchronize(device, timeout_ns));
}
xhal_result_t fatal_event_query(xhal_event_t event) {
  return told(event, next<kFatal>(event).event_query(event));
}
xhal_result_t fatal_event_synchronize(xhal_event_t event, uint64_t timeout_ns) {
  return told(event, next<kFatal>(event).event_synchronize(event, timeout_ns));
}
xhal_result_t fatal_elapsed(xhal_event_t begin, xhal_event_t end, int64_t* out) {
  return told(begin, next<kFatal>(begin).event_get_elapsed(begin, end, out));
}
xhal_result_t fatal_get_fault(xhal_device_t device, xhal_fault_t* out) {
  const xhal_result_t result = next<kFatal>(device).device_get_fault(device, out);
  if (result != XHAL_SUCCESS || !XHAL_TOLD(out, recovery)) return result;
  out->scope = XHAL_FAULT_SCOPE_PROCESS;
  out->recovery = XHAL_RECOVERY_NONE;
  told(device, out->code);
  return result;
}
xhal_result_t fatal_properties(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = next<kFatal>(device).device_get_properties(device, out);
  if (result != XHAL_SUCCESS || !XHAL_TOLD(out, fault_recovery)) return result;
  out->fault_scope = XHAL_FAULT_SCOPE_PROCESS;
  out->fault_recovery = XHAL_RECOVERY_NONE;
  count(kFatal);
  return result;
}
xhal_result_t no_reset(xhal_device_t device) {
  // A thread that may not call it is told so, as by any call that makes something.
  if (next<kFatal>(device).stream_create(device, nullptr, nullptr) == XHAL_ERROR_CALL_FORBIDDEN)
    return kit::fail(XHAL_ERROR_CALL_FORBIDDEN, "a host function resets no device");
  return kit::fail(XHAL_ERROR_UNSUPPORTED, "the device declares no recovery");
}

}  // namespace

void install_late_errors(xhal_functions_t& to) { Submissions<kLate, Late>::install(to); }
void install_device_wide_faults(xhal_functions_t& to) {
  Submissions<kWide, Wide>::install(to);
  to.stream_query = query_stream;
  to.stream_synchronize = synchronize_stream;
  to.device_get_fault = fault_of_device;
  to.device_get_properties = wide_properties;
}
void install_fatal_faults(xhal_functions_t& to) {
  Submissions<kFatal, Fatal>::install(to);
  to.stream_query = fatal_stream_query;
  to.stream_synchronize = fatal_stream_synchronize;
  to.device_synchronize = fatal_device_synchronize;
  to.device_get_fault = fatal_get_fault;
  to.device_get_properties = fatal_properties;
  to.device_reset = no_reset;
  to.event_query = fatal_event_query;
  to.event_synchronize = fatal_event_synchronize;
  to.event_get_elapsed = fatal_elapsed;
}

}  // namespace xhal::variants
