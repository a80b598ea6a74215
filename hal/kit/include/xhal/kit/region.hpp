// SPDX-License-Identifier: Apache-2.0
// Where the bytes of a region copy lie (XHAL-REGION-1, XHAL-REGION-2), once for all drivers.
#pragma once

#include <cstdint>

#include "xhal/memory.h"

namespace xhal::kit {

// One side of the copy.
struct RegionLayout {
  uint64_t pitch = 0;
  uint64_t slice_pitch = 0;  // 0 where there is one slice
};

// The beginnings of a side's rows, upwards: pitches are such that no row lies below the one before it.
class RegionRows {
 public:
  RegionRows(uint64_t base, const RegionLayout& layout, const uint64_t (&extent)[3])
      : layout_(layout), rows_(extent[1]), slices_(extent[2]), slice_begin_(base), begin_(base) {}
  [[nodiscard]] bool at_end() const { return slice_ == slices_; }
  [[nodiscard]] uint64_t begin() const { return begin_; }
  void next() {
    begin_ += layout_.pitch;
    if (++row_ != rows_) return;
    row_ = 0;
    ++slice_;
    slice_begin_ += layout_.slice_pitch;
    begin_ = slice_begin_;
  }

 private:
  const RegionLayout layout_;
  const uint64_t rows_, slices_;
  uint64_t row_ = 0, slice_ = 0;
  uint64_t slice_begin_, begin_;
};

struct RegionShape {
  RegionLayout to, from;
  uint64_t extent[3] = {};

  [[nodiscard]] uint64_t bytes() const { return extent[0] * extent[1] * extent[2]; }
  // Nothing is moved, and nothing else is looked at.
  [[nodiscard]] bool is_empty() const { return extent[0] == 0 || extent[1] == 0 || extent[2] == 0; }
  // Bytes from the first to the last of a side, or the largest number when they are too many to count.
  [[nodiscard]] uint64_t span_of(const RegionLayout& side) const;
  // By their bytes: columns of one matrix may be copied to other columns of it.
  [[nodiscard]] bool overlaps(const void* destination, const void* source) const;
};

// Takes the shape over from a region that was read; with a text when flags or pitches are not legal.
[[nodiscard]] xhal_result_t read_region_shape(const xhal_copy_region_t& region, RegionShape& out);

}  // namespace xhal::kit
