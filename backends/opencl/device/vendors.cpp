// SPDX-License-Identifier: Apache-2.0
#include "device/vendors.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace xhal::opencl {
namespace {

namespace fs = std::filesystem;

constexpr const char* kVariable = "OCL_ICD_VENDORS";
constexpr const char* kOtherVariable = "OPENCL_VENDOR_PATH";  // of one loader; the first one goes before it
constexpr const char* kSystem = "/etc/OpenCL/vendors";

const char* value_of(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

fs::path source() {
  for (const char* const variable : {kVariable, kOtherVariable})
    if (const char* const value = value_of(variable); value != nullptr) return value;
  return kSystem;
}

// While it lives, the variable has another value.
class Environment {
 public:
  explicit Environment(const std::string& value) {
    if (const char* const former = std::getenv(kVariable); former != nullptr) former_ = former;
    ::setenv(kVariable, value.c_str(), 1);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    if (former_)
      ::setenv(kVariable, former_->c_str(), 1);
    else
      ::unsetenv(kVariable);
  }

 private:
  std::optional<std::string> former_;
};

}  // namespace

std::string vendor_source() {
  for (const char* const variable : {kVariable, kOtherVariable})
    if (const char* const value = value_of(variable); value != nullptr)
      return std::string(variable) + "=" + value;
  return kSystem;
}

std::vector<fs::path> vendor_entries() {
  const fs::path from = source();
  std::vector<fs::path> out;
  std::error_code problem;
  if (fs::is_regular_file(from, problem)) return {fs::absolute(from, problem)};
  for (fs::directory_iterator it(from, problem), end; !problem && it != end; it.increment(problem))
    if (it->path().extension() == ".icd") out.push_back(fs::absolute(it->path(), problem));
  std::ranges::sort(out);
  return out;
}

VendorFolder::VendorFolder(std::span<const fs::path> entries) {
  std::string name = (fs::temp_directory_path() / "xhal-opencl-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    throw std::system_error(errno, std::generic_category(), "no temporary folder for OpenCL's platforms");
  path_ = name;
  for (const fs::path& entry : entries) fs::create_symlink(entry, path_ / entry.filename());
}

VendorFolder::VendorFolder(VendorFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}

VendorFolder& VendorFolder::operator=(VendorFolder&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

VendorFolder::~VendorFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

const Calls* load_calls(const std::string& loader, const VendorFolder& folder, std::string& why) {
  std::optional<Environment> shown;
  if (!folder.path().empty()) shown.emplace(folder.path().string());
  const Calls* const calls = load_calls(loader, why);
  cl_uint count = 0;
  if (calls != nullptr && shown) calls->clGetPlatformIDs(0, nullptr, &count);
  return calls;
}

}  // namespace xhal::opencl
