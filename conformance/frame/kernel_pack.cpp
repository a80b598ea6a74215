// SPDX-License-Identifier: Apache-2.0
#include "frame/kernel_pack.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>

#include "frame/kernel_names.h"
#include "frame/session.h"
#include "frame/trail.h"

namespace xhal::conformance {

namespace {

std::vector<unsigned char> read_bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error(fmt::format("cannot read {}", path.string()));
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// What OpenCL C 1.2 does not promise, beside f64.
struct Optional {
  std::string_view kernel;
  const char* need;
};
constexpr Optional kOptional[] = {
    {"xhal_atomics_u64", "64-bit atomics, without which the image was made"},
    {"xhal_local_atomics_u64", "64-bit atomics, without which the image was made"},
    {"xhal_kept_u64", "global variables, without which the image was made"},
};

}  // namespace

KernelImage KernelPack::choose_image(Session& session, size_t device, const std::string& directory,
                                     const std::string& key) {
  const auto formats = session.image_formats(device);
  if (formats.empty()) throw std::runtime_error("the device lists no image format");
  const std::filesystem::path folder = directory;
  nlohmann::json manifest;
  std::string manifest_error;
  try {
    const auto text = read_bytes(folder / "manifest.json");
    manifest = nlohmann::json::parse(text.begin(), text.end());
    if (!manifest.is_object() || manifest.value("schema", nlohmann::json()) != 1) {
      manifest = nullptr;
      throw std::runtime_error(
          fmt::format("{} is no manifest of schema 1", (folder / "manifest.json").string()));
    }
  } catch (const std::exception& error) {
    manifest_error = error.what();
  }
  std::string listed;
  std::optional<KernelImage> second_best;
  for (const auto& format : formats) {
    const std::string name = bounded_text(format.format);
    const std::string target = bounded_text(format.target);
    listed += fmt::format("{}{}{}{}", listed.empty() ? "" : ", ", name, target.empty() ? "" : " ", target);
    if (name == "builtin") {
      const std::string pack = manifest.is_object() ? manifest.value("pack", "xhal") : "xhal";
      if (key.empty()) return {name, target, {pack.begin(), pack.end()}, ""};
      if (!second_best) second_best = KernelImage{name, target, {pack.begin(), pack.end()}, ""};
      continue;
    }
    if (!manifest.is_object()) continue;
    for (const auto& image : manifest.value("images", nlohmann::json::array())) {
      const std::string image_target = image.value("target", "");
      if (image.value("format", "") != name || (!target.empty() && image_target != target)) continue;
      KernelImage out{name, image_target, read_bytes(folder / image.value("file", "")), ""};
      auto names = image.value("kernels", std::vector<std::string>());
      const auto globals = image.value("globals", std::vector<std::string>());
      names.insert(names.end(), globals.begin(), globals.end());
      out.listed.emplace(names.begin(), names.end());
      if (key.empty()) return out;
      if (why_names_are_kept(name).empty()) {
        rename_kernels(names, key, name, out.bytes);
        out.key = key;
        return out;
      }
      if (!second_best) second_best = std::move(out);
      break;
    }
  }
  if (second_best) return *second_best;
  if (!manifest_error.empty()) {
    throw std::runtime_error(
        fmt::format("no kernel pack: {}; name its folder with --kernels", manifest_error));
  }
  throw std::runtime_error(
      fmt::format("{} has no image for what the device loads ({}); build one for it and name the folder with "
                  "--kernels",
                  (folder / "manifest.json").string(), listed));
}

xhal_result_t KernelPack::load(xhal_device_t device, const KernelImage& image, xhal_module_t* out_module) {
  xhal_module_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.format = image.format.c_str();
  desc.target = image.target.empty() ? nullptr : image.target.c_str();
  desc.image = image.bytes.data();
  desc.image_size = image.bytes.size();
  note_call("xhal_module_load(device, &desc, &module)");
  return xhal_module_load(device, &desc, out_module);
}

KernelPack::KernelPack(Session& session, size_t device, const std::string& directory, const std::string& key)
    : image_(choose_image(session, device, directory, key)),
      dtype_mask_(session.properties(device).dtype_mask) {
  const xhal_result_t result = load(session.device(device), image_, &module_);
  if (result == XHAL_SUCCESS) return;
  const std::string what =
      fmt::format("xhal_module_load of the kernel pack ({}): {}", image_.name(), result_name(result));
  if (result == XHAL_ERROR_OUT_OF_DEVICE_MEMORY) throw DeviceIsFull(what);
  throw std::runtime_error(what);
}

KernelPack::~KernelPack() {
  note_call("xhal_module_destroy(module)");
  xhal_module_destroy(module_);
}

std::string KernelPack::name_of(const std::string& kernel) const {
  return image_.key.empty() ? kernel : kernel_name_of(image_.key, kernel);
}

xhal_kernel_t KernelPack::kernel(const std::string& name) {
  const auto known = kernels_.find(name);
  if (known != kernels_.end()) return known->second;
  if (image_.listed && !image_.listed->contains(name))
    throw NotInImage(fmt::format("the image {} has no {}", image_.name(), name));
  xhal_kernel_t kernel = nullptr;
  note_call("xhal_module_get_kernel(module, name, &kernel)");
  const xhal_result_t result = xhal_module_get_kernel(module_, name_of(name).c_str(), &kernel);
  if (result != XHAL_SUCCESS) {
    throw std::runtime_error(fmt::format("xhal_module_get_kernel({}): {}", name, result_name(result)));
  }
  kernels_.emplace(name, kernel);
  return kernel;
}

std::string KernelPack::need_of(const std::string& kernel, uint64_t dtype_mask) {
  if (kernel.ends_with("_f64"))
    return (dtype_mask >> XHAL_DTYPE_F64 & 1) != 0 ? "" : "f64, which its dtype_mask does not hold";
  const auto* const one = std::ranges::find(kOptional, kernel, &Optional::kernel);
  return one == std::end(kOptional) ? "" : one->need;
}

std::string KernelPack::why_absent(const std::string& name) const {
  const std::string need = need_of(name, dtype_mask_);
  // An image for many devices may hold what this one does not compute.
  if (need.empty() || (!name.ends_with("_f64") && has(name))) return {};
  return fmt::format("{} needs {}", name, need);
}

bool KernelPack::has(const std::string& name) const {
  if (image_.listed && !image_.listed->contains(name)) return false;
  // A source may hold it for devices that have what it needs: then, as of "builtin", nobody but the device knows.
  if (image_.listed && image_.format != "opencl-c") return true;
  xhal_kernel_t kernel = nullptr;
  note_call("xhal_module_get_kernel(module, name, &kernel)");
  return xhal_module_get_kernel(module_, name_of(name).c_str(), &kernel) != XHAL_ERROR_NOT_FOUND;
}

Launch::Launch(xhal_kernel_t kernel) : kernel_(kernel) {
  launch_.struct_size = sizeof(launch_);
  groups(1);
  items(1);
}

Launch& Launch::groups(uint32_t x, uint32_t y, uint32_t z) {
  launch_.group_count[0] = x;
  launch_.group_count[1] = y;
  launch_.group_count[2] = z;
  return *this;
}

Launch& Launch::items(uint32_t x, uint32_t y, uint32_t z) {
  launch_.group_size[0] = x;
  launch_.group_size[1] = y;
  launch_.group_size[2] = z;
  return *this;
}

Launch& Launch::cover(uint64_t n, uint32_t group) {
  return groups(static_cast<uint32_t>(n == 0 ? 1 : (n + group - 1) / group)).items(group);
}

Launch& Launch::memory(const void* pointer, uint32_t access, uint64_t size) {
  arguments_.push_back({XHAL_ARGUMENT_MEMORY, access, size, pointer});
  return *this;
}

Launch& Launch::local(uint64_t bytes) {
  arguments_.push_back({XHAL_ARGUMENT_LOCAL, 0, bytes, nullptr});
  return *this;
}

Launch& Launch::value_bytes(const void* bytes, size_t size) {
  // Room behind small ones: tests lie about sizes.
  std::vector<std::byte>& value = values_.emplace_back(std::max<size_t>(size, 64));
  std::memcpy(value.data(), bytes, size);
  arguments_.push_back({XHAL_ARGUMENT_VALUE, 0, size, value.data()});
  return *this;
}

Launch& Launch::also(const void* pointer, uint64_t size, uint32_t access) {
  ranges_.push_back({pointer, size, access, 0});
  return *this;
}

Launch& Launch::correlation(uint64_t id) {
  launch_.correlation_id = id;
  return *this;
}

const xhal_launch_t* Launch::desc() {
  launch_.arguments = arguments_.data();
  launch_.argument_count = static_cast<uint32_t>(arguments_.size());
  launch_.ranges = ranges_.data();
  launch_.range_count = static_cast<uint32_t>(ranges_.size());
  return &launch_;
}

xhal_result_t Launch::on(xhal_stream_t stream) { return xhal_kernel_launch(stream, kernel_, desc()); }

}  // namespace xhal::conformance
