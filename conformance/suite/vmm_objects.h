// SPDX-License-Identifier: Apache-2.0
// Virtual memory that goes away with its scope. Declare a range before what is mapped in it.
#pragma once

#include <utility>

#include "suite/support.h"

namespace xhal::conformance {

// Why what a test reads back is not the same on each device.
inline constexpr const char* kSizedByGranules = "its sizes follow the device's granularity";

inline xhal_vmm_granularity_t granularity_of(Context& t, size_t device = 0) {
  xhal_vmm_granularity_t granularity{};
  granularity.struct_size = sizeof(granularity);
  REQUIRE_OK(xhal_vmm_get_granularity(t.device(device), &granularity));
  if (granularity.minimum == 0 || granularity.recommended == 0) {
    t.recorder().failed("", XHAL_HERE, "xhal_vmm_get_granularity(device, &granularity)",
                        "succeeded and gave 0");
    throw StopTest();
  }
  return granularity;
}

// A reserved range.
class Range {
 public:
  Range(Context& t, uint64_t bytes, uint64_t alignment = 0, void* hint = nullptr)
      : device_(t.device()), bytes_(bytes) {
    t.touch(t.session(), 0);
    REQUIRE_MEMORY(xhal_vmm_reserve(device_, bytes, alignment, hint, &pointer_), pointer_);
  }
  ~Range() {
    if (pointer_ != nullptr) TRACED(xhal_vmm_release(device_, pointer_, bytes_));
  }
  Range(Range&& other) noexcept
      : device_(other.device_), pointer_(std::exchange(other.pointer_, nullptr)), bytes_(other.bytes_) {}
  Range& operator=(Range&&) = delete;

  operator void*() const { return pointer_; }  // NOLINT(google-explicit-constructor)
  [[nodiscard]] void* at(uint64_t offset) const {
    return reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(pointer_) + offset);
  }
  [[nodiscard]] uintptr_t address() const { return reinterpret_cast<uintptr_t>(pointer_); }
  [[nodiscard]] uint64_t size() const { return bytes_; }
  void* release() { return std::exchange(pointer_, nullptr); }

 private:
  xhal_device_t device_;
  void* pointer_ = nullptr;
  uint64_t bytes_;
};

class Physical {
 public:
  Physical(Context& t, uint64_t bytes, size_t device = 0) : bytes_(bytes) {
    REQUIRE_OK(xhal_physical_create(t.device(device), bytes, 0, &handle_));
  }
  ~Physical() { reset(); }
  Physical(Physical&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), bytes_(other.bytes_) {}
  Physical& operator=(Physical&&) = delete;

  operator xhal_physical_t() const { return handle_; }  // NOLINT(google-explicit-constructor)
  [[nodiscard]] uint64_t size() const { return bytes_; }
  void reset() {
    if (handle_ != nullptr) TRACED(xhal_physical_destroy(std::exchange(handle_, nullptr)));
  }

 private:
  xhal_physical_t handle_ = nullptr;
  uint64_t bytes_;
};

// `bytes` of a physical memory from `offset` on, mapped at `pointer`; with access of the device's own unless told otherwise.
class Mapping {
 public:
  Mapping(Context& t, void* pointer, uint64_t bytes, const Physical& physical, uint64_t offset = 0,
          uint32_t access = XHAL_ACCESS_READ_WRITE)
      : device_(t.device()), pointer_(pointer), bytes_(bytes) {
    note_call("xhal_vmm_map(device, pointer, bytes, physical, offset)");
    require_ok(t, xhal_vmm_map(device_, pointer, bytes, physical, offset),
               "xhal_vmm_map(device, pointer, bytes, physical, offset)", XHAL_HERE);
    mapped_ = true;
    if (access != XHAL_ACCESS_NONE) REQUIRE_OK(xhal_vmm_set_access(device_, pointer, bytes, device_, access));
  }
  ~Mapping() { reset(); }
  Mapping(Mapping&& other) noexcept
      : device_(other.device_),
        pointer_(other.pointer_),
        bytes_(other.bytes_),
        mapped_(std::exchange(other.mapped_, false)) {}
  Mapping& operator=(Mapping&&) = delete;

  // The test orders it behind its work, as the contract asks of every caller.
  xhal_result_t reset() {
    if (!std::exchange(mapped_, false)) return XHAL_SUCCESS;
    return TRACED(xhal_vmm_unmap(device_, pointer_, bytes_));
  }

 private:
  xhal_device_t device_;
  void* pointer_;
  uint64_t bytes_;
  bool mapped_ = false;
};

// Ranges and physical memory of this many bytes are made by most tests: a small multiple of the recommended granularity.
inline uint64_t vmm_bytes(Context& t, uint64_t pieces = 1) { return granularity_of(t).recommended * pieces; }

}  // namespace xhal::conformance
