// SPDX-License-Identifier: Apache-2.0
// What the functions behind a driver's table begin and end with: structs in and out, refusals with a text, enumerations.
#pragma once

#include <cstddef>
#include <cstdint>

#include "xhal/kit/driver.hpp"
#include "xhal/kit/structs.hpp"

namespace xhal::kit {

inline xhal_result_t refuse_null(const char* name) {
  return fail(XHAL_ERROR_INVALID_ARGUMENT, "%s is null", name);
}

inline xhal_result_t refuse_reserved(const char* name) {
  return fail(XHAL_ERROR_UNKNOWN_FIELD, "%s sets a reserved field, which must be 0", name);
}

template <class T>
xhal_result_t refuse_struct(xhal_result_t code, const char* name, const T* given) {
  if (given == nullptr) return refuse_null(name);
  if (code == XHAL_ERROR_UNKNOWN_FIELD) {
    return fail(code, "%s sets fields behind byte %zu, which this version does not know", name, sizeof(T));
  }
  return fail(code, "%s->struct_size is %u, it must be at least %u; set it to sizeof(*%s)", name,
              given->struct_size, kFirstSize<T>, name);
}

// Reads a required in-struct, and an optional one; checks an out-struct. With a text when they refuse.
template <class T>
xhal_result_t read(const char* name, const T* given, T& out) {
  const xhal_result_t result = read_struct(given, out);
  return result < 0 ? refuse_struct(result, name, given) : result;
}
template <class T>
xhal_result_t read_optional(const char* name, const T* given, T& out) {
  const xhal_result_t result = read_optional_struct(given, out);
  return result < 0 ? refuse_struct(result, name, given) : result;
}
template <class T>
xhal_result_t check_out(const char* name, const T* given) {
  const xhal_result_t result = check_out_struct(given);
  return result < 0 ? refuse_struct(result, name, given) : result;
}

// Enumerations: fills what fits and tells the whole count. [XHAL-INSTANCE-5]
template <class Out, class Fill>
xhal_result_t enumerate(uint32_t capacity, Out* array, uint32_t* out_count, uint32_t count, Fill&& fill) {
  if (out_count == nullptr) return refuse_null("out_count");
  if (array == nullptr && capacity != 0) return refuse_null("the array");
  for (uint32_t i = 0; i < capacity && i < count; ++i) fill(i);
  *out_count = count;
  return array != nullptr && capacity < count ? XHAL_INCOMPLETE : XHAL_SUCCESS;
}

// The same of structs that stand `stride` bytes apart; make(i) is the i-th. Nothing is written before everything is checked. [XHAL-ABI-10]
template <class Out, class Make>
xhal_result_t enumerate_structs(const char* name, uint32_t capacity, uint32_t stride, Out* array,
                                uint32_t* out_count, uint32_t count, Make&& make) {
  const auto element = [&](uint32_t i) {
    return reinterpret_cast<Out*>(reinterpret_cast<std::byte*>(array) + size_t{stride} * i);
  };
  if (array != nullptr && capacity != 0) {
    if (stride < kFirstSize<Out>) {
      return fail(XHAL_ERROR_INVALID_ARGUMENT, "stride is %u, an element of %s has at least %u bytes", stride,
                  name, kFirstSize<Out>);
    }
    for (uint32_t i = 0; i < capacity && i < count; ++i) {
      if (const xhal_result_t result = check_out(name, element(i)); result < 0) return result;
      if (element(i)->struct_size > stride) {
        return fail(XHAL_ERROR_INVALID_ARGUMENT, "%s[%u].struct_size is %u, above the stride %u", name, i,
                    element(i)->struct_size, stride);
      }
    }
  }
  return enumerate(capacity, array, out_count, count, [&](uint32_t i) { write_struct(make(i), element(i)); });
}

}  // namespace xhal::kit
