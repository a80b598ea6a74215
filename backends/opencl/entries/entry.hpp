// SPDX-License-Identifier: Apache-2.0
// What the functions behind the table share.
#pragma once

#include <exception>
#include <new>
#include <utility>

#include "device/device.hpp"
#include "kernels/kernel.hpp"
#include "xhal/kit/driver.hpp"
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
inline Kernel& kernel_of(xhal_kernel_t handle) { return *kit::object_of<Kernel>(handle); }

inline xhal_result_t refuse_null(const char* name) {
  return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "%s is null", name);
}

template <class T>
xhal_result_t refuse_struct(xhal_result_t code, const char* name, const T* given) {
  if (given == nullptr) return refuse_null(name);
  if (code == XHAL_ERROR_UNKNOWN_FIELD) {
    return kit::fail(code, "%s sets fields behind byte %zu, which this version does not know", name,
                     sizeof(T));
  }
  return kit::fail(code, "%s->struct_size is %u, it must be at least %u; set it to sizeof(*%s)", name,
                   given->struct_size, kit::kFirstSize<T>, name);
}

// Reads a required in-struct, and an optional one; checks an out-struct. With a text when they refuse.
template <class T>
xhal_result_t read(const char* name, const T* given, T& out) {
  const xhal_result_t result = kit::read_struct(given, out);
  return result < 0 ? refuse_struct(result, name, given) : result;
}
template <class T>
xhal_result_t read_optional(const char* name, const T* given, T& out) {
  const xhal_result_t result = kit::read_optional_struct(given, out);
  return result < 0 ? refuse_struct(result, name, given) : result;
}
template <class T>
xhal_result_t check_out(const char* name, const T* given) {
  const xhal_result_t result = kit::check_out_struct(given);
  return result < 0 ? refuse_struct(result, name, given) : result;
}

// Enumerations: fills what fits and tells the whole count. [XHAL-INSTANCE-5]
template <class Out, class Fill>
xhal_result_t enumerate(uint32_t capacity, Out* array, uint32_t* out_count, uint32_t count, Fill&& fill) {
  if (out_count == nullptr) return refuse_null("out_count");
  if (array == nullptr && capacity != 0) return refuse_null("the array");
  for (uint32_t i = 0; i < capacity && i < count; ++i) fill(i);
  *out_count = count;
  return array != nullptr && capacity < count ? XHAL_INCOMPLETE : XHAL_SUCCESS;
}

}  // namespace xhal::opencl
