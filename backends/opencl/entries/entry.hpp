// SPDX-License-Identifier: Apache-2.0
// What the functions behind the table share.
#pragma once

#include <exception>
#include <new>
#include <utility>

#include "device/device.hpp"
#include "kernels/kernel.hpp"
#include "xhal/kit/capture.hpp"
#include "xhal/kit/driver.hpp"
#include "xhal/kit/entry.hpp"
#include "xhal/kit/handles.hpp"
#include "xhal/kit/structs.hpp"

namespace xhal::opencl {

// Each object's functions put themselves into the table.
void add_driver_entries(xhal_functions_t& functions);
void add_device_entries(xhal_functions_t& functions);
void add_stream_entries(xhal_functions_t& functions);
void add_event_entries(xhal_functions_t& functions);
void add_memory_entries(xhal_functions_t& functions);
void add_kernel_entries(xhal_functions_t& functions);
void add_graph_entries(xhal_functions_t& functions);

// No exception crosses the table.
template <class Body>
xhal_result_t guarded(Body&& body) noexcept {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return kit::fail(XHAL_ERROR_OUT_OF_HOST_MEMORY,
                     "the process has no memory left for the driver's objects");
  } catch (const std::exception& error) {
    return kit::fail(XHAL_ERROR_INTERNAL, "the OpenCL driver met an unexpected exception: %s", error.what());
  }
}

inline Instance& instance_of(xhal_driver_t handle) { return *kit::object_of<Instance>(handle); }
inline Device& device_of(xhal_device_t handle) { return *kit::object_of<Device>(handle); }
inline Stream& stream_of(xhal_stream_t handle) { return *kit::object_of<Stream>(handle); }
inline Event& event_of(xhal_event_t handle) { return *kit::object_of<Event>(handle); }
inline Module& module_of(xhal_module_t handle) { return *kit::object_of<Module>(handle); }
inline Graph& graph_of(xhal_graph_t handle) { return *kit::object_of<Graph>(handle); }
inline GraphExec& exec_of(xhal_graph_exec_t handle) { return *kit::object_of<GraphExec>(handle); }
inline Kernel& kernel_of(xhal_kernel_t handle) { return *kit::object_of<Kernel>(handle); }

using kit::check_out;
using kit::enumerate;
using kit::read;
using kit::read_optional;
using kit::refuse_null;
using kit::refuse_reserved;

}  // namespace xhal::opencl
