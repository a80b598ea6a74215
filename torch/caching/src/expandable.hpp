// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "xhal/xhal.h"

namespace xhal::caching {

struct Block;

// What a device with virtual memory says of it.
struct VirtualMemory {
  uint64_t granularity = 0;  // 0: none
};

// A range of addresses, of which pages are backed by memory one by one. Its blocks tile it, mapped or not.
struct ExpandableSegment {
  uint64_t address = 0;
  uint64_t size = 0;
  uint64_t page = 0;
  uint64_t mapped = 0;
  uint64_t stream_id = 0;
  Block* first = nullptr;
  std::vector<xhal_physical_t> pages;  // null: not mapped
};

}  // namespace xhal::caching
