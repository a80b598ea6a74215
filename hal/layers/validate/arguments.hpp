// SPDX-License-Identifier: Apache-2.0
// The rules that hold for parameters of all calls, by their kind in entry_points.def and their type. A call or struct that is added to
// the contract has them without a line here.
#pragma once

#include <string_view>
#include <type_traits>

#include "call.hpp"
#include "xhal/kit/structs.hpp"

namespace xhal::validate {

template <class T>
concept Sized = requires(const T& value) { value.struct_size; };

// Elements of arrays whose stride is told; their own size says nothing.
template <class T>
inline constexpr bool kIsElement = std::is_same_v<T, xhal_image_format_t> ||
                                   std::is_same_v<T, xhal_device_note_t> || std::is_same_v<T, xhal_metric_t>;

// Flag bits that the headers define for a struct.
template <class T>
inline constexpr uint32_t kDefinedFlags = 0;
template <>
inline constexpr uint32_t kDefinedFlags<xhal_event_desc_t> =
    XHAL_EVENT_TIMING | XHAL_EVENT_BLOCKING | XHAL_EVENT_IPC;
template <>
inline constexpr uint32_t kDefinedFlags<xhal_launch_t> = XHAL_LAUNCH_COOPERATIVE | XHAL_LAUNCH_CLUSTER;

// The same of a parameter called flags.
constexpr uint32_t defined_flags(Entry entry) {
  return entry == Entry::event_record || entry == Entry::stream_wait_event ? uint32_t{XHAL_EVENT_EXTERNAL}
                                                                           : 0U;
}

// No struct of the contract comes near it; a struct_size above is what lay in the memory before.
inline constexpr uint32_t kLargestStruct = 1U << 16;

inline void check_flags(Call& call, const char* name, uint32_t flags, uint32_t defined) {
  if ((flags & ~defined) == 0) return;
  call.found(Kind::kUndefinedFlags, XHAL_ERROR_INVALID_ARGUMENT,
             std::string(name) + " has the bits " + hex(uintptr_t{flags & ~defined}) +
                 ", which are not defined here");
}

// "desc->flags"
inline std::string field(const char* parameter, const char* name) {
  return std::string(parameter) + "->" + name;
}

template <class T>
bool check_struct_size(Call& call, const char* name, const T* pointer) {
  const uint32_t size = pointer->struct_size;
  if (size >= kit::kFirstSize<T> && size <= kLargestStruct) return true;
  call.found(Kind::kStructSize, XHAL_ERROR_INVALID_ARGUMENT,
             field(name, "struct_size") + " is " + std::to_string(size) + ", the struct has " +
                 std::to_string(sizeof(T)) + " bytes");
  return false;
}

inline void check_present(Call& call, const char* name, bool is_null) {
  if (is_null) call.found(Kind::kNullPointer, XHAL_ERROR_INVALID_ARGUMENT, std::string(name) + " is null");
}

template <class T>
void check_in(Call& call, const char* name, T pointer, bool required) {
  if (pointer == nullptr) {
    if (required) check_present(call, name, true);
    return;
  }
  if constexpr (std::is_pointer_v<T>) {
    using Struct = std::remove_cv_t<std::remove_pointer_t<T>>;
    if constexpr (Sized<Struct>) {
      if (!check_struct_size(call, name, pointer)) return;
      Struct read;
      if (kit::read_struct(pointer, read) != XHAL_SUCCESS) {
        call.found(Kind::kUnknownField, XHAL_ERROR_UNKNOWN_FIELD,
                   field(name, "struct_size") + " is " + std::to_string(pointer->struct_size) +
                       ", and behind the " + std::to_string(sizeof(Struct)) +
                       " bytes that are known not all is zero");
        return;
      }
      if constexpr (requires { read.flags; })
        check_flags(call, field(name, "flags").c_str(), read.flags, kDefinedFlags<Struct>);
      if constexpr (requires { read.reserved; }) {
        if (read.reserved != 0) {
          call.found(
              Kind::kReservedField, XHAL_SUCCESS,
              field(name, "reserved") + " is " + std::to_string(read.reserved) + ", and means nothing yet");
        }
      }
    }
  }
}

template <class T>
void check_out(Call& call, const char* name, T* pointer, bool required) {
  if (pointer == nullptr) {
    if (required) check_present(call, name, true);
    return;
  }
  if constexpr (Sized<T> && !kIsElement<T>) check_struct_size(call, name, pointer);
}

inline void check_value(Call& call, std::string_view name, uint64_t value) {
  if (name == "flags") check_flags(call, "flags", static_cast<uint32_t>(value), defined_flags(call.entry()));
}
template <class T>
void check_value(Call& /*call*/, std::string_view /*name*/, T /*value*/)
  requires(!std::is_unsigned_v<T>)
{}

}  // namespace xhal::validate
