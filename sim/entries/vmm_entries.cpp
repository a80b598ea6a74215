// SPDX-License-Identifier: Apache-2.0
// Virtual memory: reserved ranges, physical memory, mappings and access.
#include <string>

#include "entries/entry.hpp"

namespace xhal::sim {
namespace {

Physical& physical_of(xhal_physical_t handle) { return *kit::object_of<Physical>(handle); }

xhal_result_t told(xhal_result_t result, const std::string& why) {
  return result < 0 ? kit::fail(result, "%s", why.c_str()) : result;
}

xhal_result_t may_call(const Device& device) {
  if (const xhal_result_t result = check_claimed(device, XHAL_FEATURE_VMM, "vmm"); result < 0) return result;
  return outside_host_function();
}

// Runs body(virtual memory, why) for a call that makes or gives access to something.
template <class Body>
xhal_result_t make(Device& device, Body&& body) {
  return guarded([&]() -> xhal_result_t {
    if (const xhal_result_t result = make_ready(device); result < 0) return result;
    std::string why;
    xhal_result_t result = device.instance.memory.prepare(why);
    if (result >= 0) result = body(device.instance.memory.virtual_memory(), why);
    return told(result, why);
  });
}

// The same for one that takes something away, which a lost device allows.
template <class Body>
xhal_result_t unmake(Device& device, Body&& body) {
  return guarded([&] {
    std::string why;
    const xhal_result_t result = body(device.instance.memory.virtual_memory(), why);
    return told(result, why);
  });
}

xhal_result_t get_granularity(xhal_device_t device, xhal_vmm_granularity_t* out) {
  if (const xhal_result_t result = check_claimed(device_of(device), XHAL_FEATURE_VMM, "vmm"); result < 0)
    return result;
  if (const xhal_result_t result = check_out("out_granularity", out); result < 0) return result;
  xhal_vmm_granularity_t granularity = {};
  granularity.minimum = VirtualMemory::kMinimum;
  granularity.recommended = VirtualMemory::kRecommended;
  kit::write_struct(granularity, out);
  return XHAL_SUCCESS;
}

// The hint is not followed: places are the window's to choose. [XHAL-VMM-9]
xhal_result_t reserve(xhal_device_t device, uint64_t size, uint64_t alignment, void*, void** out_pointer) {
  Device& d = device_of(device);
  if (const xhal_result_t result = may_call(d); result < 0) return result;
  if (out_pointer == nullptr) return refuse_null("out_pointer");
  return make(d, [&](VirtualMemory& memory, std::string& why) {
    return memory.reserve(d.index, d.epoch(), size, alignment, kit::services().next_id(), out_pointer, why);
  });
}

xhal_result_t release(xhal_device_t device, void* pointer, uint64_t size) {
  Device& d = device_of(device);
  if (const xhal_result_t result = may_call(d); result < 0) return result;
  return unmake(d, [&](VirtualMemory& memory, std::string& why) {
    return memory.release(d.index, pointer, size, why);
  });
}

xhal_result_t physical_create(xhal_device_t device, uint64_t size, uint32_t flags,
                              xhal_physical_t* out_physical) {
  Device& d = device_of(device);
  if (const xhal_result_t result = may_call(d); result < 0) return result;
  if (out_physical == nullptr) return refuse_null("out_physical");
  if (flags != 0) return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "flags is 0x%x, no flag is defined", flags);
  return make(d, [&](VirtualMemory& memory, std::string& why) {
    return memory.create(&d, d.index, d.epoch(), size, out_physical, why);
  });
}

xhal_result_t physical_destroy(xhal_physical_t physical) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  return guarded([&] {
    Physical& memory = physical_of(physical);
    memory.owner->instance.memory.virtual_memory().destroy(memory);
    return XHAL_SUCCESS;
  });
}

xhal_result_t map(xhal_device_t device, void* pointer, uint64_t size, xhal_physical_t physical,
                  uint64_t offset) {
  Device& d = device_of(device);
  if (const xhal_result_t result = may_call(d); result < 0) return result;
  Physical& mapped = physical_of(physical);
  if (const xhal_result_t result = check_epoch(*mapped.owner, mapped.epoch, "physical memory"); result < 0)
    return result;
  return make(d, [&](VirtualMemory& memory, std::string& why) {
    return memory.map(d.index, d.epoch(), pointer, size, mapped, offset, kit::services().next_id(), why);
  });
}

xhal_result_t unmap(xhal_device_t device, void* pointer, uint64_t size) {
  Device& d = device_of(device);
  if (const xhal_result_t result = may_call(d); result < 0) return result;
  return unmake(
      d, [&](VirtualMemory& memory, std::string& why) { return memory.unmap(d.index, pointer, size, why); });
}

xhal_result_t set_access(xhal_device_t device, void* pointer, uint64_t size, xhal_device_t accessor,
                         uint32_t access) {
  Device& d = device_of(device);
  if (const xhal_result_t result = may_call(d); result < 0) return result;
  return make(d, [&](VirtualMemory& memory, std::string& why) {
    return memory.set_access(d.index, d.epoch(), pointer, size, device_of(accessor).index, access, why);
  });
}

}  // namespace

void add_vmm_entries(xhal_functions_t& functions) {
  functions.vmm_get_granularity = get_granularity;
  functions.vmm_reserve = reserve;
  functions.vmm_release = release;
  functions.physical_create = physical_create;
  functions.physical_destroy = physical_destroy;
  functions.vmm_map = map;
  functions.vmm_unmap = unmap;
  functions.vmm_set_access = set_access;
}

}  // namespace xhal::sim
