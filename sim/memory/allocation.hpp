// SPDX-License-Identifier: Apache-2.0
// What is known of a range of addresses.
#pragma once

#include <cstdint>

#include "xhal/memory.h"

namespace xhal::sim {

struct Allocation {
  enum Flag : uint16_t {
    kImported = 1,    // its bytes are another process's or another library's
    kOfPool = 2,      // goes back to a pool that lives
    kMapped = 4,      // physical memory in a reserved range: reached by the devices that access was set for
    kShared = 8,      // another process may have it
    kTouched = 16,    // another process may have written to it
    kOfGraph = 32,    // lives as long as the graphs that have its node, freed or not
    kNative = 64,     // kImported: made by the simulator's own allocator, beside the contract
    kBorrowed = 128,  // kImported: another instance's
    kOfModule = 256   // a global variable: the module's, and ends with it
  };

  uint64_t base = 0;
  uint64_t size = 0;
  uint32_t kind = XHAL_MEMORY_UNMANAGED;
  uint32_t device = 0;
  uint32_t epoch = 0;  // of the device when it was made
  uint64_t id = 0;
  uint32_t flags = 0;
  // Bit n: device n may read or write. Only of kMapped.
  uint64_t readers = 0;
  uint64_t writers = 0;

  [[nodiscard]] uint64_t end() const { return base + size; }
  [[nodiscard]] bool contains(uint64_t address) const { return address - base < size; }
  [[nodiscard]] bool has(Flag flag) const { return (flags & flag) != 0; }
  // What the host may touch at these addresses.
  [[nodiscard]] bool on_host() const {
    return kind != XHAL_MEMORY_DEVICE && kind != XHAL_MEMORY_RESERVED && kind != XHAL_MEMORY_UNMANAGED;
  }
};

// What an operation wants to do with a range, and on which device.
struct Use {
  uint32_t device = 0;
  uint32_t access = XHAL_ACCESS_READ_WRITE;
};

}  // namespace xhal::sim
