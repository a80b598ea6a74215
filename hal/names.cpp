// SPDX-License-Identifier: Apache-2.0
// Names and texts, all made from the lists of the public headers.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>

#include "entries.hpp"
#include "xhal/xhal.h"

namespace xhal::host {
namespace {

#define XHAL_FEATURE(name, lower, bit, since, needs, maturity, text) \
  constexpr const char* kFeatureNameOf_##name = #lower;
#include "xhal/features.def"
#undef XHAL_FEATURE

// The type of an entry's first parameter when that is a handle, else 0.
#define XHAL_FIRST_TYPE_H(type, ...) XHAL_TYPE_##type
#define XHAL_FIRST_TYPE_V(...) 0
#define XHAL_FIRST_TYPE_A(...) 0
#define XHAL_FIRST_TYPE_IN(...) 0
#define XHAL_FIRST_TYPE_INO(...) 0
#define XHAL_FIRST_TYPE_OUT(...) 0
#define XHAL_FIRST_TYPE_OUTO(...) 0
#define XHAL_FIRST_TYPE_OUTH(...) 0
#define XHAL_FIRST_TYPE_OUTHA(...) 0
#define XHAL_FIRST_TYPE_TUPLE_(kind, ...) XHAL_FIRST_TYPE_##kind(__VA_ARGS__)
#define XHAL_FIRST_TYPE_(first, ...) XHAL_FIRST_TYPE_TUPLE_ first
#define XHAL_FIRST_TYPE(...) XHAL_FIRST_TYPE_(__VA_ARGS__, 0)

constexpr EntryInfo kEntries[kEntryCount] = {
#define XHAL_ENTRY(feature, since, name, ...) \
  {"xhal_" #name, XHAL_FEATURE_##feature, since, XHAL_FIRST_TYPE(__VA_ARGS__), kFeatureNameOf_##feature},
#include "xhal/entry_points.def"
#define XHAL_HOST_ENTRY(name, ...) \
  {"xhal_" #name, XHAL_FEATURE_CORE, 0, XHAL_FIRST_TYPE(__VA_ARGS__), kFeatureNameOf_CORE},
#include "xhal/entry_points.def"
};

struct Named {
  int32_t value;
  const char* name;
  const char* text;
};

constexpr Named kResults[] = {
#define XHAL_RESULT_ROW_(name, value, text) {value, #name, text},
    XHAL_RESULT_LIST(XHAL_RESULT_ROW_)
#undef XHAL_RESULT_ROW_
};

constexpr Named kFeatures[] = {
#define XHAL_FEATURE(name, lower, bit, since, needs, maturity, text) {bit, #lower, text},
#include "xhal/features.def"
#undef XHAL_FEATURE
};

const Named* find_result(xhal_result_t value) {
  const auto* end = std::end(kResults);
  const auto* found = std::find_if(kResults, end, [value](const Named& row) { return row.value == value; });
  return found == end ? nullptr : found;
}

}  // namespace

const EntryInfo& info_of(Entry entry) { return kEntries[entry]; }

const char* type_name(uint32_t type) {
  switch (type) {
#define XHAL_TYPE_NAME_(name, tag) \
  case tag:                        \
    return #name;
    XHAL_HANDLE_LIST(XHAL_TYPE_NAME_)
#undef XHAL_TYPE_NAME_
    default:
      return "unknown";
  }
}

uint32_t smallest_functions_size() {
  uint32_t count = 0;
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    if (kEntries[slot].feature == XHAL_FEATURE_CORE && kEntries[slot].since == 0) count = slot + 1;
  }
  return static_cast<uint32_t>(offsetof(xhal_functions_t, driver_get_properties) +
                               count * sizeof(void (*)()));
}

}  // namespace xhal::host

extern "C" {

xhal_result_t xhal_get_version(uint32_t* out_major, uint32_t* out_minor, uint32_t* out_revision) {
  if (out_major != nullptr) *out_major = XHAL_ABI_MAJOR;
  if (out_minor != nullptr) *out_minor = XHAL_ABI_MINOR;
  if (out_revision != nullptr) *out_revision = XHAL_ABI_REVISION;
  return XHAL_SUCCESS;
}

const char* xhal_result_name(xhal_result_t result) {
  const auto* row = xhal::host::find_result(result);
  return row != nullptr ? row->name : "XHAL_UNKNOWN_RESULT";
}

const char* xhal_result_text(xhal_result_t result) {
  const auto* row = xhal::host::find_result(result);
  return row != nullptr ? row->text : "a result that this libxhal does not know";
}

const char* xhal_feature_name(uint32_t feature) {
  for (const auto& row : xhal::host::kFeatures) {
    if (static_cast<uint32_t>(row.value) == feature) return row.name;
  }
  return nullptr;
}

int32_t xhal_feature_from_name(const char* name) {
  if (name == nullptr) return -1;
  for (const auto& row : xhal::host::kFeatures) {
    if (std::strcmp(row.name, name) == 0) return row.value;
  }
  return -1;
}
}
