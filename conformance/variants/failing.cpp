// SPDX-License-Identifier: Apache-2.0
// Drivers whose failures show later, or take more with them, as they declare.
#include "submissions.hpp"

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

}  // namespace

void install_late_errors(xhal_functions_t& to) { Submissions<kLate, Late>::install(to); }
void install_device_wide_faults(xhal_functions_t& to) {
  Submissions<kWide, Wide>::install(to);
  to.stream_query = query_stream;
  to.stream_synchronize = synchronize_stream;
  to.device_get_fault = fault_of_device;
  to.device_get_properties = wide_properties;
}

}  // namespace xhal::variants
