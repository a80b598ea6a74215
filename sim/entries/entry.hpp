// SPDX-License-Identifier: Apache-2.0
// What the functions behind the table share.
#pragma once

#include <exception>
#include <new>
#include <utility>

#include "device/device.hpp"
#include "device/instance.hpp"
#include "device/properties.hpp"
#include "xhal/kit/driver.hpp"
#include "xhal/kit/entry.hpp"
#include "xhal/kit/handles.hpp"
#include "xhal/kit/structs.hpp"

namespace xhal::sim {

// Each object's functions put themselves into the table.
void add_driver_entries(xhal_functions_t& functions);
void add_device_entries(xhal_functions_t& functions);
void add_stream_entries(xhal_functions_t& functions);
void add_event_entries(xhal_functions_t& functions);
void add_memory_entries(xhal_functions_t& functions);
void add_kernel_entries(xhal_functions_t& functions);
void add_graph_entries(xhal_functions_t& functions);
void add_value_entries(xhal_functions_t& functions);
void add_region_entries(xhal_functions_t& functions);
void add_managed_entries(xhal_functions_t& functions);
void add_peer_entries(xhal_functions_t& functions);
void add_native_entries(xhal_functions_t& functions);
void add_activity_entries(xhal_functions_t& functions);
void add_telemetry_entries(xhal_functions_t& functions);
void add_vmm_entries(xhal_functions_t& functions);
void add_pool_entries(xhal_functions_t& functions);
void add_ipc_entries(xhal_functions_t& functions);
void add_external_memory_entries(xhal_functions_t& functions);

// No exception crosses the table.
template <class Body>
xhal_result_t guarded(Body&& body) noexcept {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return kit::fail(XHAL_ERROR_OUT_OF_HOST_MEMORY,
                     "the process has no memory left for the simulator's own objects");
  } catch (const std::exception& error) {
    return kit::fail(XHAL_ERROR_INTERNAL, "the simulator met an unexpected exception: %s", error.what());
  }
}

inline Instance& instance_of(xhal_driver_t handle) { return *kit::object_of<Instance>(handle); }
inline Device& device_of(xhal_device_t handle) { return *kit::object_of<Device>(handle); }
inline Stream& stream_of(xhal_stream_t handle) { return *kit::object_of<Stream>(handle); }
inline DeviceEvent& event_of(xhal_event_t handle) { return *kit::object_of<DeviceEvent>(handle); }
inline Module& module_of(xhal_module_t handle) { return *kit::object_of<Module>(handle); }
inline Graph& graph_of(xhal_graph_t handle) { return *kit::object_of<Graph>(handle); }
inline GraphExec& exec_of(xhal_graph_exec_t handle) { return *kit::object_of<GraphExec>(handle); }
inline Kernel& kernel_of(xhal_kernel_t handle) { return *kit::object_of<Kernel>(handle); }
inline Device& device_of(const Stream& stream) { return static_cast<Device&>(stream.host()); }

// SUCCESS, or CALL_FORBIDDEN when the calling thread runs a host function.
inline xhal_result_t outside_host_function() {
  if (!kit::in_host_function()) return XHAL_SUCCESS;
  return kit::fail(XHAL_ERROR_CALL_FORBIDDEN,
                   "a host function may only ask; leave what submits, waits, makes or destroys to the thread "
                   "that waits for it");
}

using kit::check_out;
using kit::enumerate;
using kit::read;
using kit::read_optional;
using kit::refuse_null;
using kit::refuse_reserved;

// Gives a stream's refusal its text.
xhal_result_t tell_refusal(const Stream& stream, xhal_result_t result);
inline xhal_result_t told(const Stream& stream, xhal_result_t result) {
  return result >= 0 ? result : tell_refusal(stream, result);
}

// SUCCESS for what the device claims; first of all in the calls of a feature. [XHAL-ABI-12]
inline xhal_result_t check_claimed(const Device& device, uint32_t feature, const char* name) {
  if (claims(device, feature)) return XHAL_SUCCESS;
  return kit::fail(XHAL_ERROR_UNSUPPORTED, "the device does not claim %s", name);
}

// SUCCESS while the device is there. Waits ask when they are over: who is told of the loss finds nothing running.
inline xhal_result_t check_present(const Device& device) {
  const Fault* loss = device.lost();
  return loss == nullptr ? XHAL_SUCCESS : kit::fail(loss->code, "%s", loss->text.c_str());
}

// Before something is made of or for a device, work included: the thread may, and the device is there and active.
inline xhal_result_t make_ready(Device& device) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  if (const xhal_result_t result = check_present(device); result < 0) return result;
  return device.activate();
}

// CAPTURE_UNSUPPORTED where a capture forbids what could disturb it: allocation, free, waiting for a device. [XHAL-GRAPH-7]
inline xhal_result_t check_no_capture_forbids(const Device& device, const char* call) {
  return device.instance.captures.check_unsafe_call(call);
}

// Of records and waits: EXTERNAL alone, and in a capture alone.
inline xhal_result_t check_event_flags(const Stream& stream, uint32_t flags) {
  return flags == 0 ? XHAL_SUCCESS : kit::check_event_flags(flags, stream.capture() != nullptr);
}

// CAPTURE_UNSUPPORTED, and the capture is invalid, when the stream captures. [XHAL-GRAPH-5]
xhal_result_t refuse_captured(const Stream& stream);
xhal_result_t refuse_captured(const Event& event);
inline xhal_result_t check_not_captured(const Stream& stream) {
  return stream.may_capture() ? refuse_captured(stream) : XHAL_SUCCESS;
}
inline xhal_result_t check_not_captured(const Event& event) {
  return event.may_be_marked() ? refuse_captured(event) : XHAL_SUCCESS;
}

inline xhal_result_t may_submit(const Stream& stream) { return make_ready(device_of(stream)); }

// SUCCESS while the object is of the device's present epoch.
inline xhal_result_t check_epoch(const Device& device, uint32_t epoch, const char* what) {
  if (device.epoch() == epoch) return XHAL_SUCCESS;
  return kit::fail(XHAL_ERROR_INVALID_HANDLE,
                   "the %s was made before its device was reset and can only be destroyed", what);
}

}  // namespace xhal::sim
