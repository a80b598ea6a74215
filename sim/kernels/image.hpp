// SPDX-License-Identifier: Apache-2.0
// A loaded native image and its kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/descriptor.hpp"
#include "native_image.h"
#include "xhal/base.h"

namespace xhal::sim {

inline constexpr uint32_t kMaxArguments = 64;
inline constexpr uint32_t kMaxArgumentBytes = 4096;
inline constexpr uint32_t kMaxArgumentAlignment = 128;

class Image;

// One kernel as a launch needs it: the image's own description, checked, and where each argument lies in a launch's bytes.
struct KernelCode {
  std::string name;
  void (*run_groups)(xhal_native_frame*) = nullptr;
  std::vector<xhal_native_param> params;
  // What a launch needs of each parameter. 16 bytes, so that finding one takes no multiplication.
  struct alignas(16) Parameter {
    uint32_t argument_kind;  // XHAL_ARGUMENT_x
    uint32_t size;           // VALUE: of its bytes
    uint32_t offset;         // VALUE: of its bytes; MEMORY: of the pointer; LOCAL: of the size, 8 bytes
  };
  std::vector<Parameter> parameters;
  uint32_t argument_bytes = 0;
  uint32_t argument_alignment = 8;
  uint32_t max_group_items = 0;
  uint32_t static_local_bytes = 0;
  bool uses_local = false;
  const uint64_t* globals = nullptr;  // where the image's global variables are, once they have memory
  const Image* image = nullptr;       // whose it is, once that is loaded
};

// A global variable that an image describes.
struct GlobalCode {
  std::string name;
  uint64_t size = 0;
  uint64_t alignment = 0;
  const void* initial = nullptr;  // null: zeros
};

class Image : public std::enable_shared_from_this<Image> {
 public:
  struct Failure {
    xhal_result_t code = XHAL_SUCCESS;
    std::string text;
  };

  // Loads the bytes as code of this process. `target` may be empty: then the image's own word counts. Null with `failure` filled.
  static std::shared_ptr<Image> load(std::span<const std::byte> bytes, std::string_view target,
                                     std::span<const std::string_view> usable_targets, Failure& failure);

  // From a description of kernels that are part of this library. `context` stands where their frames name global variables.
  static std::shared_ptr<Image> part_of_driver(const xhal_native_image& description, const void* context,
                                               Failure& failure);

  // Checks a description that an image exports. Kept apart from loading so that tests can lie to it.
  static bool describe(const xhal_native_image& image, std::vector<KernelCode>& out,
                       std::vector<GlobalCode>& out_globals, std::string& why);

  Image() = default;
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;
  ~Image();

  [[nodiscard]] const std::vector<KernelCode>& kernels() const { return kernels_; }
  [[nodiscard]] const KernelCode* find(std::string_view name) const;

  [[nodiscard]] const std::vector<GlobalCode>& globals() const { return globals_; }
  // Each global variable's address, and who keeps the memory there: he owns this image, too, and is kept by whoever may run its kernels.
  // Before one runs.
  void place_globals(std::vector<uint64_t> addresses, const std::shared_ptr<const void>& keeper);
  [[nodiscard]] const std::vector<uint64_t>& global_addresses() const { return global_addresses_; }
  // All that its kernels need.
  [[nodiscard]] std::shared_ptr<const void> keep() const;

 private:
  // Kept open: its number is the library's name, which the loader would take for the same library again.
  Descriptor file_;
  void* library_ = nullptr;
  std::vector<KernelCode> kernels_;
  std::vector<GlobalCode> globals_;
  std::vector<uint64_t> global_addresses_;
  std::weak_ptr<const void> keeper_;
  uint64_t context_ = 0;
};

}  // namespace xhal::sim
