// SPDX-License-Identifier: Apache-2.0
// An instance with the one driver that is judged, and its devices. Opening it makes no device active.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "xhal/xhal.h"

namespace xhal::conformance {

class KernelPack;

// Who is judged, as the user named it.
struct Target {
  std::string backend;      // a driver's name, or
  std::string driver_path;  // a manifest or library
  uint32_t device_index = 0;
  std::string kernel_directory;  // holds the kernel pack's manifest.json
  std::string kernel_key;        // the pack's kernels get names that are made of this; "": they keep theirs
  // Set in each process that loads the driver, before it does: layers over it and their options.
  std::vector<std::pair<std::string, std::string>> environment;
};

// "XHAL_NOT_READY", also for values that libxhal does not know ("XHAL_UNKNOWN_RESULT (-77)").
std::string result_name(xhal_result_t result);

// A session could not be opened; what() is one line.
class SessionError : public std::runtime_error {
 public:
  SessionError(xhal_result_t code, bool created, const std::string& text)
      : std::runtime_error(text), code_(code), created_(created) {}
  [[nodiscard]] xhal_result_t code() const { return code_; }
  // Whether the driver had opened, so that a call behind xhal_instance_create failed.
  [[nodiscard]] bool created() const { return created_; }

 private:
  xhal_result_t code_;
  bool created_;
};

class Session {
 public:
  explicit Session(const Target& target);  // throws SessionError
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Destroys the instance now; its handles are dead afterwards. Once only.
  xhal_result_t close();

  [[nodiscard]] const Target& target() const { return target_; }
  [[nodiscard]] xhal_instance_t instance() const { return instance_; }
  [[nodiscard]] xhal_driver_t driver() const { return driver_; }
  [[nodiscard]] const xhal_driver_properties_t& driver_properties() const { return driver_properties_; }

  // 0 is the device under test, then the driver's others in their order.
  [[nodiscard]] size_t device_count() const { return devices_.size(); }
  [[nodiscard]] xhal_device_t device(size_t i = 0) const { return devices_.at(i); }
  [[nodiscard]] const xhal_device_properties_t& properties(size_t i = 0) const { return properties_.at(i); }
  // By the mask in the properties.
  [[nodiscard]] bool claims(uint32_t feature, size_t i = 0) const;
  [[nodiscard]] std::vector<xhal_image_format_t> image_formats(size_t i = 0) const;

  // The kernel pack on device i, loaded at the first call, or the first for which the device has memory; null when there is none, and why
  // tells the reason.
  KernelPack* kernels(size_t i, std::string* why = nullptr);
  // The next call loads the pack anew: a reset of the device has ended what is loaded.
  void forget_kernels(size_t i);

 private:
  void enumerate();

  const Target target_;
  xhal_instance_t instance_ = nullptr;
  xhal_driver_t driver_ = nullptr;
  xhal_driver_properties_t driver_properties_{};
  std::vector<xhal_device_t> devices_;
  std::vector<xhal_device_properties_t> properties_;
  std::vector<std::unique_ptr<KernelPack>> packs_;
  std::vector<std::string> pack_errors_;
};

bool claims(const xhal_device_properties_t& properties, uint32_t feature);
std::string uuid_text(const uint8_t (&uuid)[16]);
// Text of a fixed array that a driver may have forgotten to end.
template <size_t N>
std::string bounded_text(const char (&text)[N]) {
  size_t length = 0;
  while (length < N && text[length] != 0) ++length;
  return std::string(text, length);
}

}  // namespace xhal::conformance
