// SPDX-License-Identifier: Apache-2.0
// entry_points.def as data, for layers that treat calls alike: names, the handles a call takes and gives, what its name says of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "xhal/driver.h"

namespace xhal::layers {

enum class Entry : uint32_t {
#define XHAL_ENTRY(feature, since, name, ...) name,
#include "xhal/entry_points.def"
};

struct EntryInfo {
  std::string_view name;  // without xhal_
  uint32_t feature;       // XHAL_FEATURE_x
  uint32_t takes;         // bit XHAL_TYPE_x: handles among the parameters
  uint32_t gives;         // bit XHAL_TYPE_x: handles that it gives out
  bool has_address;       // an address with a meaning of its own is among the parameters
};

#define XHAL_TAKES_H(type, name) | 1U << XHAL_TYPE_##type
#define XHAL_TAKES_V(ctype, name)
#define XHAL_TAKES_A(ctype, name)
#define XHAL_TAKES_IN(ctype, name)
#define XHAL_TAKES_INO(ctype, name)
#define XHAL_TAKES_OUT(ctype, name)
#define XHAL_TAKES_OUTO(ctype, name)
#define XHAL_TAKES_OUTH(type, name)
#define XHAL_TAKES_OUTHA(type, name, capacity, count)
#define XHAL_TAKES_(kind, ...) XHAL_TAKES_##kind(__VA_ARGS__)
#define XHAL_TAKES(tuple) XHAL_TAKES_ tuple

#define XHAL_GIVES_H(type, name)
#define XHAL_GIVES_V(ctype, name)
#define XHAL_GIVES_A(ctype, name)
#define XHAL_GIVES_IN(ctype, name)
#define XHAL_GIVES_INO(ctype, name)
#define XHAL_GIVES_OUT(ctype, name)
#define XHAL_GIVES_OUTO(ctype, name)
#define XHAL_GIVES_OUTH(type, name) | 1U << XHAL_TYPE_##type
#define XHAL_GIVES_OUTHA(type, name, capacity, count) | 1U << XHAL_TYPE_##type
#define XHAL_GIVES_(kind, ...) XHAL_GIVES_##kind(__VA_ARGS__)
#define XHAL_GIVES(tuple) XHAL_GIVES_ tuple

#define XHAL_HAS_ADDRESS_H(type, name)
#define XHAL_HAS_ADDRESS_V(ctype, name)
#define XHAL_HAS_ADDRESS_A(ctype, name) || true
#define XHAL_HAS_ADDRESS_IN(ctype, name)
#define XHAL_HAS_ADDRESS_INO(ctype, name)
#define XHAL_HAS_ADDRESS_OUT(ctype, name)
#define XHAL_HAS_ADDRESS_OUTO(ctype, name)
#define XHAL_HAS_ADDRESS_OUTH(type, name)
#define XHAL_HAS_ADDRESS_OUTHA(type, name, capacity, count)
#define XHAL_HAS_ADDRESS_(kind, ...) XHAL_HAS_ADDRESS_##kind(__VA_ARGS__)
#define XHAL_HAS_ADDRESS(tuple) XHAL_HAS_ADDRESS_ tuple

inline constexpr EntryInfo kEntries[] = {
#define XHAL_ENTRY(feature, since, name, ...)                               \
  {#name, XHAL_FEATURE_##feature, 0U XHAL_PP_EACH(XHAL_TAKES, __VA_ARGS__), \
   0U XHAL_PP_EACH(XHAL_GIVES, __VA_ARGS__), false XHAL_PP_EACH(XHAL_HAS_ADDRESS, __VA_ARGS__)},
#include "xhal/entry_points.def"
};

inline constexpr size_t kEntryCount = sizeof(kEntries) / sizeof(kEntries[0]);

constexpr size_t index_of(Entry entry) { return static_cast<size_t>(entry); }
constexpr const EntryInfo& info_of(Entry entry) { return kEntries[index_of(entry)]; }
constexpr uint32_t bit_of(uint32_t type) { return 1U << type; }

// ---- What a name says; the contract keeps to these forms, so that calls to come are understood too ---------------------------------

// Its first handle is gone after a success.
constexpr bool destroys(Entry entry) {
  const std::string_view name = info_of(entry).name;
  return name.ends_with("_destroy") || name.ends_with("_unsubscribe");
}

// Gives an object that the caller must destroy; the others give what somebody else owns.
constexpr bool makes_objects(Entry entry) {
  const EntryInfo& info = info_of(entry);
  return info.gives != 0 && info.name.find("_get_") == std::string_view::npos;
}

// Only asks: it may be called where everything else is forbidden. [XHAL-HOSTFN-5]
constexpr bool only_asks(Entry entry) {
  const std::string_view name = info_of(entry).name;
  return name.find("_get_") != std::string_view::npos || name.find("_exchange_") != std::string_view::npos ||
         name.ends_with("_query") || name.ends_with("_has_feature") || name.ends_with("_is_active") ||
         name.ends_with("_dump") || name.ends_with("_read_metrics");
}

// Ends what an allocation, registration, reservation, mapping or import began.
constexpr bool releases_memory(Entry entry) {
  switch (entry) {
    case Entry::memory_free:
    case Entry::memory_unregister:
    case Entry::memory_release_external:
    case Entry::pool_free:
    case Entry::vmm_release:
    case Entry::vmm_unmap:
    case Entry::ipc_close_memory:
      return true;
    default:
      return false;
  }
}

// The name of a handle's type.
constexpr const char* type_name(uint32_t type) {
  switch (type) {
#define XHAL_LAYERS_TYPE(name, tag) \
  case tag:                         \
    return #name;
    XHAL_HANDLE_LIST(XHAL_LAYERS_TYPE)
#undef XHAL_LAYERS_TYPE
    default:
      return "unknown";
  }
}

constexpr std::string_view result_name(xhal_result_t result) {
  switch (result) {
#define XHAL_LAYERS_RESULT(name, value, text) \
  case name:                                  \
    return #name;
    XHAL_RESULT_LIST(XHAL_LAYERS_RESULT)
#undef XHAL_LAYERS_RESULT
    default:
      return "XHAL_UNKNOWN_RESULT";
  }
}

}  // namespace xhal::layers
