// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <cstring>

#include "device/live_instances.hpp"
#include "entries/entry.hpp"
#include "entries/native_entries.hpp"
#include "version.hpp"
#include "xhal/ext/lose_device.h"
#include "xhal/ext/native_probe.h"
#include "xhal/ext/oddness.h"

namespace xhal::sim {
namespace {

xhal_result_t get_properties(xhal_driver_t, xhal_driver_properties_t* out) {
  if (const xhal_result_t result = check_out("out_properties", out); result < 0) return result;
  xhal_driver_properties_t properties = {};
  properties.emulated = 1;
  properties.abi_minor = XHAL_ABI_MINOR;
  properties.abi_revision = XHAL_ABI_REVISION;
  std::snprintf(properties.name, sizeof(properties.name), "%s", kDriverName);
  std::snprintf(properties.version, sizeof(properties.version), "%s", kDriverVersion);
  std::snprintf(properties.vendor, sizeof(properties.vendor), "xhal");
  std::snprintf(properties.library_path, sizeof(properties.library_path), "%s", kit::library_path());
  std::snprintf(properties.manifest_path, sizeof(properties.manifest_path), "%s", kit::manifest_path());
  kit::write_struct(properties, out);
  return XHAL_SUCCESS;
}

xhal_result_t get_devices(xhal_driver_t driver, uint32_t capacity, xhal_device_t* out_devices,
                          uint32_t* out_count) {
  const Instance& instance = instance_of(driver);
  return enumerate(capacity, out_devices, out_count, static_cast<uint32_t>(instance.devices.size()),
                   [&](uint32_t i) { out_devices[i] = instance.devices[i]->handle; });
}

// Called directly, not through libxhal's checks: the handle may be anything, another driver's device too.
xhal_result_t lose(xhal_device_t device) {
  return guarded([&]() -> xhal_result_t {
    if (LiveInstances::of_process().with_device(device, [](Device& d) { d.lose(); })) return XHAL_SUCCESS;
    return kit::fail(XHAL_ERROR_INVALID_HANDLE, "device is no live device of the simulator");
  });
}

constexpr xhal_lose_device_t kLoseDevice = {sizeof(kLoseDevice), 0, lose};

uint32_t read_oddness(uint32_t capacity, const char** out_names, uint64_t* out_counts) {
  for (uint32_t i = 0; i < kOddities && i < capacity; ++i) {
    out_names[i] = kOddityNames[i].data();
    out_counts[i] = g_oddness_counts[i].load(std::memory_order_relaxed);
  }
  return kOddities;
}

constexpr xhal_oddness_t kOddness = {sizeof(kOddness), 0, read_oddness};

xhal_result_t get_extension(xhal_driver_t driver, const char* name, uint32_t version,
                            const void** out_table) {
  if (name == nullptr) return refuse_null("name");
  if (out_table == nullptr) return refuse_null("out_table");
  if (std::strcmp(name, XHAL_LOSE_DEVICE_NAME) == 0 && version == XHAL_LOSE_DEVICE_VERSION) {
    *out_table = &kLoseDevice;
    return XHAL_SUCCESS;
  }
  if (std::strcmp(name, XHAL_ODDNESS_NAME) == 0 && version == XHAL_ODDNESS_VERSION) {
    *out_table = &kOddness;
    return XHAL_SUCCESS;
  }
  if (std::strcmp(name, XHAL_NATIVE_PROBE_NAME) == 0 && version == XHAL_NATIVE_PROBE_VERSION &&
      claims(*instance_of(driver).devices.front(), XHAL_FEATURE_NATIVE_HANDLES)) {
    *out_table = native_probe();
    return XHAL_SUCCESS;
  }
  return kit::fail(XHAL_ERROR_NOT_FOUND, "the simulator has no extension '%.64s' version %u", name, version);
}

xhal_result_t get_pointer_attributes(xhal_driver_t driver, const void* pointer,
                                     xhal_pointer_attributes_t* out) {
  if (const xhal_result_t result = check_out("out_attributes", out); result < 0) return result;
  const Memory& memory = instance_of(driver).memory;
  const Allocation found = memory.find(pointer);
  xhal_pointer_attributes_t attributes = {};
  attributes.kind = found.kind;
  if (found.kind == XHAL_MEMORY_UNMANAGED) {
    attributes.host_accessible = pointer != nullptr && !memory.is_own_address(pointer) ? 1 : 0;
    attributes.host_pointer = attributes.host_accessible != 0 ? const_cast<void*>(pointer) : nullptr;
  } else {
    // Reserved addresses lead nowhere, and what is mapped there leads to the devices that access was set for.
    const bool reached = found.kind != XHAL_MEMORY_RESERVED &&
                         (!found.has(Allocation::kMapped) || (found.readers >> found.device & 1) != 0);
    attributes.device_index = found.device;
    attributes.host_accessible = found.on_host() ? 1 : 0;
    attributes.size = found.size;
    attributes.base = reinterpret_cast<void*>(found.base);
    attributes.device_pointer = reached ? const_cast<void*>(pointer) : nullptr;
    attributes.host_pointer = found.on_host() ? const_cast<void*>(pointer) : nullptr;
    attributes.allocation_id = found.id;
    attributes.is_imported = found.has(Allocation::kImported) ? 1 : 0;
  }
  kit::write_struct(attributes, out);
  return XHAL_SUCCESS;
}

}  // namespace

void add_driver_entries(xhal_functions_t& functions) {
  functions.driver_get_properties = get_properties;
  functions.driver_get_devices = get_devices;
  functions.driver_get_extension = get_extension;
  functions.driver_get_pointer_attributes = get_pointer_attributes;
}

}  // namespace xhal::sim
