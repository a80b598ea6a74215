// SPDX-License-Identifier: Apache-2.0
#include "xhal/kit/region.hpp"

#include <cinttypes>

#include "xhal/kit/driver.hpp"

namespace xhal::kit {
namespace {

xhal_result_t check_layout(const char* name, const RegionLayout& layout, const uint64_t (&extent)[3]) {
  if (layout.pitch < extent[0]) {
    return fail(XHAL_ERROR_INVALID_ARGUMENT,
                "region->%s_pitch is %" PRIu64 ", below the %" PRIu64 " bytes of a row", name, layout.pitch,
                extent[0]);
  }
  uint64_t rows = 0;
  if (extent[2] > 1 &&
      (__builtin_mul_overflow(extent[1], layout.pitch, &rows) || layout.slice_pitch < rows)) {
    return fail(XHAL_ERROR_INVALID_ARGUMENT,
                "region->%s_slice_pitch is %" PRIu64 ", below %" PRIu64 " rows of pitch %" PRIu64, name,
                layout.slice_pitch, extent[1], layout.pitch);
  }
  return XHAL_SUCCESS;
}

}  // namespace

uint64_t RegionShape::span_of(const RegionLayout& side) const {
  uint64_t rows = 0;
  uint64_t slices = 0;
  uint64_t span = 0;
  if (__builtin_mul_overflow(extent[1] - 1, side.pitch, &rows) ||
      (extent[2] > 1 && __builtin_mul_overflow(extent[2] - 1, side.slice_pitch, &slices)) ||
      __builtin_add_overflow(rows, slices, &span) || __builtin_add_overflow(span, extent[0], &span))
    return UINT64_MAX;
  return span;
}

bool RegionShape::overlaps(const void* destination, const void* source) const {
  const auto to_base = reinterpret_cast<uint64_t>(destination);
  const auto from_base = reinterpret_cast<uint64_t>(source);
  if (to_base - from_base >= span_of(from) && from_base - to_base >= span_of(to)) return false;
  RegionRows mine(to_base, to, extent);
  RegionRows other(from_base, from, extent);
  while (!mine.at_end() && !other.at_end()) {
    if (mine.begin() + extent[0] <= other.begin()) {
      mine.next();
    } else if (other.begin() + extent[0] <= mine.begin()) {
      other.next();
    } else {
      return true;
    }
  }
  return false;
}

xhal_result_t read_region_shape(const xhal_copy_region_t& region, RegionShape& out) {
  if (region.flags != 0)
    return fail(XHAL_ERROR_INVALID_ARGUMENT, "region->flags is 0x%x, no flag is defined", region.flags);
  const bool sliced = region.extent[2] > 1;
  out = {{region.destination_pitch, sliced ? region.destination_slice_pitch : 0},
         {region.source_pitch, sliced ? region.source_slice_pitch : 0},
         {region.extent[0], region.extent[1], region.extent[2]}};
  if (out.is_empty()) return XHAL_SUCCESS;
  if (const xhal_result_t result = check_layout("destination", out.to, out.extent); result < 0) return result;
  return check_layout("source", out.from, out.extent);
}

}  // namespace xhal::kit
