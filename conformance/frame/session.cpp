// SPDX-License-Identifier: Apache-2.0
#include "frame/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "frame/kernel_pack.h"
#include "frame/trail.h"

namespace xhal::conformance {

namespace {

// A driver that tells more devices than this tells garbage.
constexpr uint32_t kMostDevices = 65536;

[[noreturn]] void fail(const char* what, xhal_result_t result, bool created) {
  xhal_error_t error{};
  error.struct_size = sizeof(error);
  std::string text = fmt::format("{}: {}", what, result_name(result));
  if (result < 0 && xhal_error_get_last(&error) == XHAL_SUCCESS && error.code == result)
    text += std::string(": ") + error.text;
  throw SessionError(result, created, text);
}

// Of a call to the opened driver.
void need(const char* what, xhal_result_t result) {
  if (result != XHAL_SUCCESS) fail(what, result, true);
}

}  // namespace

std::string result_name(xhal_result_t result) {
  std::string name = xhal_result_name(result);
  if (name == "XHAL_UNKNOWN_RESULT") name += fmt::format(" ({})", result);
  return name;
}

bool claims(const xhal_device_properties_t& properties, uint32_t feature) {
  if (feature >= XHAL_FEATURE_WORDS * 64) return false;
  return ((properties.features[feature / 64] >> (feature % 64)) & 1u) != 0;
}

std::string uuid_text(const uint8_t (&uuid)[16]) {
  std::string out;
  for (size_t i = 0; i < 16; ++i)
    out += fmt::format("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
  return out;
}

Session::Session(const Target& target) : target_(target) {
  xhal_instance_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.abi_minor = XHAL_ABI_MINOR;
  const char* const path = target_.driver_path.c_str();
  if (target_.driver_path.empty()) {
    desc.drivers = target_.backend.c_str();
  } else {
    desc.driver_paths = &path;
    desc.driver_path_count = 1;
    desc.drivers = "";
  }
  note_call("xhal_instance_create(&desc, &instance)");
  const xhal_result_t created = xhal_instance_create(&desc, &instance_);
  if (created != XHAL_SUCCESS) fail("xhal_instance_create", created, false);
  try {
    enumerate();
  } catch (...) {
    xhal_instance_destroy(instance_);
    throw;
  }
}

void Session::enumerate() {
  uint32_t count = 0;
  note_call("xhal_instance_get_drivers(instance, 1, &driver, &count)");
  need("xhal_instance_get_drivers", xhal_instance_get_drivers(instance_, 1, &driver_, &count));
  driver_properties_.struct_size = sizeof(driver_properties_);
  note_call("xhal_driver_get_properties(driver, &properties)");
  need("xhal_driver_get_properties", xhal_driver_get_properties(driver_, &driver_properties_));
  note_call("xhal_driver_get_devices(driver, 0, nullptr, &count)");
  need("xhal_driver_get_devices", xhal_driver_get_devices(driver_, 0, nullptr, &count));
  if (count > kMostDevices) {
    throw SessionError(XHAL_ERROR_INTERNAL, true,
                       fmt::format("xhal_driver_get_devices: tells {} devices", count));
  }
  devices_.resize(count);
  note_call("xhal_driver_get_devices(driver, count, devices, &count)");
  if (count > 0)
    need("xhal_driver_get_devices", xhal_driver_get_devices(driver_, count, devices_.data(), &count));
  devices_.resize(std::min<size_t>(devices_.size(), count));
  // The device under test comes first; an index that is out of range is answered by whoever has the list (device_count).
  if (target_.device_index < devices_.size()) {
    const auto begin = devices_.begin();
    std::rotate(begin, begin + target_.device_index, begin + target_.device_index + 1);
  }
  for (const xhal_device_t device : devices_) {
    xhal_device_properties_t properties{};
    properties.struct_size = sizeof(properties);
    note_call("xhal_device_get_properties(device, &properties)");
    need("xhal_device_get_properties", xhal_device_get_properties(device, &properties));
    properties_.push_back(properties);
  }
  packs_.resize(devices_.size());
  pack_errors_.resize(devices_.size());
}

Session::~Session() { close(); }

xhal_result_t Session::close() {
  if (instance_ == nullptr) return XHAL_SUCCESS;
  packs_.clear();
  note_call("xhal_instance_destroy(instance)");
  return xhal_instance_destroy(std::exchange(instance_, nullptr));
}

bool Session::claims(uint32_t feature, size_t i) const { return conformance::claims(properties(i), feature); }

std::vector<xhal_image_format_t> Session::image_formats(size_t i) const {
  uint32_t count = 0;
  note_call("xhal_device_get_image_formats(device, 0, 0, nullptr, &count)");
  if (xhal_device_get_image_formats(device(i), 0, sizeof(xhal_image_format_t), nullptr, &count) < 0 ||
      count > 4096)
    return {};
  std::vector<xhal_image_format_t> formats(count);
  for (auto& format : formats) format.struct_size = sizeof(xhal_image_format_t);
  note_call("xhal_device_get_image_formats(device, count, sizeof(xhal_image_format_t), formats, &count)");
  if (count > 0 && xhal_device_get_image_formats(device(i), count, sizeof(xhal_image_format_t),
                                                 formats.data(), &count) != XHAL_SUCCESS) {
    return {};
  }
  formats.resize(std::min<size_t>(formats.size(), count));
  return formats;
}

KernelPack* Session::kernels(size_t i, std::string* why) {
  std::string passing;
  if (packs_.at(i) == nullptr && pack_errors_.at(i).empty()) {
    try {
      packs_[i] = std::make_unique<KernelPack>(*this, i, target_.kernel_directory, target_.kernel_key);
    } catch (const DeviceIsFull& error) {
      passing = error.what();
    } catch (const std::exception& error) {
      pack_errors_[i] = error.what();
    }
  }
  if (why != nullptr) *why = passing.empty() ? pack_errors_[i] : passing;
  return packs_[i].get();
}

void Session::forget_kernels(size_t i) { packs_.at(i).reset(); }

}  // namespace xhal::conformance
