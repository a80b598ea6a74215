// SPDX-License-Identifier: Apache-2.0
// Drivers that answer less, later, or in other units than one expects.
#include <algorithm>
#include <cstdio>
#include <unordered_map>

#include "submissions.hpp"

namespace xhal::variants {
namespace {

// ---- not_ready: queries learn of an end somewhat later than memory shows it

constexpr Id kNotReady = Id::k_not_ready;

// How often a query of a stream or event still says that it is not ready. All of it is over when anybody was told that something is done: by
// then the driver has looked.
struct Doubts {
  struct Doubt {
    uint64_t left = 0;
    uint64_t age = 0;
  };
  std::mutex lock;
  std::unordered_map<const void*, Doubt> all;
  uint64_t age = 0;

  void begin(const void* handle, uint64_t times) {
    const std::lock_guard guard(lock);
    all[handle] = {times, age};
  }
  void forget(const void* handle) {
    const std::lock_guard guard(lock);
    all.erase(handle);
  }
  void learn() {
    const std::lock_guard guard(lock);
    ++age;
  }
  bool doubts(const void* handle) {
    const std::lock_guard guard(lock);
    const auto found = all.find(handle);
    if (found == all.end() || found->second.age != age || found->second.left == 0) {
      ++age;
      return false;
    }
    --found->second.left;
    return true;
  }
};

template <class Handle>
Doubts& doubts(Handle handle) {
  return own<kNotReady, Doubts>(handle);
}

struct Doubtful {
  template <class Call>
  static xhal_result_t submit(xhal_stream_t stream, Work, const Call& call) {
    const xhal_result_t result = call();
    if (result == XHAL_SUCCESS && !is_capturing(stream))
      doubts(stream).begin(stream, parameter<kNotReady>(stream));
    return result;
  }
};

xhal_result_t record(xhal_event_t event, xhal_stream_t stream, uint32_t flags) {
  const xhal_result_t result = Submissions<kNotReady, Doubtful>::record(event, stream, flags);
  if (result == XHAL_SUCCESS && !is_capturing(stream))
    doubts(event).begin(event, parameter<kNotReady>(event));
  return result;
}
template <class Handle>
xhal_result_t answer(Handle handle, xhal_result_t result) {
  if (result != XHAL_SUCCESS || !doubts(handle).doubts(handle)) return result;
  count(kNotReady);
  return XHAL_NOT_READY;
}
xhal_result_t query_stream(xhal_stream_t stream) {
  return answer(stream, next<kNotReady>(stream).stream_query(stream));
}
xhal_result_t query_event(xhal_event_t event) {
  return answer(event, next<kNotReady>(event).event_query(event));
}
template <class Handle>
xhal_result_t learned(Handle handle, xhal_result_t result) {
  if (result == XHAL_SUCCESS) doubts(handle).learn();
  return result;
}
xhal_result_t synchronize_stream(xhal_stream_t stream, uint64_t timeout_ns) {
  return learned(stream, next<kNotReady>(stream).stream_synchronize(stream, timeout_ns));
}
xhal_result_t synchronize_event(xhal_event_t event, uint64_t timeout_ns) {
  return learned(event, next<kNotReady>(event).event_synchronize(event, timeout_ns));
}
xhal_result_t synchronize_device(xhal_device_t device, uint64_t timeout_ns) {
  return learned(device, next<kNotReady>(device).device_synchronize(device, timeout_ns));
}
xhal_result_t elapsed(xhal_event_t start, xhal_event_t end, int64_t* out) {
  return learned(start, next<kNotReady>(start).event_get_elapsed(start, end, out));
}
xhal_result_t reset(xhal_device_t device) {
  return learned(device, next<kNotReady>(device).device_reset(device));
}
xhal_result_t create_stream(xhal_device_t device, const xhal_stream_desc_t* desc, xhal_stream_t* out) {
  const xhal_result_t result = next<kNotReady>(device).stream_create(device, desc, out);
  if (result == XHAL_SUCCESS) doubts(device).forget(*out);
  return result;
}
xhal_result_t create_event(xhal_device_t device, const xhal_event_desc_t* desc, xhal_event_t* out) {
  const xhal_result_t result = next<kNotReady>(device).event_create(device, desc, out);
  if (result == XHAL_SUCCESS) doubts(device).forget(*out);
  return result;
}

// ---- coarse_timer

constexpr Id kTimer = Id::k_coarse_timer;

xhal_result_t coarse_elapsed(xhal_event_t start, xhal_event_t end, int64_t* out) {
  const xhal_result_t result = next<kTimer>(start).event_get_elapsed(start, end, out);
  if (result != XHAL_SUCCESS) return result;
  const auto tick = static_cast<int64_t>(parameter<kTimer>(start));
  const int64_t coarse = *out / tick * tick;
  if (coarse != *out) count(kTimer);
  *out = coarse;
  return result;
}
xhal_result_t coarse_timer_properties(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = next<kTimer>(device).device_get_properties(device, out);
  if (result == XHAL_SUCCESS && XHAL_TOLD(out, event_resolution_ns) && out->event_resolution_ns != 0) {
    out->event_resolution_ns =
        std::max(out->event_resolution_ns, static_cast<uint32_t>(parameter<kTimer>(device)));
  }
  return result;
}

// ---- coarse_memory_info

constexpr Id kInfo = Id::k_coarse_memory_info;

xhal_result_t coarse_info(xhal_device_t device, xhal_memory_info_t* out) {
  const xhal_result_t result = next<kInfo>(device).device_get_memory_info(device, out);
  if (result != XHAL_SUCCESS || !XHAL_TOLD(out, free_bytes)) return result;
  const uint64_t step = parameter<kInfo>(device);
  const uint64_t coarse = out->free_bytes / step * step;
  if (coarse != out->free_bytes) count(kInfo);
  out->free_bytes = coarse;
  return result;
}
xhal_result_t coarse_info_properties(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = next<kInfo>(device).device_get_properties(device, out);
  if (result == XHAL_SUCCESS && XHAL_TOLD(out, memory_granularity))
    out->memory_granularity = std::max(out->memory_granularity, parameter<kInfo>(device));
  return result;
}

// ---- coarse_alignment

constexpr Id kAlignment = Id::k_coarse_alignment;

xhal_result_t allocate_aligned(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  const uint64_t alignment = parameter<kAlignment>(device);
  // What is no power of two is the driver's to refuse.
  if (!is_whole(desc) || desc->alignment >= alignment || (desc->alignment & (desc->alignment - 1)) != 0)
    return next<kAlignment>(device).memory_allocate(device, desc, out);
  xhal_memory_desc_t aligned = *desc;
  aligned.alignment = alignment;
  const xhal_result_t result = next<kAlignment>(device).memory_allocate(device, &aligned, out);
  if (result == XHAL_SUCCESS) count(kAlignment);
  return result;
}
xhal_result_t aligned_properties(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = next<kAlignment>(device).device_get_properties(device, out);
  if (result == XHAL_SUCCESS && XHAL_TOLD(out, memory_alignment))
    out->memory_alignment = std::max(out->memory_alignment, parameter<kAlignment>(device));
  return result;
}

// ---- renamed

constexpr Id kRenamed = Id::k_renamed;

xhal_result_t renamed_device(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = next<kRenamed>(device).device_get_properties(device, out);
  if (result != XHAL_SUCCESS || !XHAL_TOLD(out, vendor)) return result;
  std::snprintf(out->name, sizeof(out->name), "Somebody's Accelerator \xc2\xb5-%u", out->index);
  std::snprintf(out->vendor, sizeof(out->vendor), "Somebody");
  count(kRenamed);
  return result;
}
xhal_result_t renamed_driver(xhal_driver_t driver, xhal_driver_properties_t* out) {
  const xhal_result_t result = next<kRenamed>(driver).driver_get_properties(driver, out);
  if (result != XHAL_SUCCESS || !XHAL_TOLD(out, vendor)) return result;
  // The name by which it is found is its manifest's, so that stays.
  std::snprintf(out->version, sizeof(out->version), "7.77-somebody");
  std::snprintf(out->vendor, sizeof(out->vendor), "Somebody");
  count(kRenamed);
  return result;
}

}  // namespace

std::shared_ptr<void> make_doubts() { return std::make_shared<Doubts>(); }

void install_not_ready(xhal_functions_t& to) {
  Submissions<kNotReady, Doubtful>::install(to);
  to.event_record = record;
  to.stream_query = query_stream;
  to.event_query = query_event;
  to.stream_synchronize = synchronize_stream;
  to.event_synchronize = synchronize_event;
  to.device_synchronize = synchronize_device;
  to.event_get_elapsed = elapsed;
  to.device_reset = reset;
  to.stream_create = create_stream;
  to.event_create = create_event;
}
void install_coarse_timer(xhal_functions_t& to) {
  to.event_get_elapsed = coarse_elapsed;
  to.device_get_properties = coarse_timer_properties;
}
void install_coarse_memory_info(xhal_functions_t& to) {
  to.device_get_memory_info = coarse_info;
  to.device_get_properties = coarse_info_properties;
}
void install_coarse_alignment(xhal_functions_t& to) {
  to.memory_allocate = allocate_aligned;
  to.device_get_properties = aligned_properties;
}
void install_renamed(xhal_functions_t& to) {
  to.device_get_properties = renamed_device;
  to.driver_get_properties = renamed_driver;
}

}  // namespace xhal::variants
