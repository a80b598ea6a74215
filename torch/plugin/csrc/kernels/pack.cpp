// SPDX-License-Identifier: Apache-2.0
#include "kernels/pack.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/check.hpp"

namespace torch_xhal {
namespace {

namespace fs = std::filesystem;

// TORCH_XHAL_KERNELS, or share/xhal/kernels/operators of the installation that libxhal is of.
fs::path folder_of_packs() {
  if (const char* named = std::getenv("TORCH_XHAL_KERNELS")) return named;
  Dl_info of_libxhal = {};
  TORCH_CHECK(dladdr(reinterpret_cast<const void*>(&xhal_instance_create), &of_libxhal) != 0,
              "libxhal has no file to find its kernels by");
  std::error_code error;
  fs::path above = fs::canonical(of_libxhal.dli_fname, error).parent_path();
  // lib/, or lib/<architecture>/.
  for (int level = 0; level < 2; ++level) {
    above = above.parent_path();
    const fs::path folder = above / "share/xhal/kernels/operators";
    if (fs::is_directory(folder, error)) return folder;
  }
  TORCH_CHECK(false, "no kernels of operators are installed beside ", of_libxhal.dli_fname,
              "; TORCH_XHAL_KERNELS names their folder");
}

std::vector<char> bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  TORCH_CHECK(in, "cannot read ", file.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

xhal_result_t load_image(xhal_device_t device, const char* format, const std::string& target,
                         const void* image, size_t size, xhal_module_t* out) {
  xhal_module_desc_t desc = {};
  desc.struct_size = sizeof(desc);
  desc.format = format;
  desc.target = target.empty() ? nullptr : target.c_str();
  desc.image = image;
  desc.image_size = size;
  return xhal_module_load(device, &desc, out);
}

constexpr std::string_view kBuiltin = "builtin ";

// Null where the device has no such pack.
xhal_module_t load_builtin(std::string_view pack, c10::DeviceIndex index) {
  xhal_module_t module = nullptr;
  const xhal_result_t result =
      load_image(device_at(index).handle, "builtin", "", pack.data(), pack.size(), &module);
  // A name that the device does not know is an image that it does not know.
  if (result == XHAL_ERROR_UNSUPPORTED_IMAGE || result == XHAL_ERROR_UNSUPPORTED ||
      result == XHAL_ERROR_INVALID_IMAGE)
    return nullptr;
  XHAL_CHECK(result);
  return module;
}

// The first format of the device's list that the pack has an image for, as docs/kernels.md of xhal says.
xhal_module_t load_pack(const std::string& pack, c10::DeviceIndex index) {
  const xhal_device_t device = device_at(index).handle;
  uint32_t count = 0;
  XHAL_CHECK(xhal_device_get_image_formats(device, 0, 0, nullptr, &count));
  xhal_image_format_t empty = {};
  empty.struct_size = sizeof(empty);
  std::vector<xhal_image_format_t> formats(count, empty);
  XHAL_CHECK(
      xhal_device_get_image_formats(device, count, sizeof(xhal_image_format_t), formats.data(), &count));
  const fs::path folder = folder_of_packs() / pack;
  const std::vector<char> text = bytes_of(folder / "manifest.json");
  const auto manifest = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  TORCH_CHECK(manifest.is_object() && manifest.value("schema", 0) == 1, (folder / "manifest.json").string(),
              " is no manifest of schema 1");
  std::string listed;
  for (const auto& format : formats) {
    listed += std::string(listed.empty() ? "" : ", ") + format.format + " " + format.target;
    for (const auto& image : manifest.value("images", nlohmann::json::array())) {
      const std::string target = image.value("target", "");
      if (image.value("format", "") != format.format || (*format.target != 0 && target != format.target))
        continue;
      const std::vector<char> bytes = bytes_of(folder / image.value("file", ""));
      xhal_module_t module = nullptr;
      XHAL_CHECK(load_image(device, format.format, target, bytes.data(), bytes.size(), &module));
      return module;
    }
  }
  TORCH_CHECK_NOT_IMPLEMENTED(false, (folder / "manifest.json").string(), " has no image that ",
                              device_title(), ":", static_cast<int>(index), " loads; it takes ", listed);
}

xhal_module_t module_of(std::string_view pack, c10::DeviceIndex device) {
  struct Modules {
    std::mutex mutex;
    std::map<std::pair<std::string_view, c10::DeviceIndex>, xhal_module_t> of;
  };
  static auto* const modules = new Modules();
  const std::lock_guard lock(modules->mutex);
  const auto known = modules->of.find({pack, device});
  if (known != modules->of.end()) return known->second;
  const xhal_module_t module = pack.starts_with(kBuiltin) ? load_builtin(pack.substr(kBuiltin.size()), device)
                                                          : load_pack(std::string(pack), device);
  return modules->of[{pack, device}] = module;
}

}  // namespace

bool Kernel::is_on(c10::DeviceIndex device) {
  return handles_[static_cast<size_t>(device)].load(std::memory_order_acquire) != nullptr ||
         module_of(pack_, device) != nullptr;
}

xhal_kernel_t Kernel::load(c10::DeviceIndex device) {
  xhal_kernel_t handle = nullptr;
  XHAL_CHECK(xhal_module_get_kernel(module_of(pack_, device), name_, &handle));
  handles_[static_cast<size_t>(device)].store(handle, std::memory_order_release);
  return handle;
}

}  // namespace torch_xhal
