// SPDX-License-Identifier: Apache-2.0
// Lies about instances beside one another and about a thread's way between devices. Each function does what the driver does, but for one lie.
#include <algorithm>
#include <chrono>
#include <thread>

#include "fault.hpp"

namespace xhal::faults {
namespace {

// ---- Instances ----

// The vendor's runtime ends with the first instance that ends.
std::atomic<uint64_t> g_ended{0};
struct Life {
  uint64_t ended_before = g_ended.load();
  Life() = default;
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;
  ~Life() { ++g_ended; }
};
xhal_result_t create_and_live(xhal_device_t device, const xhal_stream_desc_t* desc, xhal_stream_t* out) {
  own<Life>(device);
  return next::stream_create(device, desc, out);
}
xhal_result_t synchronize_until_one_ends(xhal_stream_t stream, uint64_t timeout_ns) {
  const xhal_result_t result = next::stream_synchronize(stream, timeout_ns);
  return result == XHAL_SUCCESS && g_ended > own<Life>(stream).ended_before
             ? xhal_result_t{XHAL_ERROR_DEVICE_LOST}
             : result;
}

// What an instance leaves allocated is lost for the process.
std::atomic<uint64_t> g_lost_bytes{0};
struct Allocations {
  std::mutex lock;
  std::unordered_map<void*, uint64_t> sizes;
  Allocations() = default;
  Allocations(const Allocations&) = delete;
  Allocations& operator=(const Allocations&) = delete;
  ~Allocations() {
    for (const auto& [pointer, size] : sizes) g_lost_bytes += size;
  }
};
xhal_result_t info_without_what_is_lost(xhal_device_t device, xhal_memory_info_t* out) {
  const xhal_result_t result = next::device_get_memory_info(device, out);
  if (result == XHAL_SUCCESS) out->free_bytes -= std::min(out->free_bytes, g_lost_bytes.load());
  return result;
}
xhal_result_t allocate_what_is_not_lost(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  auto info = sized<xhal_memory_info_t>();
  if (!is_whole(desc) || desc->kind != XHAL_MEMORY_DEVICE) return next::memory_allocate(device, desc, out);
  if (info_without_what_is_lost(device, &info) == XHAL_SUCCESS && desc->size > info.free_bytes)
    return XHAL_ERROR_OUT_OF_DEVICE_MEMORY;
  const xhal_result_t result = next::memory_allocate(device, desc, out);
  if (result != XHAL_SUCCESS) return result;
  auto& allocations = own<Allocations>(device);
  const std::lock_guard guard(allocations.lock);
  allocations.sizes[*out] = desc->size;
  return result;
}
xhal_result_t free_what_is_not_lost(xhal_device_t device, void* pointer) {
  const xhal_result_t result = next::memory_free(device, pointer);
  if (result != XHAL_SUCCESS) return result;
  auto& allocations = own<Allocations>(device);
  const std::lock_guard guard(allocations.lock);
  allocations.sizes.erase(pointer);
  return result;
}

// Each instance counts its addresses by itself: it gives out one that is another instance's.
struct Address {
  std::mutex lock;
  const Attachment* owner = nullptr;
  void* pointer = nullptr;
  uint64_t size = 0;
  uint32_t kind = 0;
};
Address g_address;
xhal_result_t allocate_at_anothers_address(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  const xhal_result_t result = next::memory_allocate(device, desc, out);
  if (result != XHAL_SUCCESS || !is_whole(desc)) return result;
  const Attachment* me = &here(device);
  const std::lock_guard guard(g_address.lock);
  const bool is_anothers = g_address.owner != nullptr && g_address.owner != me;
  if (!is_anothers) {
    g_address.owner = me;
    g_address.pointer = *out;
    g_address.size = desc->size;
    g_address.kind = desc->kind;
  } else if (g_address.kind == desc->kind && desc->size <= g_address.size &&
             notes(device).of(g_address.pointer) == 0) {
    notes(device).put(g_address.pointer, reinterpret_cast<uintptr_t>(*out));
    *out = g_address.pointer;
  }
  return result;
}
xhal_result_t free_at_anothers_address(xhal_device_t device, void* pointer) {
  if (const uint64_t real = notes(device).take(pointer); real != 0)
    return next::memory_free(device, reinterpret_cast<void*>(real));
  const xhal_result_t result = next::memory_free(device, pointer);
  const std::lock_guard guard(g_address.lock);
  if (result == XHAL_SUCCESS && g_address.owner == &here(device) && g_address.pointer == pointer)
    g_address.owner = nullptr;
  return result;
}

// ---- Threads and processes ----

// A thread's current device: that of the stream it last filled on. Allocations are made there.
struct CurrentDevices {
  std::mutex lock;
  std::unordered_map<std::thread::id, xhal_device_t> of;
};
xhal_result_t fill_and_stay_there(xhal_stream_t stream, void* destination, uint64_t pattern, uint32_t width,
                                  uint64_t size) {
  const xhal_result_t result = next::memory_fill(stream, destination, pattern, width, size);
  auto& current = own<CurrentDevices>(stream);
  const std::lock_guard guard(current.lock);
  current.of[std::this_thread::get_id()] = device_of(stream);
  return result;
}
xhal_result_t allocate_where_the_thread_is(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  xhal_device_t there = nullptr;
  {
    auto& current = own<CurrentDevices>(device);
    const std::lock_guard guard(current.lock);
    if (const auto found = current.of.find(std::this_thread::get_id()); found != current.of.end())
      there = found->second;
  }
  if (there == nullptr || there == device) return next::memory_allocate(device, desc, out);
  const xhal_result_t result = below(device).memory_allocate(there, desc, out);
  if (result == XHAL_SUCCESS) notes(device).put(*out, reinterpret_cast<uintptr_t>(there));
  return result;
}
xhal_result_t free_where_the_thread_was(xhal_device_t device, void* pointer) {
  const uint64_t there = notes(device).take(pointer);
  return there == 0 ? next::memory_free(device, pointer)
                    : below(device).memory_free(reinterpret_cast<xhal_device_t>(there), pointer);
}

xhal_result_t properties_open_the_device(xhal_device_t device, xhal_device_properties_t* out) {
  xhal_stream_t stream = nullptr;
  if (below(device).stream_create(device, nullptr, &stream) == XHAL_SUCCESS)
    below(device).stream_destroy(stream);
  return next::device_get_properties(device, out);
}

// ---- What is declared ----

xhal_result_t properties_of_a_synchronous_device(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = next::device_get_properties(device, out);
  if (result == XHAL_SUCCESS && out->struct_size >= sizeof(*out)) out->is_synchronous = 1;
  return result;
}
void doze(void*, xhal_result_t) { std::this_thread::sleep_for(std::chrono::milliseconds(100)); }
// So slow that whoever asks behind the call finds it at work.
xhal_result_t fill_slowly(xhal_stream_t stream, void* destination, uint64_t pattern, uint32_t width,
                          uint64_t size) {
  constexpr uint64_t kLarge = 1u << 20;
  if (size >= kLarge && !is_capturing(stream)) next::stream_host_function(stream, doze, nullptr);
  return next::memory_fill(stream, destination, pattern, width, size);
}

// Made for a later revision, whose struct has grown.
xhal_result_t create_by_a_grown_struct(xhal_device_t device, const xhal_event_desc_t* desc,
                                       xhal_event_t* out) {
  if (is_whole(desc)) return XHAL_ERROR_INVALID_ARGUMENT;
  return next::event_create(device, desc, out);
}

}  // namespace

const std::span<const Lie> kInstancesLies = [] {
  static const Lie kLies[] = {
#include "table/instances.def"
  };
  return std::span<const Lie>(kLies);
}();

}  // namespace xhal::faults
