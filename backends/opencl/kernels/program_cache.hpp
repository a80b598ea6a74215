// SPDX-License-Identifier: Apache-2.0
// Programs that were built once, on disk: a driver without a cache of its own takes seconds for what is ready in milliseconds.
//
// An entry says what it was made of, whole, and is believed only when all of that and its checksum are right; any other is made again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xhal::opencl {

struct DeviceFacts;

class ProgramCache {
 public:
  // A folder that is made when something is written; "": nothing is kept.
  explicit ProgramCache(std::string folder) : folder_(std::move(folder)) {}

  // Where the user's caches are; "" where there is no such place, or the process has more rights than its user.
  static std::string default_folder();
  // What tells two programs apart: the device with its driver, format and options, and the image.
  static std::string key_of(const DeviceFacts& device, std::string_view format, std::string_view options,
                            std::string_view image);

  [[nodiscard]] bool is_on() const { return !folder_.empty(); }
  [[nodiscard]] std::vector<unsigned char> find(const std::string& key) const;  // empty: there is none
  // Another process may write the same at the same time. What cannot be written is not kept.
  void keep(const std::string& key, const std::vector<unsigned char>& binary) const noexcept;

 private:
  [[nodiscard]] std::string path_of(const std::string& key) const;

  std::string folder_;
};

}  // namespace xhal::opencl
