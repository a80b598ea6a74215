// SPDX-License-Identifier: Apache-2.0
// Objects with a descriptor, for the tests of external memory.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "suite/support.h"

namespace xhal::conformance {

// Of every object, and the offset that tests import from: a multiple of any page.
inline constexpr uint64_t kObjectBytes = 4 << 20;
inline constexpr uint64_t kObjectOffset = 64 << 10;

// A descriptor that is closed with its scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool is_open() const;
  // Whether it was the test's to close.
  bool reset();

 private:
  int fd_;
};

// What there is to import: bytes behind a descriptor, and a way for its owner to see and change them.
struct ExternalObject {
  uint32_t type = 0;
  uint64_t size = 0;    // of the object
  uint64_t offset = 0;  // where the owner's bytes begin
  std::unique_ptr<Descriptor> fd;
  uint8_t* host = nullptr;         // a mapping of the host's, or
  std::unique_ptr<Buffer> memory;  // memory of the driver

  void put(Context& t, const std::vector<uint8_t>& data) const;
  std::vector<uint8_t> get(Context& t) const;
  [[nodiscard]] xhal_external_memory_desc_t desc() const;
};

// The answers with which a device says that it does not take this type of object.
inline bool refused_type(xhal_result_t result) {
  return result == XHAL_ERROR_INVALID_ARGUMENT || result == XHAL_ERROR_UNSUPPORTED;
}
// "dma_buf" or "opaque_fd".
uint32_t type_of(const std::string& word);

// Memory of the driver by a descriptor of this type; null where the device does not export it so.
std::unique_ptr<ExternalObject> exported_object(Context& t, uint32_t type);

// The object that the test's parameter "object" names, proven to be importable. Not observable where it cannot be had or the device does
// not take such.
std::unique_ptr<ExternalObject> importable_object(Context& t);
Axis object_axis();

// An import that is released with its scope.
class External {
 public:
  External(Context& t, const xhal_external_memory_desc_t& desc);
  ~External() { reset(); }
  External(const External&) = delete;
  External& operator=(const External&) = delete;

  operator void*() const { return pointer_; }  // NOLINT(google-explicit-constructor)
  [[nodiscard]] void* at(uint64_t offset) const {
    return reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(pointer_) + offset);
  }
  void* release() { return std::exchange(pointer_, nullptr); }
  void reset();

 private:
  xhal_device_t device_;
  void* pointer_ = nullptr;
};

}  // namespace xhal::conformance
