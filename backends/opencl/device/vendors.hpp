// SPDX-License-Identifier: Apache-2.0
// The platforms that OpenCL's loader loads, by their .icd files: to find the one that crashes, and to load the others without it.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/calls.hpp"

namespace xhal::opencl {

// The .icd files that the loader reads in this environment, sorted by name. None where it is told a library instead.
std::vector<std::filesystem::path> vendor_entries();

// Where it looks, for a text: "OCL_ICD_VENDORS=/some/folder" or "/etc/OpenCL/vendors".
std::string vendor_source();

// A temporary folder of links to some of them: every loader reads a folder, a list of files not all do. Made empty it stands for what
// the loader reads by itself.
class VendorFolder {
 public:
  VendorFolder() = default;
  explicit VendorFolder(std::span<const std::filesystem::path> entries);
  VendorFolder(VendorFolder&& other) noexcept;
  VendorFolder& operator=(VendorFolder&& other) noexcept;
  ~VendorFolder();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Loads the loader's calls and lets it read its platforms, which it does once. With a folder the process's environment names it
// for that moment, since the loader has no other way to be told.
const Calls* load_calls(const std::string& loader, const VendorFolder& folder, std::string& why);

}  // namespace xhal::opencl
