// SPDX-License-Identifier: Apache-2.0
// The list of calls as data: a number, a name and a feature of each.
#pragma once

#include <cstdint>

#include "xhal/driver.h"

namespace xhal::host {

// Slots of the table come first, in the list's order, then the calls that libxhal answers itself.
enum Entry : uint16_t {
#define XHAL_ENTRY(feature, since, name, ...) kEntry_##name,
#include "xhal/entry_points.def"
  kSlotCount,
  kEntryBeforeHostEntries_ = kSlotCount - 1,
#define XHAL_HOST_ENTRY(name, ...) kEntry_##name,
#include "xhal/entry_points.def"
  kEntryCount
};

struct EntryInfo {
  const char* name;          // "xhal_stream_query"
  uint32_t feature;          // core for libxhal's own calls
  uint32_t since;            // revision of 0.minor
  uint32_t first_type;       // of the handle that gives the table; 0 when there is none
  const char* feature_name;  // "graph"
};

const EntryInfo& info_of(Entry entry);

// "stream" for XHAL_TYPE_stream, "unknown" for what is none.
const char* type_name(uint32_t type);

// From the list: bytes of a table that holds every core call of revision 0. A driver with less cannot be worked with.
uint32_t smallest_functions_size();

}  // namespace xhal::host
