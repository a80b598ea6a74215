// SPDX-License-Identifier: Apache-2.0
// The kernel pack (kernels/README.md) on one device, and launches of its kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "xhal/xhal.h"

namespace xhal::conformance {

class Session;

// An image of the pack that fits a device.
struct KernelImage {
  std::string format;
  std::string target;
  std::vector<unsigned char> bytes;  // for "builtin": the pack's name
  std::string key;  // its kernels and global variables have names that are made of this; "": their own
  // What it holds by its manifest, by the pack's names; nothing where it has none, as "builtin".
  std::optional<std::set<std::string>> listed{};

  [[nodiscard]] std::string name() const { return target.empty() ? format : format + " " + target; }
};

// Something else takes the memory that the pack needs; it may load later.
class DeviceIsFull : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The image was made without the kernel, by its manifest: no fault of the device's.
class NotInImage : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

class KernelPack {
 public:
  // Picks the first image format of the device for which the folder has an image, and loads it. With a key the kernels get names that are made
  // of it, and a format whose images allow that is preferred. Throws std::runtime_error with one line.
  KernelPack(Session& session, size_t device, const std::string& directory, const std::string& key);
  ~KernelPack();
  KernelPack(const KernelPack&) = delete;
  KernelPack& operator=(const KernelPack&) = delete;

  static KernelImage choose_image(Session& session, size_t device, const std::string& directory,
                                  const std::string& key);
  static xhal_result_t load(xhal_device_t device, const KernelImage& image, xhal_module_t* out_module);

  // What a kernel needs that a device, or the image for one, may lack by kernels/README.md; "" where every image must have the kernel.
  static std::string need_of(const std::string& kernel, uint64_t dtype_mask);

  [[nodiscard]] const KernelImage& image() const { return image_; }
  [[nodiscard]] xhal_module_t module() const { return module_; }
  xhal_kernel_t kernel(const std::string& name);  // throws std::runtime_error, or NotInImage
  // Why a kernel that may be lacking is not here; "" where it is, and for all others.
  [[nodiscard]] std::string why_absent(const std::string& name) const;
  // What the image calls the pack's kernel, or global variable, of this name.
  [[nodiscard]] std::string name_of(const std::string& kernel) const;

 private:
  [[nodiscard]] bool has(const std::string& name) const;

  KernelImage image_;
  uint64_t dtype_mask_ = 0;  // of the device
  xhal_module_t module_ = nullptr;
  std::map<std::string, xhal_kernel_t> kernels_;
};

// One launch, argument by argument in the kernel's order.
class Launch {
 public:
  explicit Launch(xhal_kernel_t kernel);
  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;

  Launch& groups(uint32_t x, uint32_t y = 1, uint32_t z = 1);
  Launch& items(uint32_t x, uint32_t y = 1, uint32_t z = 1);  // of one group
  // Groups of `group` items, enough for n of them.
  Launch& cover(uint64_t n, uint32_t group);
  Launch& reads(const void* pointer, uint64_t size = 0) { return memory(pointer, XHAL_ACCESS_READ, size); }
  Launch& writes(const void* pointer, uint64_t size = 0) { return memory(pointer, XHAL_ACCESS_WRITE, size); }
  Launch& updates(const void* pointer, uint64_t size = 0) {
    return memory(pointer, XHAL_ACCESS_READ_WRITE, size);
  }
  Launch& local(uint64_t bytes);
  template <class T>
  Launch& value(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    return value_bytes(&value, sizeof(T));
  }
  Launch& also(const void* pointer, uint64_t size, uint32_t access);  // memory that is no argument
  Launch& correlation(uint64_t id);

  // Points into this object, which must outlive the call that takes it.
  const xhal_launch_t* desc();
  xhal_launch_t& raw() { return launch_; }
  std::vector<xhal_argument_t>& arguments() { return arguments_; }
  xhal_result_t on(xhal_stream_t stream);

 private:
  Launch& memory(const void* pointer, uint32_t access, uint64_t size);
  Launch& value_bytes(const void* bytes, size_t size);

  xhal_kernel_t kernel_;
  xhal_launch_t launch_{};
  std::vector<xhal_argument_t> arguments_;
  std::deque<std::vector<std::byte>> values_;  // what arguments point to never moves
  std::vector<xhal_memory_range_t> ranges_;
};

}  // namespace xhal::conformance
