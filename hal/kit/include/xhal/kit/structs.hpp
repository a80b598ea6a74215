// SPDX-License-Identifier: Apache-2.0
// The struct rules of docs/spec/abi.md (XHAL-ABI-6..10), once for all drivers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "xhal/kernel.h"

namespace xhal::kit {

// First published size of each struct: what the smallest legal struct_size is. Only structs that have grown since differ from sizeof.
template <class T>
inline constexpr uint32_t kFirstSize = sizeof(T);
template <>
inline constexpr uint32_t kFirstSize<xhal_occupancy_t> = offsetof(xhal_occupancy_t, max_cooperative_groups);

// Kept out of line: it is the rare case, and a compiler that saw a caller's struct of known size would take the tail for a mistake.
[[nodiscard, gnu::noinline]] inline bool is_zero(const void* from, size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(from);
  for (size_t i = 0; i < size; ++i) {
    if (bytes[i] != 0) return false;
  }
  return true;
}

// Copies a caller's in-struct of any legal size into `out`. `stride_size` overrides the struct's own size field for array elements.
template <class T>
[[nodiscard]] inline xhal_result_t read_struct(const T* in, T& out) {
  if (in == nullptr) return XHAL_ERROR_INVALID_ARGUMENT;
  const uint32_t size = in->struct_size;
  if (size == sizeof(T)) {
    out = *in;
    return XHAL_SUCCESS;
  }
  if (size < kFirstSize<T>) return XHAL_ERROR_INVALID_ARGUMENT;
  if (size > sizeof(T)) {
    if (!is_zero(reinterpret_cast<const unsigned char*>(in) + sizeof(T), size - sizeof(T)))
      return XHAL_ERROR_UNKNOWN_FIELD;
    out = *in;
    return XHAL_SUCCESS;
  }
  std::memset(static_cast<void*>(&out), 0, sizeof(T));
  std::memcpy(static_cast<void*>(&out), in, size);
  return XHAL_SUCCESS;
}

// Like read_struct, but a null pointer reads as all zero.
template <class T>
[[nodiscard]] inline xhal_result_t read_optional_struct(const T* in, T& out) {
  if (in != nullptr) return read_struct(in, out);
  std::memset(static_cast<void*>(&out), 0, sizeof(T));
  return XHAL_SUCCESS;
}

// Whether a caller's out-struct can be written at all; call it before anything has an effect.
template <class T>
[[nodiscard]] inline xhal_result_t check_out_struct(const T* out) {
  return out == nullptr || out->struct_size < kFirstSize<T> ? XHAL_ERROR_INVALID_ARGUMENT : XHAL_SUCCESS;
}

// Writes exactly the caller's struct_size bytes: what we know, then zeros. The caller's struct_size stays.
template <class T>
inline void write_struct(const T& value, T* out) {
  const uint32_t size = out->struct_size;
  const uint32_t known = size < sizeof(T) ? size : static_cast<uint32_t>(sizeof(T));
  auto* bytes = reinterpret_cast<unsigned char*>(out);
  std::memcpy(bytes, &value, known);
  if (size > known) std::memset(bytes + known, 0, size - known);
  std::memcpy(bytes, &size, sizeof(size));
}

}  // namespace xhal::kit
