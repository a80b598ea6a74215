// SPDX-License-Identifier: Apache-2.0
// What the oddities of the layer share: the way on, what each remembers, and the numbers that show that it was odd.
//
// Several may be asked for at once. Each has a table of its own, made on top of the one before it, and calls on through next<Id>(handle): so
// they stack as layers do, in the order in which they are named, the first one nearest to the driver.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <type_traits>

#include "xhal/driver.h"

namespace xhal::variants {

enum class Id : uint32_t {
#define ODDITY(name, ...) k_##name,
#include "oddities.def"
#undef ODDITY
  kWithout,  // features, a name each
};
inline constexpr size_t kCount = static_cast<size_t>(Id::kWithout) + 1;

using FeatureBits = uint64_t;
constexpr FeatureBits bit_of(uint32_t feature) { return FeatureBits{1} << feature; }
inline constexpr uint32_t kFeatures = 64;  // numbers that a set of them holds

// One for each driver of each instance that asks for the layer.
struct Attachment {
  xhal_functions_t base{};  // the next layer or the driver
  const xhal_functions_t* below = &base;
  const xhal_functions_t* top = nullptr;               // all oddities
  std::array<const xhal_functions_t*, kCount> next{};  // of each oddity that is there
  std::array<xhal_functions_t, kCount> tables{};       // with that oddity on top
  std::array<uint64_t, kCount> parameters{};
  std::array<std::shared_ptr<void>, kCount> own;
  FeatureBits without = 0;
  std::atomic<xhal_driver_t> driver{nullptr};
};

// Where handles keep the Attachment: the same slot at every attach in the process.
extern std::atomic<uint32_t> g_slot;

template <class Handle>
Attachment& here(Handle handle) {
  return *static_cast<Attachment*>(XHAL_LAYER_STATE(handle, g_slot.load(std::memory_order_relaxed)));
}
// By a handle that the application holds.
template <Id id, class Handle>
const xhal_functions_t& next(Handle handle) {
  return *here(handle).next[static_cast<size_t>(id)];
}
template <Id id, class Handle>
uint64_t parameter(Handle handle) {
  return here(handle).parameters[static_cast<size_t>(id)];
}
// What the oddity keeps for this driver and instance; made when the layer is attached, by its make_ function.
template <Id id, class T, class Handle>
T& own(Handle handle) {
  return *static_cast<T*>(here(handle).own[static_cast<size_t>(id)].get());
}

// The driver under all layers: for handles that were just given out, and for objects of the oddity's own. By any handle of the application's.
template <class Handle>
const xhal_functions_t& below(Handle handle) {
  return *reinterpret_cast<const xhal_handle_header_t*>(handle)->table->driver;
}

// ---- Numbers. Of all instances of the process, taken where the oddity is done.

extern std::array<std::atomic<uint64_t>, kCount> g_counts;
extern std::array<std::atomic<uint64_t>, kFeatures> g_without_counts;
inline void count(Id id) { g_counts[static_cast<size_t>(id)].fetch_add(1, std::memory_order_relaxed); }

// ---- What several of them do

// A wait that lasts longer ends: a program that holds what is waited for would stand still for ever, and is told so by what it then sees.
inline constexpr uint64_t kLongEnoughNs = 30'000'000'000;

template <class T>
T sized() {
  T out{};
  out.struct_size = sizeof(T);
  return out;
}
template <class T>
bool is_whole(const T* in) {
  return in != nullptr && in->struct_size == sizeof(T);
}
// Whether a field of an out-struct was written.
#define XHAL_TOLD(out, field) \
  ((out)->struct_size >= offsetof(std::remove_pointer_t<decltype(out)>, field) + sizeof((out)->field))

// Handles that `below` gave: only `below` takes them.
inline xhal_device_t device_of(xhal_stream_t stream) {
  xhal_device_t device = nullptr;
  return below(stream).stream_get_device(stream, &device) == XHAL_SUCCESS ? device : nullptr;
}
inline bool is_capturing(xhal_stream_t stream) {
  auto info = sized<xhal_capture_info_t>();
  return below(stream).stream_get_capture_info(stream, &info) == XHAL_SUCCESS &&
         info.state != XHAL_CAPTURE_STATE_NONE;
}

// ---- Each where its functions are
std::shared_ptr<void> make_rings();
std::shared_ptr<void> make_kernels();
std::shared_ptr<void> make_captures();
std::shared_ptr<void> make_doubts();
std::shared_ptr<void> make_calls();

#define ODDITY(name, ...) void install_##name(xhal_functions_t& to);
#include "oddities.def"
#undef ODDITY
void install_without(xhal_functions_t& to, FeatureBits without);
// And those that need one of them.
FeatureBits with_dependents(FeatureBits without);

}  // namespace xhal::variants
