// SPDX-License-Identifier: Apache-2.0
// Copies and fills, in pieces between which they can be dropped.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace xhal::sim {

// False when it was abandoned on the way.
bool move_bytes(std::byte* destination, const std::byte* source, uint64_t size,
                const std::atomic<bool>& abandoned);
// Repeats the low `pattern_size` bytes (1, 2, 4 or 8) of `pattern`; `size` is a multiple of it.
bool fill_bytes(std::byte* destination, uint64_t pattern, uint32_t pattern_size, uint64_t size,
                const std::atomic<bool>& abandoned);

// Rows of extent[0] bytes, extent[1] of them in a slice, extent[2] slices; none of them is 0. Slice pitches count where there is more than
// one slice.
struct Region {
  std::byte* destination = nullptr;
  const std::byte* source = nullptr;
  uint64_t destination_pitch = 0, destination_slice_pitch = 0;
  uint64_t source_pitch = 0, source_slice_pitch = 0;
  uint64_t extent[3] = {};
};
bool move_region(const Region& region, const std::atomic<bool>& abandoned);

}  // namespace xhal::sim
