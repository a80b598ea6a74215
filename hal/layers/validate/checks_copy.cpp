// SPDX-License-Identifier: Apache-2.0
// Copies of one, two and three dimensions.
#include "checks.hpp"
#include "xhal/kit/structs.hpp"

namespace xhal::validate {
namespace {

// One side of a region copy.
struct Side {
  const char* what;
  const void* pointer;
  uint64_t pitch, slice_pitch;  // the latter is not looked at where there is one slice
  uint32_t access;
};

// Bytes from the first to behind the last that a side touches; the largest number when they are too many to count.
uint64_t span_of(const Side& side, const uint64_t (&extent)[3]) {
  uint64_t rows = 0;
  uint64_t slices = 0;
  uint64_t span = 0;
  if (__builtin_mul_overflow(extent[1] - 1, side.pitch, &rows) ||
      (extent[2] > 1 && __builtin_mul_overflow(extent[2] - 1, side.slice_pitch, &slices)) ||
      __builtin_add_overflow(rows, slices, &span) || __builtin_add_overflow(span, extent[0], &span))
    return UINT64_MAX;
  return span;
}

void check_side(Call& call, const void* device, const Side& side, const uint64_t (&extent)[3]) {
  const auto bad = [&](const char* text) {
    call.found(Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT, std::string(side.what) + text);
  };
  uint64_t slice_rows = 0;
  if (extent[1] > 1 && side.pitch < extent[0]) return bad(": its pitch is below a row's bytes");
  if (extent[2] > 1 &&
      (__builtin_mul_overflow(side.pitch, extent[1], &slice_rows) || side.slice_pitch < slice_rows))
    return bad(": its slice pitch is below a slice's rows");
  const uint64_t span = span_of(side, extent);
  const Place place =
      check_range(call, side.what, side.pointer, span, {Wants::kAnyMemory, device, side.access});
  // No allocation holds it; where one is known here, that has been told. [XHAL-REGION-2]
  if (span == UINT64_MAX && !place.known && side.pointer != nullptr && !call.found_any()) {
    call.found(Kind::kOutOfBounds, XHAL_ERROR_OUT_OF_RANGE,
               std::string(side.what) + ": its region is larger than memory can be");
  }
}

// The beginnings of a side's rows, upwards.
class Rows {
 public:
  Rows(const Side& side, const uint64_t (&extent)[3])
      : side_(side),
        rows_(extent[1]),
        slices_(extent[2]),
        slice_(reinterpret_cast<uintptr_t>(side.pointer)) {}
  [[nodiscard]] bool at_end() const { return slices_done_ == slices_; }
  [[nodiscard]] uintptr_t begin() const { return slice_ + row_ * side_.pitch; }
  void next() {
    if (++row_ != rows_) return;
    row_ = 0;
    ++slices_done_;
    slice_ += side_.slice_pitch;
  }

 private:
  const Side side_;
  const uint64_t rows_, slices_;
  uintptr_t slice_;
  uint64_t row_ = 0, slices_done_ = 0;
};

// By the bytes: columns of one matrix may be copied to other columns of it.
bool overlap(const Side& one, const Side& other, const uint64_t (&extent)[3]) {
  const auto first = reinterpret_cast<uintptr_t>(one.pointer);
  const auto second = reinterpret_cast<uintptr_t>(other.pointer);
  if (first < second ? second - first >= span_of(one, extent) : first - second >= span_of(other, extent))
    return false;
  Rows mine(one, extent);
  Rows theirs(other, extent);
  while (!mine.at_end() && !theirs.at_end()) {
    if (mine.begin() + extent[0] <= theirs.begin()) {
      mine.next();
    } else if (theirs.begin() + extent[0] <= mine.begin()) {
      theirs.next();
    } else {
      return true;
    }
  }
  return false;
}

}  // namespace

void before(Call& call, Is<Entry::memory_copy> /*entry*/, xhal_stream_t stream, void* destination,
            const void* source, uint64_t size) {
  const void* device = device_of(stream);
  check_range(call, "the destination", destination, size, {Wants::kAnyMemory, device, XHAL_ACCESS_WRITE});
  check_range(call, "the source", source, size, {Wants::kAnyMemory, device, XHAL_ACCESS_READ});
  if (size == 0 || destination == nullptr || source == nullptr) return;
  const auto to = reinterpret_cast<uintptr_t>(destination);
  const auto from = reinterpret_cast<uintptr_t>(source);
  if ((to > from ? to - from : from - to) < size) {
    call.found(Kind::kOverlappingCopy, XHAL_ERROR_INVALID_ARGUMENT,
               std::to_string(size) + " bytes from " + hex(source) + " to " + hex(destination) + " overlap");
  }
}

void before(Call& call, Is<Entry::memory_copy_region> /*entry*/, xhal_stream_t stream,
            const xhal_copy_region_t* region) {
  xhal_copy_region_t read = {};
  if (region == nullptr || kit::read_struct(region, read) != XHAL_SUCCESS) return;
  if (read.extent[0] == 0 || read.extent[1] == 0 || read.extent[2] == 0) return;
  const void* device = device_of(stream);
  const Side to = {"the destination", read.destination, read.destination_pitch, read.destination_slice_pitch,
                   XHAL_ACCESS_WRITE};
  const Side from = {"the source", read.source, read.source_pitch, read.source_slice_pitch, XHAL_ACCESS_READ};
  check_side(call, device, to, read.extent);
  check_side(call, device, from, read.extent);
  // Sides that are wrong by themselves have no rows to compare.
  if (!call.found_any() && overlap(to, from, read.extent)) {
    call.found(Kind::kOverlappingCopy, XHAL_ERROR_INVALID_ARGUMENT,
               "the regions at " + hex(read.source) + " and " + hex(read.destination) + " overlap");
  }
}

}  // namespace xhal::validate
