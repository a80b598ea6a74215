// SPDX-License-Identifier: Apache-2.0
#include "entries.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "attachment.hpp"
#include "xhal/kit/driver.hpp"
#include "xhal/kit/structs.hpp"

namespace xhal::trace {
namespace {

enum class Entry : uint32_t {
#define XHAL_ENTRY(feature, since, name, ...) name,
#include "xhal/entry_points.def"
};

// ---- What each call means for the trace --------------------------------------------------------------------------------------

enum class Role {
  kPlain,       // a slice on the caller's track
  kSubmission,  // and one on the stream's
  kRecord,      // a submission that is no work of its own
  kAnswer,      // success tells that work is done
  kWait,        // an answer that may block: its begin is written before it does
  kDestroy,     // of a stream or event
  kProperties,  // tells a device's name
};

constexpr Role role_of(Entry entry) {
  switch (entry) {
    case Entry::memory_copy:
    case Entry::memory_fill:
    case Entry::memory_copy_region:
    case Entry::memory_prefetch:
    case Entry::stream_wait_event:
    case Entry::stream_host_function:
    case Entry::stream_wait_value:
    case Entry::stream_write_value:
    case Entry::kernel_launch:
    case Entry::graph_exec_launch:
    case Entry::pool_allocate:
    case Entry::pool_free:
    case Entry::stream_signal_semaphore:
    case Entry::stream_wait_semaphore:
      return Role::kSubmission;
    case Entry::event_record:
      return Role::kRecord;
    case Entry::stream_query:
    case Entry::event_query:
      return Role::kAnswer;
    case Entry::stream_synchronize:
    case Entry::event_synchronize:
    case Entry::device_synchronize:
      return Role::kWait;
    case Entry::stream_destroy:
    case Entry::event_destroy:
      return Role::kDestroy;
    case Entry::device_get_properties:
      return Role::kProperties;
    default:
      return Role::kPlain;
  }
}

// Calls that take a stream and submit nothing. Every other one that takes a stream must be named above: a call that is added to the
// list does not compile until someone has decided what it is.
constexpr bool takes_stream_but_submits_nothing(Entry entry) {
  switch (entry) {
    case Entry::stream_get_info:
    case Entry::stream_get_device:
    case Entry::stream_begin_capture:
    case Entry::stream_end_capture:
    case Entry::stream_get_capture_info:
    case Entry::stream_get_native:
      return true;
    default:
      return false;
  }
}

template <class... Parameters>
constexpr bool takes_stream(xhal_result_t (* /*slot*/)(Parameters...)) {
  return (std::same_as<Parameters, xhal_stream_t> || ...);
}

#define XHAL_ENTRY(feature, since, name, ...)                                                                \
  static_assert(!takes_stream(decltype(xhal_functions_t::name){}) || role_of(Entry::name) != Role::kPlain || \
                    takes_stream_but_submits_nothing(Entry::name),                                           \
                #name " takes a stream: say in role_of what it is");
#include "xhal/entry_points.def"

// ---- Arguments ---------------------------------------------------------------------------------------------------------------

template <class T>
void in_argument(EventText& /*text*/, std::string_view /*key*/, const T* /*value*/) {}

void in_argument(EventText& text, std::string_view key, const char* value) {
  if (value != nullptr) text.argument(key, std::string_view(value, strnlen(value, 256)));
}

void in_argument(EventText& text, std::string_view /*key*/, const xhal_launch_t* value) {
  xhal_launch_t launch;
  if (kit::read_struct(value, launch) != XHAL_SUCCESS) return;
  const auto shape = [&](std::string_view key, const uint32_t(&size)[3]) {
    text.argument(
        key, std::to_string(size[0]) + " x " + std::to_string(size[1]) + " x " + std::to_string(size[2]));
  };
  shape("group_count", launch.group_count);
  shape("group_size", launch.group_size);
  if (launch.correlation_id != 0) text.argument("application_correlation", launch.correlation_id);
}

void in_argument(EventText& text, std::string_view /*key*/, const xhal_memory_desc_t* value) {
  xhal_memory_desc_t desc;
  if (kit::read_struct(value, desc) != XHAL_SUCCESS) return;
  text.argument("kind", desc.kind);
  text.argument("size", desc.size);
}

void in_argument(EventText& text, std::string_view /*key*/, const xhal_copy_region_t* value) {
  xhal_copy_region_t region;
  if (kit::read_struct(value, region) != XHAL_SUCCESS) return;
  text.argument("destination", static_cast<const void*>(region.destination));
  text.argument("source", region.source);
  text.argument("extent", std::to_string(region.extent[0]) + " x " + std::to_string(region.extent[1]) +
                              " x " + std::to_string(region.extent[2]));
}

void in_argument(EventText& text, std::string_view /*key*/, const xhal_stream_desc_t* value) {
  xhal_stream_desc_t desc;
  if (kit::read_struct(value, desc) == XHAL_SUCCESS) text.argument("priority", desc.priority);
}

void in_argument(EventText& text, std::string_view /*key*/, const xhal_event_desc_t* value) {
  xhal_event_desc_t desc;
  if (kit::read_struct(value, desc) == XHAL_SUCCESS) text.argument("flags", desc.flags);
}

void in_argument(EventText& text, std::string_view /*key*/, const xhal_module_desc_t* value) {
  xhal_module_desc_t desc;
  if (kit::read_struct(value, desc) != XHAL_SUCCESS) return;
  in_argument(text, "format", desc.format);
  in_argument(text, "target", desc.target);
  text.argument("image_size", desc.image_size);
}

// Function pointers tell nobody anything.
template <class Result, class... Parameters>
void in_argument(EventText& /*text*/, std::string_view /*key*/, Result (* /*function*/)(Parameters...)) {}

#define XHAL_TRACE_ARGUMENT_H(type, name) text.argument(#name, static_cast<const void*>(name));
#define XHAL_TRACE_ARGUMENT_V(ctype, name) text.argument(#name, name);
#define XHAL_TRACE_ARGUMENT_A(ctype, name) text.argument(#name, static_cast<const void*>(name));
#define XHAL_TRACE_ARGUMENT_IN(ctype, name) in_argument(text, #name, name);
#define XHAL_TRACE_ARGUMENT_INO(ctype, name) in_argument(text, #name, name);
#define XHAL_TRACE_ARGUMENT_OUT(ctype, name)
#define XHAL_TRACE_ARGUMENT_OUTO(ctype, name)
#define XHAL_TRACE_ARGUMENT_OUTH(type, name)
#define XHAL_TRACE_ARGUMENT_OUTHA(type, name, capacity, count)
#define XHAL_TRACE_ARGUMENT_(kind, ...) XHAL_TRACE_ARGUMENT_##kind(__VA_ARGS__)
#define XHAL_TRACE_ARGUMENT(tuple) XHAL_TRACE_ARGUMENT_ tuple

// ---- What a call gave, once it has succeeded ------------------------------------------------------------------------------------

inline void out_argument(EventText& text, std::string_view key, void* const* value) {
  text.argument(key, *value);
}
template <std::integral T>
void out_argument(EventText& text, std::string_view key, const T* value) {
  text.argument(key, *value);
}
template <class T>
void out_argument(EventText& /*text*/, std::string_view /*key*/, const T* /*value*/) {}

#define XHAL_TRACE_GIVEN_H(type, name)
#define XHAL_TRACE_GIVEN_V(ctype, name)
#define XHAL_TRACE_GIVEN_A(ctype, name)
#define XHAL_TRACE_GIVEN_IN(ctype, name)
#define XHAL_TRACE_GIVEN_INO(ctype, name)
#define XHAL_TRACE_GIVEN_OUT(ctype, name) \
  if ((name) != nullptr) out_argument(out, #name, name);
#define XHAL_TRACE_GIVEN_OUTO(ctype, name) XHAL_TRACE_GIVEN_OUT(ctype, name)
#define XHAL_TRACE_GIVEN_OUTH(type, name) \
  if ((name) != nullptr) out.argument(#name, static_cast<const void*>(*(name)));
#define XHAL_TRACE_GIVEN_OUTHA(type, name, capacity, count)
#define XHAL_TRACE_GIVEN_(kind, ...) XHAL_TRACE_GIVEN_##kind(__VA_ARGS__)
#define XHAL_TRACE_GIVEN(tuple) XHAL_TRACE_GIVEN_ tuple

// The argument of a type among all arguments.
template <class Wanted, class First, class... Rest>
Wanted pick(First first, Rest... rest) {
  if constexpr (std::same_as<Wanted, First>) {
    return first;
  } else {
    return pick<Wanted>(rest...);
  }
}

// ---- One call ----------------------------------------------------------------------------------------------------------------

std::string_view result_name(xhal_result_t result) {
  switch (result) {
#define XHAL_TRACE_NAME(name, value, text) \
  case name:                               \
    return #name;
    XHAL_RESULT_LIST(XHAL_TRACE_NAME)
#undef XHAL_TRACE_NAME
    default:
      return "XHAL_UNKNOWN_RESULT";
  }
}

template <class Given>
void end_of_call(EventText& text, Attachment& attachment, xhal_result_t result, uint64_t correlation,
                 const Given& given_out) {
  text.argument("result", result_name(result));
  if (result >= 0) given_out(text);
  if (correlation != 0) text.argument("correlation", correlation);
  text.argument("driver", attachment.driver_name());
}

template <Entry kEntry, class... Arguments>
std::vector<Promise> promise(Attachment& attachment, Arguments... arguments) {
  if constexpr (kEntry == Entry::event_query || kEntry == Entry::event_synchronize) {
    return attachment.promise_of_event(pick<xhal_event_t>(arguments...));
  } else if constexpr (kEntry == Entry::device_synchronize) {
    return attachment.promise_of_device(pick<xhal_device_t>(arguments...));
  } else {
    return attachment.promise_of_stream(pick<xhal_stream_t>(arguments...));
  }
}

template <Entry kEntry, class... Arguments>
std::string operation_name(Attachment& attachment, std::string_view entry, Arguments... arguments) {
  if constexpr (kEntry == Entry::kernel_launch) {
    return attachment.kernel_name(pick<xhal_kernel_t>(arguments...));
  } else {
    return std::string(entry);
  }
}

// A launch's own id is what its record and a fault tell: it stays.
template <Entry kEntry, class... Arguments>
bool has_own_correlation(Arguments... arguments) {
  if constexpr (kEntry == Entry::kernel_launch) {
    xhal_launch_t launch = {};
    const auto* given = pick<const xhal_launch_t*>(arguments...);
    return given == nullptr || kit::read_struct(given, launch) != XHAL_SUCCESS || launch.correlation_id != 0;
  } else {
    return false;
  }
}

// `call` goes on to the next layer or the driver; `given` holds the arguments' text, `given_out` adds what the call gave. What the layer itself asks the driver is asked
// before the call, so that the thread's last error is the call's own.
template <Entry kEntry, class Call, class Given, class... Arguments>
xhal_result_t traced(Attachment& attachment, std::string_view name, EventText& given, const Call& call,
                     const Given& given_out, Arguments... arguments) {
  constexpr Role kRole = role_of(kEntry);
  constexpr bool kSubmits = kRole == Role::kSubmission || kRole == Role::kRecord;
  constexpr bool kAnswers = kRole == Role::kAnswer || kRole == Role::kWait;
  const Track track = calling_thread();
  uint64_t correlation = 0;
  std::string operation;
  bool captured = false;
  std::vector<Promise> promises;
  DeviceTimes& times = attachment.device_times();
  if constexpr (kEntry == Entry::driver_get_devices) times.learn_driver(pick<xhal_driver_t>(arguments...));
  if constexpr (kSubmits) {
    correlation = kit::services().next_id();
    operation = operation_name<kEntry>(attachment, name.substr(sizeof("xhal_") - 1), arguments...);
    if (const auto stream = pick<xhal_stream_t>(arguments...); attachment.ensure_known(stream))
      times.watch(stream);
    captured = attachment.is_capturing(pick<xhal_stream_t>(arguments...));
  }
  if constexpr (kRole == Role::kRecord) {
    attachment.record_begins(pick<xhal_event_t>(arguments...), pick<xhal_stream_t>(arguments...));
  }
  if constexpr (kAnswers) promises = promise<kEntry>(attachment, arguments...);

  const uint64_t begin = now_ns();
  if constexpr (kRole == Role::kWait) {
    EventText text;
    text.begin('B', name, track, begin);
    text.category("call");
    text.arguments_of(given);
    text.end();
    attachment.write(text, begin, Flush::kNow);  // so that a call that hangs is seen
  }
  bool pushed = false;
  if constexpr (kRole == Role::kSubmission) {
    if (!captured && !has_own_correlation<kEntry>(arguments...))
      pushed = times.push(correlation, track, begin);
  }
  xhal_result_t result = call();
  if constexpr (kEntry == Entry::activity_subscribe) {
    if (result == XHAL_ERROR_BUSY && times.give_way(pick<xhal_device_t>(arguments...))) result = call();
    if (result >= 0) times.application_subscribed();
  }
  if (pushed) times.pop(result >= 0, correlation);
  const uint64_t end = now_ns();

  EventText text;
  if constexpr (kRole == Role::kWait) {
    text.begin('E', name, track, end);
    text.category("call");
  } else {
    text.begin('X', name, track, begin);
    text.duration(end - begin);
    text.category("call");
    text.arguments_of(given);
  }
  end_of_call(text, attachment, result, correlation, given_out);
  text.end();
  attachment.write(text, end, result < 0 ? Flush::kNow : Flush::kWhenDue);

  if constexpr (kSubmits) {
    if constexpr (kRole == Role::kRecord)
      attachment.record_ends(pick<xhal_event_t>(arguments...), result >= 0 && !captured);
    if (result >= 0) {
      given.argument("correlation", correlation);
      attachment.submitted({pick<xhal_stream_t>(arguments...), operation, correlation, begin, end,
                            kRole != Role::kRecord && !captured, captured},
                           given);
    }
  }
  if constexpr (kAnswers) {
    if (result == XHAL_SUCCESS) attachment.keep(promises, name, begin, end);
    if (kRole == Role::kWait && result == XHAL_SUCCESS) times.collect();
  }
  if constexpr (kEntry == Entry::stream_begin_capture) {
    if (result >= 0) attachment.capture_began();
  }
  if constexpr (kEntry == Entry::stream_destroy) {
    if (result >= 0) attachment.destroyed(pick<xhal_stream_t>(arguments...), end);
  }
  if constexpr (kEntry == Entry::event_destroy) {
    if (result >= 0) attachment.destroyed(pick<xhal_event_t>(arguments...));
  }
  if constexpr (kRole == Role::kProperties) {
    if (const auto* out = pick<xhal_device_properties_t*>(arguments...);
        result >= 0 && out->struct_size >= offsetof(xhal_device_properties_t, vendor)) {
      attachment.learn_device(*out);
    }
  }
  return result;
}

uint32_t layer_slot = 0;

template <class Handle>
Attachment& attachment_of(Handle handle) {
  return *static_cast<Attachment*>(XHAL_LAYER_STATE(handle, layer_slot));
}

#define XHAL_ENTRY(feature, since, name, ...)                                              \
  xhal_result_t trace_##name(XHAL_PARAMS(__VA_ARGS__)) {                                   \
    Attachment& attachment = attachment_of(XHAL_FIRST_NAME(__VA_ARGS__));                  \
    const auto call = [&] { return attachment.next().name(XHAL_ARGUMENTS(__VA_ARGS__)); }; \
    if (!attachment.recording()) return call();                                            \
    EventText text;                                                                        \
    XHAL_PP_EACH(XHAL_TRACE_ARGUMENT, __VA_ARGS__)                                         \
    const auto given_out = [&]([[maybe_unused]] EventText& out) {                          \
      XHAL_PP_EACH(XHAL_TRACE_GIVEN, __VA_ARGS__)                                          \
    };                                                                                     \
    return traced<Entry::name>(attachment, "xhal_" #name, text, call, given_out,           \
                               XHAL_ARGUMENTS(__VA_ARGS__));                               \
  }
#include "xhal/entry_points.def"

}  // namespace

void intercept_all(xhal_functions_t& functions, uint32_t capacity, uint32_t slot) {
  layer_slot = slot;
  // An older host's table is shorter than the list of this build.
#define XHAL_ENTRY(feature, since, name, ...) \
  if (offsetof(xhal_functions_t, name) + sizeof(functions.name) <= capacity) functions.name = trace_##name;
#include "xhal/entry_points.def"
}

}  // namespace xhal::trace
