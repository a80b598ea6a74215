// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <cstring>
#include <set>
#include <string>

#include "entries/entry.hpp"

namespace xhal::opencl {
namespace {

template <size_t N>
void put(char (&field)[N], const std::string& text) {
  std::snprintf(field, N, "%s", text.c_str());
}

xhal_result_t get_properties(xhal_driver_t driver, xhal_driver_properties_t* out) {
  if (const xhal_result_t result = check_out("out_properties", out); result < 0) return result;
  return guarded([&] {
    std::set<std::string> versions;
    std::set<std::string> runtimes;
    for (const auto& device : instance_of(driver).devices) {
      versions.insert(std::string(device->facts.platform_name) + " " + device->facts.driver_version);
      runtimes.insert(device->facts.platform_version);
    }
    const auto joined = [](const std::set<std::string>& parts) {
      std::string text;
      for (const std::string& part : parts) text += (text.empty() ? "" : "; ") + part;
      return text;
    };
    xhal_driver_properties_t properties = {};
    properties.abi_minor = XHAL_ABI_MINOR;
    properties.abi_revision = XHAL_ABI_REVISION;
    put(properties.name, "opencl");
    put(properties.version, XHAL_OPENCL_VERSION);
    put(properties.vendor, "xhal");
    put(properties.native_driver_version, joined(versions));
    put(properties.native_runtime_version, joined(runtimes));
    put(properties.library_path, kit::library_path());
    put(properties.manifest_path, kit::manifest_path());
    put(properties.visible_devices_effect,
        "OpenCL has no such variable; its loader reads OCL_ICD_VENDORS, which names the folder of platforms");
    kit::write_struct(properties, out);
    return XHAL_SUCCESS;
  });
}

xhal_result_t get_devices(xhal_driver_t driver, uint32_t capacity, xhal_device_t* out, uint32_t* out_count) {
  const Instance& instance = instance_of(driver);
  return enumerate(capacity, out, out_count, static_cast<uint32_t>(instance.devices.size()),
                   [&](uint32_t i) { out[i] = instance.devices[i]->handle; });
}

xhal_result_t get_extension(xhal_driver_t, const char* name, uint32_t, const void** out) {
  if (name == nullptr || out == nullptr) return refuse_null(name == nullptr ? "name" : "out_table");
  return kit::fail(XHAL_ERROR_NOT_FOUND, "the OpenCL driver has no extension table '%.64s'", name);
}

xhal_result_t get_pointer_attributes(xhal_driver_t driver, const void* pointer,
                                     xhal_pointer_attributes_t* out) {
  if (const xhal_result_t result = check_out("out_attributes", out); result < 0) return result;
  const Instance& instance = instance_of(driver);
  const Range range = instance.memory.find(pointer);
  xhal_pointer_attributes_t attributes = {};
  attributes.kind = range.kind == 0 ? uint32_t{XHAL_MEMORY_UNMANAGED} : range.kind;
  if (range.kind == 0) {
    attributes.host_accessible = pointer != nullptr ? 1 : 0;
    attributes.host_pointer = const_cast<void*>(pointer);
  } else {
    // Fine-grained shared memory is the host's as well; of unified memory the device's own is not.
    const bool is_reachable =
        range.kind != XHAL_MEMORY_DEVICE || instance.devices[range.device]->facts.path == MemoryPath::kSvm;
    attributes.device_index = range.device;
    attributes.host_accessible = is_reachable ? 1 : 0;
    attributes.size = range.size;
    attributes.base = reinterpret_cast<void*>(range.base);
    attributes.device_pointer = const_cast<void*>(pointer);
    attributes.host_pointer = is_reachable ? const_cast<void*>(pointer) : nullptr;
    attributes.allocation_id = range.id;
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

}  // namespace xhal::opencl
