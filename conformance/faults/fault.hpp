// SPDX-License-Identifier: Apache-2.0
// What the lies share: the way on, what a lie remembers, and how a wrong order is made to show.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>

#include "xhal/driver.h"

namespace xhal::faults {

// What a lie remembers of handles and pointers. Any thread may ask.
class Notes {
 public:
  // The number that stands beside the key, 0 for none.
  uint64_t of(const void* key) {
    const std::lock_guard guard(lock_);
    const auto found = notes_.find(key);
    return found == notes_.end() ? 0 : found->second;
  }
  void put(const void* key, uint64_t value = 1) {
    const std::lock_guard guard(lock_);
    notes_[key] = value;
  }
  // What stood there.
  uint64_t take(const void* key) {
    const std::lock_guard guard(lock_);
    const auto found = notes_.find(key);
    if (found == notes_.end()) return 0;
    const uint64_t value = found->second;
    notes_.erase(found);
    return value;
  }
  // Adds one; what stood there before.
  uint64_t count(const void* key) {
    const std::lock_guard guard(lock_);
    return notes_[key]++;
  }

 private:
  std::mutex lock_;
  std::unordered_map<const void*, uint64_t> notes_;
};

struct Lie;
struct GeneratedState;

// One for each driver of each instance that asks for the layer.
struct Attachment {
  const xhal_functions_t* next = nullptr;  // what the calls go on to: complete, no slot is null
  const Lie* lie = nullptr;                // of the table, or
  std::shared_ptr<GeneratedState> generated;
  bool counts = false;
  xhal_functions_t counted{};  // with a census: what a call goes on to when it was counted
  std::atomic<xhal_driver_t> driver{nullptr};
  Notes notes;
  std::once_flag own_made;
  std::shared_ptr<void> own;
};

// Where handles keep the Attachment: the same slot at every attach in the process.
extern std::atomic<uint32_t> g_slot;

template <class Handle>
Attachment& here(Handle handle) {
  return *static_cast<Attachment*>(XHAL_LAYER_STATE(handle, g_slot.load(std::memory_order_relaxed)));
}
template <class Handle>
Notes& notes(Handle handle) {
  return here(handle).notes;
}
// The one object of type T that the lie keeps for this driver and instance. A lie has one such type.
template <class T, class Handle>
T& own(Handle handle) {
  Attachment& at = here(handle);
  std::call_once(at.own_made, [&] { at.own = std::make_shared<T>(); });
  return *static_cast<T*>(at.own.get());
}

// On to the next layer or the driver, by a handle that the application holds.
namespace next {
#define XHAL_ENTRY(feature, since, name, ...)                                          \
  inline xhal_result_t name(XHAL_PARAMS(__VA_ARGS__)) {                                \
    return here(XHAL_FIRST_NAME(__VA_ARGS__)).next->name(XHAL_ARGUMENTS(__VA_ARGS__)); \
  }
#include "xhal/entry_points.def"
}  // namespace next

// The driver under all layers: for handles that were just given out, and for objects of the lie's own. By any handle of the application's.
template <class Handle>
const xhal_functions_t& below(Handle handle) {
  return *reinterpret_cast<const xhal_handle_header_t*>(handle)->table->driver;
}

// ---- The table ----

struct Lie {
  const char* name;
  void (*install)(xhal_functions_t& to);
};
// A row of a part's table, where its functions are. The rest of the row is for who lists faults: fault_table.h.
#define FAULT(family, feature, name, clause, wild, about, ...) \
  {#name, []([[maybe_unused]] xhal_functions_t& to) { __VA_ARGS__; }},

extern const std::span<const Lie> kCopiesLies;
extern const std::span<const Lie> kCoreLies;
extern const std::span<const Lie> kFailuresLies;
extern const std::span<const Lie> kGraphLies;
extern const std::span<const Lie> kInstancesLies;
extern const std::span<const Lie> kLaunchLies;
extern const std::span<const Lie> kMemoryLies;
extern const std::span<const Lie> kObservationLies;
extern const std::span<const Lie> kPromisesLies;
extern const std::span<const Lie> kSharingLies;
extern const std::span<const Lie> kUnclaimedLies;
extern const std::span<const Lie> kValuesLies;
extern const std::span<const Lie> kWorkLies;

// ---- What many lies do ----

// A wrong order shows only when what came too early is done before somebody looks: waiting for it is legal, and makes the kill sure. A
// wait that lasts longer than it may is a lie as well, and ends when the test lets the work go.
inline constexpr uint64_t kLongEnoughNs = 10'000'000'000;

template <class T>
T sized() {
  T out{};
  out.struct_size = sizeof(T);
  return out;
}
// Whether the lie knows all of the struct: it leaves others to the driver's checks.
template <class T>
bool is_whole(const T* in) {
  return in != nullptr && in->struct_size == sizeof(T);
}

inline xhal_result_t ignoring(xhal_result_t result, xhal_result_t ignored) {
  return result == ignored ? XHAL_SUCCESS : result;
}

// What the driver tells of a pointer, where it tells that; null where the lie has nothing to say.
inline xhal_pointer_attributes_t* told(xhal_result_t result, xhal_pointer_attributes_t* attributes) {
  return result == XHAL_SUCCESS && attributes->struct_size >= sizeof(*attributes) ? attributes : nullptr;
}

// XHAL_MEMORY_x of the memory at an address.
template <class Handle>
uint32_t kind_of(Handle handle, const void* pointer) {
  auto attributes = sized<xhal_pointer_attributes_t>();
  xhal_driver_t driver = here(handle).driver.load();
  if (driver == nullptr ||
      below(handle).driver_get_pointer_attributes(driver, pointer, &attributes) != XHAL_SUCCESS)
    return XHAL_MEMORY_UNMANAGED;
  return attributes.kind;
}

// Handles that `below` gave: only `below` takes them.
inline xhal_device_t device_of(xhal_stream_t stream) {
  xhal_device_t device = nullptr;
  return below(stream).stream_get_device(stream, &device) == XHAL_SUCCESS ? device : nullptr;
}
inline xhal_stream_t default_stream_of(xhal_stream_t stream) {
  xhal_stream_t other = nullptr;
  xhal_device_t device = device_of(stream);
  return device != nullptr && below(stream).device_get_default_stream(device, &other) == XHAL_SUCCESS
             ? other
             : nullptr;
}
// Does `work` on a stream beside this one, and waits until it is done: what the application sees is work that came too early.
template <class Work>
xhal_result_t ahead_of(xhal_stream_t stream, const Work& work) {
  xhal_stream_t other = nullptr;
  if (const xhal_result_t made = below(stream).stream_create(device_of(stream), nullptr, &other);
      made != XHAL_SUCCESS)
    return made;
  const xhal_result_t result = work(other);
  if (result == XHAL_SUCCESS) below(stream).stream_synchronize(other, kLongEnoughNs);
  below(stream).stream_destroy(other);
  return result;
}

inline bool is_capturing(xhal_stream_t stream) {
  auto info = sized<xhal_capture_info_t>();
  return below(stream).stream_get_capture_info(stream, &info) == XHAL_SUCCESS &&
         info.state == XHAL_CAPTURE_STATE_ACTIVE;
}

// From here on the stream has lost an order: what is submitted to it is done before the submitting call returns.
inline void lose_order(xhal_stream_t stream) { notes(stream).put(stream); }
// Takes over all calls that submit.
void hurry_lost_streams(xhal_functions_t& to);

}  // namespace xhal::faults
