// SPDX-License-Identifier: Apache-2.0
// The calls on an instance that libxhal answers itself; creating one is in instance_create.cpp.
#include "instance.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "host_call.hpp"
#include "open_driver.hpp"
#include "registry.hpp"
#include "xhal/kit/structs.hpp"
#include "xhal/xhal.h"

namespace xhal::host {
namespace {

InstanceSlot* slot_of(xhal_instance_t handle) { return reinterpret_cast<InstanceSlot*>(handle); }

const xhal_handle_header_t* header_of(xhal_instance_t handle) {
  return reinterpret_cast<const xhal_handle_header_t*>(handle);
}

// [XHAL-INSTANCE-5]
template <class T>
xhal_result_t tell(const std::vector<T>& all, uint32_t capacity, T* out_array, uint32_t* out_count) {
  if (out_count == nullptr) return fail(XHAL_ERROR_INVALID_ARGUMENT, "out_count is null");
  if (out_array == nullptr && capacity != 0) {
    return fail(XHAL_ERROR_INVALID_ARGUMENT, "the array is null and its capacity is %u", capacity);
  }
  const auto count = static_cast<uint32_t>(all.size());
  *out_count = count;
  if (out_array == nullptr) return XHAL_SUCCESS;
  std::copy_n(all.begin(), std::min(capacity, count), out_array);
  return capacity < count ? XHAL_INCOMPLETE : XHAL_SUCCESS;
}

xhal_result_t forbidden() {
  return fail(XHAL_ERROR_CALL_FORBIDDEN, "an instance cannot be destroyed inside one of its host functions");
}

xhal_result_t destroy(xhal_instance_t handle) {
  if (const xhal_result_t checked = check_handle(header_of(handle), XHAL_TYPE_instance);
      checked != XHAL_SUCCESS) {
    return checked;
  }
  Registry& registry = Registry::get();
  InstanceSlot* slot = slot_of(handle);
  // Asked before anything changes, so that a refused destroy is not felt by other threads, nor by other drivers.
  for (const HostFunctionCheck is_inside : registry.host_function_checks(slot)) {
    if (is_inside() != 0) return forbidden();
  }
  if (!registry.begin_end(slot)) {
    return fail(XHAL_ERROR_INVALID_HANDLE, "the instance is being destroyed by another thread");
  }
  Instance* instance = slot->instance();
  if (!instance->close_those_that_may_refuse()) {
    registry.cancel_end(slot);
    return forbidden();
  }
  registry.retire(slot);
  instance->close();
  registry.give_back(slot);
  delete instance;
  return XHAL_SUCCESS;
}

xhal_result_t get_pointer_attributes(xhal_instance_t handle, const void* pointer,
                                     xhal_pointer_attributes_t* out_attributes, xhal_device_t* out_device) {
  if (const xhal_result_t checked = check_handle(header_of(handle), XHAL_TYPE_instance);
      checked != XHAL_SUCCESS) {
    return checked;
  }
  if (const xhal_result_t checked = kit::check_out_struct(out_attributes); checked != XHAL_SUCCESS) {
    return fail(checked, "out_attributes is null, or its struct_size is below the first published size");
  }
  xhal_pointer_attributes_t told{};
  xhal_device_t device = nullptr;
  for (const auto& driver : slot_of(handle)->instance()->drivers) {
    if (pointer == nullptr) break;
    xhal_pointer_attributes_t answer{};
    answer.struct_size = sizeof(answer);
    const xhal_result_t result =
        driver->outermost.driver_get_pointer_attributes(driver->handle, pointer, &answer);
    if (result < 0) {
      // Another driver may still know it: one that cannot answer does not own it, as far as anybody can tell.
      take_report(result);
      continue;
    }
    if (answer.kind == XHAL_MEMORY_UNMANAGED) continue;
    told = answer;
    if (answer.device_index < driver->devices.size()) device = driver->devices[answer.device_index];
    break;
  }
  kit::write_struct(told, out_attributes);
  if (out_device != nullptr) *out_device = device;
  return XHAL_SUCCESS;
}

}  // namespace

// In two rounds instead of a sorted list: the end of an instance needs no memory.
bool Instance::close_those_that_may_refuse() {
  bool is_first = true;
  for (const bool active : {true, false}) {
    for (auto driver = drivers.rbegin(); driver != drivers.rend(); ++driver) {
      OpenDriver& candidate = **driver;
      if (candidate.is_inside_host_function != nullptr || candidate.handle == nullptr) continue;
      if (candidate.block->context.activated.load(std::memory_order_acquire) != active) continue;
      const bool refused = close_handle(candidate, log) == XHAL_ERROR_CALL_FORBIDDEN;
      if (refused && is_first) return false;
      is_first = false;
    }
  }
  return true;
}

void Instance::close() {
  while (!drivers.empty()) {
    close_driver(std::move(drivers.back()), log);
    drivers.pop_back();
  }
}

void Instance::gather() {
  driver_handles.clear();
  devices.clear();
  for (const auto& driver : drivers) {
    driver_handles.push_back(driver->handle);
    devices.insert(devices.end(), driver->devices.begin(), driver->devices.end());
  }
}

}  // namespace xhal::host

extern "C" {

using namespace xhal::host;

xhal_result_t xhal_instance_destroy(xhal_instance_t instance) {
  return host_call(kEntry_instance_destroy, [&] { return destroy(instance); });
}

xhal_result_t xhal_instance_get_drivers(xhal_instance_t instance, uint32_t capacity,
                                        xhal_driver_t* out_drivers, uint32_t* out_count) {
  return host_call(kEntry_instance_get_drivers, [&] {
    const xhal_result_t checked = check_handle(header_of(instance), XHAL_TYPE_instance);
    if (checked != XHAL_SUCCESS) return checked;
    return tell(slot_of(instance)->instance()->driver_handles, capacity, out_drivers, out_count);
  });
}

xhal_result_t xhal_instance_get_devices(xhal_instance_t instance, uint32_t capacity,
                                        xhal_device_t* out_devices, uint32_t* out_count) {
  return host_call(kEntry_instance_get_devices, [&] {
    const xhal_result_t checked = check_handle(header_of(instance), XHAL_TYPE_instance);
    if (checked != XHAL_SUCCESS) return checked;
    return tell(slot_of(instance)->instance()->devices, capacity, out_devices, out_count);
  });
}

xhal_result_t xhal_instance_get_pointer_attributes(xhal_instance_t instance, const void* pointer,
                                                   xhal_pointer_attributes_t* out_attributes,
                                                   xhal_device_t* out_device) {
  return host_call(kEntry_instance_get_pointer_attributes,
                   [&] { return get_pointer_attributes(instance, pointer, out_attributes, out_device); });
}
}
