// SPDX-License-Identifier: Apache-2.0
#include "kernels/image.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "kernels/elf_check.hpp"
#include "xhal/kernel.h"

namespace xhal::sim {
namespace {

static_assert(uint32_t{XHAL_NATIVE_PARAM_VALUE} == XHAL_ARGUMENT_VALUE &&
              uint32_t{XHAL_NATIVE_PARAM_GLOBAL} == XHAL_ARGUMENT_MEMORY &&
              uint32_t{XHAL_NATIVE_PARAM_LOCAL} == XHAL_ARGUMENT_LOCAL);

constexpr uint32_t kMaxKernels = 65536;
constexpr uint32_t kMaxGlobals = 65536;
constexpr uint64_t kMaxGlobalAlignment = 4096;
// What they had was less: they are loaded as if it were this version's.
constexpr const char* kLoadedVersions[] = {XHAL_NATIVE_IMAGE_SYMBOL, XHAL_NATIVE_IMAGE_SYMBOL_2};
constexpr const char* kFormerVersions[] = {"1"};
constexpr size_t kSizeOfVersion2 = offsetof(xhal_native_image, globals);
constexpr size_t kMaxName = 127;  // as xhal_kernel_info has room for

bool write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return true;
}

std::string path_of(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

// The loader knows libraries by their path first. Should one that stayed behind have this path, another number is taken.
Descriptor unknown_to_loader(Descriptor file) {
  while (file) {
    void* known = dlopen(path_of(file.get()).c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    if (known == nullptr) break;
    dlclose(known);
    file = Descriptor(fcntl(file.get(), F_DUPFD_CLOEXEC, file.get() + 1));
  }
  return file;
}

bool name_is_usable(const char* name) {
  return name != nullptr && name[0] != '\0' && strnlen(name, kMaxName + 1) <= kMaxName;
}

bool describe_parameters(const xhal_native_kernel& kernel, KernelCode& code, std::string& why) {
  const std::string label = "kernel '" + code.name + "'";
  if (kernel.param_count > kMaxArguments || (kernel.param_count != 0 && kernel.params == nullptr)) {
    why = label + " has " + std::to_string(kernel.param_count) + " parameters, at most 64 are possible";
    return false;
  }
  uint32_t offset = 0;
  for (uint32_t i = 0; i < kernel.param_count; ++i) {
    const xhal_native_param& param = kernel.params[i];
    uint32_t size = sizeof(uint64_t);
    uint32_t alignment = alignof(uint64_t);
    if (param.kind == XHAL_NATIVE_PARAM_VALUE) {
      size = param.size;
      alignment = param.alignment;
    } else if (param.kind != XHAL_NATIVE_PARAM_GLOBAL && param.kind != XHAL_NATIVE_PARAM_LOCAL) {
      why =
          label + ", parameter " + std::to_string(i) + ": kind " + std::to_string(param.kind) + " is unknown";
      return false;
    }
    if (size == 0 || size > kMaxArgumentBytes || alignment == 0 || alignment > kMaxArgumentAlignment ||
        (alignment & (alignment - 1)) != 0) {
      why = label + ", parameter " + std::to_string(i) + ": size or alignment is not possible";
      return false;
    }
    offset = (offset + alignment - 1) / alignment * alignment;
    code.parameters.push_back({param.kind, size, offset});
    offset += size;
    code.argument_alignment = std::max(code.argument_alignment, alignment);
    code.uses_local = code.uses_local || param.kind == XHAL_NATIVE_PARAM_LOCAL;
    if (offset > kMaxArgumentBytes) {
      why = label + ": its arguments are larger than 4096 bytes";
      return false;
    }
    code.params.push_back(param);
  }
  code.argument_bytes = offset;
  return true;
}

bool describe_globals(const xhal_native_image& image, std::vector<GlobalCode>& out, std::string& why) {
  const auto refuse = [&](std::string reason) {
    why = std::move(reason);
    return false;
  };
  if (image.global_count > kMaxGlobals || (image.global_count != 0 && image.globals == nullptr))
    return refuse("its table of global variables is damaged");
  for (uint32_t i = 0; i < image.global_count; ++i) {
    const xhal_native_global* global = image.globals[i];
    if (global == nullptr || !name_is_usable(global->name)) {
      return refuse("global variable " + std::to_string(i) +
                    " has no description, no name, or one above 127 characters");
    }
    const std::string name = global->name;
    if (std::ranges::any_of(out, [&](const GlobalCode& other) { return other.name == name; }))
      return refuse("it has two global variables '" + name + "'");
    const uint64_t alignment = global->alignment;
    if (global->size == 0 || alignment == 0 || alignment > kMaxGlobalAlignment ||
        (alignment & (alignment - 1)) != 0)
      return refuse("global variable '" + name + "': size or alignment is not possible");
    out.push_back({name, global->size, alignment, global->initial});
  }
  return true;
}

// The symbol that the bytes export; null when it is none that is loaded.
const char* symbol_of(std::span<const std::byte> bytes, std::string& why) {
  for (const char* symbol : kLoadedVersions) {
    std::string reason;
    if (check_elf(bytes, symbol, reason)) return symbol;
    if (why.empty()) why = reason;
  }
  return nullptr;
}

}  // namespace

bool Image::describe(const xhal_native_image& image, std::vector<KernelCode>& out,
                     std::vector<GlobalCode>& out_globals, std::string& why) {
  const auto refuse = [&](std::string reason) {
    why = std::move(reason);
    return false;
  };
  const bool is_version_2 = image.magic == XHAL_NATIVE_IMAGE_MAGIC_2;
  if (image.magic != XHAL_NATIVE_IMAGE_MAGIC && !is_version_2)
    return refuse("its description has a wrong magic number");
  if (image.struct_size < (is_version_2 ? kSizeOfVersion2 : sizeof(xhal_native_image)) ||
      image.kernel_struct_size < sizeof(xhal_native_kernel) ||
      image.kernel_struct_size % alignof(xhal_native_kernel) != 0) {
    return refuse("its description is of another version; build it with this version's recipe");
  }
  if (image.target == nullptr) return refuse("it does not say its target");
  if (image.kernel_count > kMaxKernels || (image.kernel_count != 0 && image.kernels == nullptr)) {
    return refuse("its table of kernels is damaged");
  }
  const auto* entry = reinterpret_cast<const std::byte*>(image.kernels);
  for (uint32_t i = 0; i < image.kernel_count; ++i, entry += image.kernel_struct_size) {
    const auto& kernel = *reinterpret_cast<const xhal_native_kernel*>(entry);
    KernelCode code;
    if (!name_is_usable(kernel.name))
      return refuse("kernel " + std::to_string(i) + " has no name, or one above 127 characters");
    code.name = kernel.name;
    if (std::ranges::any_of(out, [&](const KernelCode& other) { return other.name == code.name; })) {
      return refuse("it has two kernels '" + code.name + "'");
    }
    if (kernel.run_groups == nullptr || kernel.max_group_size == 0)
      return refuse("kernel '" + code.name + "' cannot be run");
    code.run_groups = kernel.run_groups;
    code.max_group_items = kernel.max_group_size;
    code.static_local_bytes = kernel.static_local_bytes;
    if (!describe_parameters(kernel, code, why)) return false;
    out.push_back(std::move(code));
  }
  return is_version_2 || describe_globals(image, out_globals, why);
}

std::shared_ptr<Image> Image::load(std::span<const std::byte> bytes, std::string_view target,
                                   std::span<const std::string_view> usable_targets, Failure& failure) {
  const auto refuse = [&](xhal_result_t code, std::string text) {
    failure = {code, std::move(text)};
    return nullptr;
  };
  std::string why;
  const char* const symbol = symbol_of(bytes, why);
  if (symbol == nullptr) {
    for (const char* version : kFormerVersions) {
      std::string unused;
      if (!check_elf(bytes, std::string(XHAL_NATIVE_IMAGE_SYMBOL_STEM) + version, unused)) continue;
      return refuse(XHAL_ERROR_UNSUPPORTED_IMAGE,
                    std::string("it was built for version ") + version +
                        " of the image interface (sim/native_image.h) and this driver loads " +
                        XHAL_NATIVE_IMAGE_SYMBOL + "; build it anew");
    }
    return refuse(XHAL_ERROR_INVALID_IMAGE, why);
  }

  auto image = std::make_shared<Image>();
  image->file_ = Descriptor(memfd_create("xhal-sim-image", MFD_CLOEXEC));
  if (!image->file_ || !write_all(image->file_.get(), bytes)) {
    return refuse(XHAL_ERROR_OUT_OF_HOST_MEMORY,
                  std::string("the system gives no file in memory: ") + std::strerror(errno));
  }
  image->file_ = unknown_to_loader(std::move(image->file_));
  if (!image->file_) return refuse(XHAL_ERROR_OUT_OF_HOST_MEMORY, "the process has no file descriptor left");
  image->library_ = dlopen(path_of(image->file_.get()).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (image->library_ == nullptr) {
    const char* reason = dlerror();
    return refuse(XHAL_ERROR_INVALID_IMAGE,
                  std::string("the system does not load it: ") + (reason != nullptr ? reason : "no reason"));
  }
  const auto* description = static_cast<const xhal_native_image*>(dlsym(image->library_, symbol));
  if (description == nullptr)
    return refuse(XHAL_ERROR_INVALID_IMAGE, std::string("it does not export ") + symbol);
  if (!describe(*description, image->kernels_, image->globals_, why))
    return refuse(XHAL_ERROR_INVALID_IMAGE, why);
  for (KernelCode& kernel : image->kernels_) kernel.image = image.get();
  const std::string_view own_target = description->target;
  if (std::ranges::find(usable_targets, own_target) == usable_targets.end()) {
    return refuse(XHAL_ERROR_UNSUPPORTED_IMAGE, "it is built for '" + std::string(own_target.substr(0, 64)) +
                                                    "', which this processor does not run");
  }
  if (!target.empty() && target != own_target) {
    return refuse(XHAL_ERROR_INVALID_IMAGE, "it is built for '" + std::string(own_target) + "', not for '" +
                                                std::string(target.substr(0, 64)) + "' as was said");
  }
  return image;
}

std::shared_ptr<Image> Image::part_of_driver(const xhal_native_image& description, const void* context,
                                             Failure& failure) {
  auto image = std::make_shared<Image>();
  if (!describe(description, image->kernels_, image->globals_, failure.text)) {
    failure.code = XHAL_ERROR_INTERNAL;
    return nullptr;
  }
  image->context_ = reinterpret_cast<uint64_t>(context);
  for (KernelCode& kernel : image->kernels_) {
    kernel.image = image.get();
    kernel.globals = &image->context_;
  }
  return image;
}

void Image::place_globals(std::vector<uint64_t> addresses, const std::shared_ptr<const void>& keeper) {
  global_addresses_ = std::move(addresses);
  for (KernelCode& kernel : kernels_) kernel.globals = global_addresses_.data();
  keeper_ = keeper;
}

std::shared_ptr<const void> Image::keep() const {
  if (auto keeper = keeper_.lock()) return keeper;
  return shared_from_this();
}

Image::~Image() {
  if (library_ != nullptr) dlclose(library_);
}

const KernelCode* Image::find(std::string_view name) const {
  for (const KernelCode& kernel : kernels_) {
    if (kernel.name == name) return &kernel;
  }
  return nullptr;
}

}  // namespace xhal::sim
