// SPDX-License-Identifier: Apache-2.0
#include "runtime/driver.hpp"

#include <c10/core/DeviceType.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <utility>

#include "runtime/check.hpp"

namespace torch_xhal {
namespace {

thread_local c10::DeviceIndex this_thread_device = 0;

std::vector<Device> devices_of(xhal_driver_t handle) {
  uint32_t count = 0;
  if (xhal_driver_get_devices(handle, 0, nullptr, &count) != XHAL_SUCCESS || count == 0) return {};
  std::vector<xhal_device_t> handles(count);
  if (xhal_driver_get_devices(handle, count, handles.data(), &count) != XHAL_SUCCESS) return {};
  handles.resize(std::min<size_t>({handles.size(), count, kMostDevices}));
  std::vector<Device> out;
  for (xhal_device_t device : handles) {
    Device entry{device, {}};
    entry.properties.struct_size = sizeof(entry.properties);
    if (xhal_device_get_properties(device, &entry.properties) == XHAL_SUCCESS) out.push_back(entry);
  }
  return out;
}

// Hardware before processors and what stands in for it, and then who claims most.
std::pair<bool, int> rank_of(const std::vector<Device>& devices) {
  const auto& properties = devices.front().properties;
  int features = 0;
  for (const uint64_t word : properties.features) features += std::popcount(word);
  return {properties.kind != XHAL_DEVICE_KIND_CPU && properties.emulated == 0, features};
}

Driver open_driver() {
  Driver out;
  xhal_instance_desc_t desc = {};
  desc.struct_size = sizeof(desc);
  desc.abi_minor = XHAL_ABI_MINOR;
  const xhal_result_t result = xhal_instance_create(&desc, &out.instance);
  if (result != XHAL_SUCCESS) {
    out.why_none = text_of(result, "xhal_instance_create");
    return out;
  }
  uint32_t count = 0;
  xhal_instance_get_drivers(out.instance, 0, nullptr, &count);
  std::vector<xhal_driver_t> handles(count);
  xhal_instance_get_drivers(out.instance, count, handles.data(), &count);
  handles.resize(std::min<size_t>(handles.size(), count));
  // Whoever names drivers has ordered them.
  const bool is_ordered = std::getenv("XHAL_DRIVERS") != nullptr;
  for (xhal_driver_t handle : handles) {
    std::vector<Device> devices = devices_of(handle);
    if (devices.empty()) continue;
    const bool is_better = out.devices.empty() || (!is_ordered && rank_of(devices) > rank_of(out.devices));
    if (!is_better) continue;
    out.handle = handle;
    out.devices = std::move(devices);
  }
  if (out.devices.empty())
    out.why_none = count == 0 ? "no driver was found; `xhal-info --why` tells where was looked"
                              : "the drivers found have no device";
  return out;
}

}  // namespace

const Driver& driver() noexcept {
  // Never destroyed: guards, events and memory are let go as late as in static destructors.
  static const Driver* const opened = [] {
    try {
      return new Driver(open_driver());
    } catch (...) {
      return new Driver();
    }
  }();
  return *opened;
}

c10::DeviceIndex device_count() noexcept { return static_cast<c10::DeviceIndex>(driver().devices.size()); }

const Device& device_at(c10::DeviceIndex index) {
  const Driver& opened = driver();
  TORCH_CHECK(!opened.devices.empty(), "No ", device_title(), " devices are available: ", opened.why_none);
  TORCH_CHECK(index >= 0 && static_cast<size_t>(index) < opened.devices.size(), device_title(),
              " error: invalid device ordinal: ", static_cast<int>(index), "; there are ",
              opened.devices.size(), " devices");
  return opened.devices[static_cast<size_t>(index)];
}

c10::DeviceIndex checked_index(c10::DeviceIndex index) {
  if (index == -1) index = current_device();
  device_at(index);
  return index;
}

bool has_feature(const Device& device, uint32_t feature) {
  return (device.properties.features[feature / 64] >> (feature % 64) & 1) != 0;
}

bool is_active(c10::DeviceIndex index) noexcept {
  const auto& devices = driver().devices;
  if (index < 0 || static_cast<size_t>(index) >= devices.size()) return false;
  uint32_t active = 0;
  return xhal_device_is_active(devices[static_cast<size_t>(index)].handle, &active) == XHAL_SUCCESS &&
         active != 0;
}

bool is_in_bad_fork() noexcept {
  const auto& devices = driver().devices;
  uint32_t active = 0;
  return !devices.empty() && xhal_device_is_active(devices.front().handle, &active) == XHAL_ERROR_FORKED;
}

c10::DeviceIndex current_device() noexcept { return this_thread_device; }
void set_current_device(c10::DeviceIndex index) {
  device_at(index);
  this_thread_device = index;
}
void set_current_device_unchecked(c10::DeviceIndex index) noexcept {
  if (index >= 0 && index < device_count()) this_thread_device = index;
}

std::string device_title() { return c10::DeviceTypeName(kDevice, /*lower_case=*/false); }

}  // namespace torch_xhal
