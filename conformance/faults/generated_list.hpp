// SPDX-License-Identifier: Apache-2.0
// The generated faults as data: every entry of the contract's list, wrong in each way that its parameters have room for. Nobody writes these
// rows: an entry that is added to the list has its faults on that day.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "xhal/driver.h"

namespace xhal::faults {

// ---- What is wrong -------------------------------------------------------------------------------------------------------------------

enum class How : uint8_t {
  kDropped,      // not made; success; outputs are left alone
  kRepeated,     // made twice; the first one's answer
  kIdle,         // not made; success; outputs are filled with what could be true
  kLate,         // made before the next call that waits for work or ends something
  kOtherStream,  // made on another stream of the device
  kOtherDevice,  // made on another device
  kShorter,      // made with a size, a count or an extent less by one
  kStale,        // answers what the successful call before answered
  kWrongError,   // an error has another code
  kWrongSuccess  // a success has another code
};

struct HowInfo {
  std::string_view name;
  std::string_view about;
};

inline constexpr std::array<HowInfo, 10> kHows = {
    {{"dropped", "is not made, reports success and leaves its outputs alone"},
     {"repeated", "is made twice"},
     {"idle", "is not made, reports success and gives outputs that could be true"},
     {"late", "is made before the next call that waits for work or ends something"},
     {"other_stream", "is made on another stream of the device"},
     {"other_device", "is made on another device"},
     {"shorter", "is made with a size less by one"},
     {"stale", "answers what the successful call before it answered"},
     {"wrong_error", "reports an error by another code"},
     {"wrong_success", "reports a success by another code"}}};

constexpr const HowInfo& info_of(How how) { return kHows[static_cast<size_t>(how)]; }

// ---- The list of calls -----------------------------------------------------------------------------------------------------------------

enum class Kind : uint8_t { kH, kV, kA, kIN, kINO, kOUT, kOUTO, kOUTH, kOUTHA };

struct Parameter {
  Kind kind;
  std::string_view type;
  std::string_view name;
};

constexpr size_t kMostParameters = 8;

struct Call {
  std::string_view name;  // without xhal_
  uint32_t feature;       // XHAL_FEATURE_x
  size_t parameter_count;
  std::array<Parameter, kMostParameters> parameters;
  bool has_sized_struct;  // a struct that it reads has a size, a count or an extent
};

template <class T>
concept WithSize = requires(T& in) { in.size; };
template <class T>
concept WithImageSize = requires(T& in) { in.image_size; };
template <class T>
concept WithGroups = requires(T& in) { in.group_count[0]; };
template <class T>
concept WithExtent = requires(T& in) { in.extent[0]; };
template <class T>
concept WithStructSize = requires(T& in) { in.struct_size; };

template <class T>
inline constexpr bool kIsSizedStruct = false;
template <class T>
  requires WithStructSize<const T>
inline constexpr bool kIsSizedStruct<const T*> =
    WithSize<const T> || WithImageSize<const T> || WithGroups<const T> || WithExtent<const T>;

template <class... Parameters>
constexpr bool takes_sized_struct(xhal_result_t (* /*slot*/)(Parameters...)) {
  return (kIsSizedStruct<Parameters> || ...);
}

#define XHAL_FAULTS_PARAMETER_OUTHA(type, name, capacity, count) {Kind::kOUTHA, #type, #name},
#define XHAL_FAULTS_PARAMETER_H(type, name) {Kind::kH, #type, #name},
#define XHAL_FAULTS_PARAMETER_V(type, name) {Kind::kV, #type, #name},
#define XHAL_FAULTS_PARAMETER_A(type, name) {Kind::kA, #type, #name},
#define XHAL_FAULTS_PARAMETER_IN(type, name) {Kind::kIN, #type, #name},
#define XHAL_FAULTS_PARAMETER_INO(type, name) {Kind::kINO, #type, #name},
#define XHAL_FAULTS_PARAMETER_OUT(type, name) {Kind::kOUT, #type, #name},
#define XHAL_FAULTS_PARAMETER_OUTO(type, name) {Kind::kOUTO, #type, #name},
#define XHAL_FAULTS_PARAMETER_OUTH(type, name) {Kind::kOUTH, #type, #name},
#define XHAL_FAULTS_PARAMETER_(kind, ...) XHAL_FAULTS_PARAMETER_##kind(__VA_ARGS__)
#define XHAL_FAULTS_PARAMETER(tuple) XHAL_FAULTS_PARAMETER_ tuple

constexpr Call call_of(std::string_view name, uint32_t feature, bool has_sized_struct,
                       std::initializer_list<Parameter> parameters) {
  Call out{name, feature, parameters.size(), {}, has_sized_struct};
  size_t i = 0;
  for (const Parameter& one : parameters) out.parameters[i++] = one;
  return out;
}

inline constexpr Call kCalls[] = {
#define XHAL_ENTRY(feature, since, name, ...)                                                    \
  call_of(#name, XHAL_FEATURE_##feature, takes_sized_struct(decltype(xhal_functions_t::name){}), \
          {XHAL_PP_EACH(XHAL_FAULTS_PARAMETER, __VA_ARGS__)}),
#include "xhal/entry_points.def"
};

inline constexpr size_t kCallCount = sizeof(kCalls) / sizeof(kCalls[0]);

// ---- What a call's parameters and the forms of its name say ------------------------------------------------------------------------------

constexpr bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

constexpr size_t kNoPlace = SIZE_MAX;

constexpr size_t place_of(const Call& call, Kind kind, std::string_view type) {
  for (size_t i = 0; i < call.parameter_count; ++i) {
    if (call.parameters[i].kind == kind && call.parameters[i].type == type) return i;
  }
  return kNoPlace;
}
constexpr size_t place_of_stream(const Call& call) { return place_of(call, Kind::kH, "stream"); }
constexpr size_t place_of_device(const Call& call) { return place_of(call, Kind::kH, "device"); }

constexpr size_t place_of_value(const Call& call, std::string_view name) {
  for (size_t i = 0; i < call.parameter_count; ++i) {
    if (call.parameters[i].kind == Kind::kV && call.parameters[i].name == name) return i;
  }
  return kNoPlace;
}
// The value among the parameters that says how much.
constexpr size_t place_of_size(const Call& call) {
  for (const std::string_view name : {"size", "keep_bytes", "local_bytes", "count", "capacity"}) {
    if (const size_t place = place_of_value(call, name); place != kNoPlace) return place;
  }
  return kNoPlace;
}

// Gives something beside handles.
constexpr bool has_output(const Call& call) {
  for (size_t i = 0; i < call.parameter_count; ++i) {
    if (call.parameters[i].kind == Kind::kOUT || call.parameters[i].kind == Kind::kOUTO) return true;
  }
  return false;
}
constexpr bool gives_handle(const Call& call) {
  for (size_t i = 0; i < call.parameter_count; ++i) {
    if (call.parameters[i].kind == Kind::kOUTH) return true;
  }
  return false;
}

// Its result is its answer.
constexpr bool is_query(const Call& call) { return call.name.ends_with("_query"); }
// Changes nothing: made twice it is made once, and made later it answers nobody.
constexpr bool only_asks(const Call& call) {
  return contains(call.name, "_get_") || contains(call.name, "_has_") || contains(call.name, "_is_") ||
         contains(call.name, "_read_") || call.name.ends_with("_dump") || is_query(call);
}
constexpr bool waits(const Call& call) {
  return call.name.ends_with("_synchronize") || call.name.ends_with("_flush");
}
// Its first handle is gone after a success.
constexpr bool destroys(const Call& call) {
  return call.name.ends_with("_destroy") || call.name.ends_with("_unsubscribe");
}
// Ends what another call began.
constexpr bool ends_something(const Call& call) {
  if (destroys(call)) return true;
  for (const std::string_view form :
       {"_free", "_unregister", "_release", "_close_", "_unmap", "_reset", "_trim", "_end_", "_disable_"}) {
    if (contains(call.name, form)) return true;
  }
  return false;
}

// Whether the call has room for the fault.
constexpr bool applies(const Call& call, How how) {
  switch (how) {
    case How::kDropped:
    case How::kWrongError:
    case How::kWrongSuccess:
      return true;
    case How::kRepeated:
      return !destroys(call) && !only_asks(call) && !waits(call);
    case How::kIdle:  // without outputs it is kDropped; an object cannot be made up
      return has_output(call) && !gives_handle(call);
    case How::kLate:  // an output cannot come late, and a wait that does is none
      return !has_output(call) && !gives_handle(call) && !only_asks(call) && !waits(call);
    case How::kOtherStream:
      return place_of_stream(call) != kNoPlace;
    case How::kOtherDevice:
      return place_of_stream(call) != kNoPlace || place_of_device(call) != kNoPlace;
    case How::kShorter:
      return place_of_size(call) != kNoPlace || call.has_sized_struct;
    case How::kStale:
      return has_output(call) || gives_handle(call) || is_query(call);
  }
  return false;
}

// ---- Names: "memory_copy:late" ------------------------------------------------------------------------------------------------------------

struct GeneratedFault {
  size_t call;  // in kCalls
  How how;

  [[nodiscard]] std::string name() const {
    return std::string(kCalls[call].name) + ":" + std::string(info_of(how).name);
  }
};

inline std::vector<GeneratedFault> generated_faults() {
  std::vector<GeneratedFault> out;
  for (size_t call = 0; call < kCallCount; ++call) {
    for (size_t how = 0; how < kHows.size(); ++how) {
      if (applies(kCalls[call], static_cast<How>(how))) out.push_back({call, static_cast<How>(how)});
    }
  }
  return out;
}

}  // namespace xhal::faults
