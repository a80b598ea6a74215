// SPDX-License-Identifier: Apache-2.0
// What the process takes of the host's memory.
#pragma once

#include <cstdint>

namespace xhal::bench {

struct Footprint {
  uint64_t heap = 0;      // given out by malloc, its own overhead included
  uint64_t resident = 0;  // of the whole process
};

// Throws std::runtime_error where the system does not tell.
[[nodiscard]] Footprint footprint();
// The same once malloc has given back what nobody uses, so that memory taken from now on is touched anew.
[[nodiscard]] Footprint trimmed_footprint();
// Bytes for one of so many that came between the two; less than nothing when memory was given back.
[[nodiscard]] double bytes_each(uint64_t before, uint64_t after, uint64_t count);

}  // namespace xhal::bench
