// SPDX-License-Identifier: Apache-2.0
// Copies of two and three dimensions.
#include <atomic>
#include <cinttypes>

#include "entries/entry.hpp"
#include "entries/transfer.hpp"

namespace xhal::sim {
namespace {

constexpr std::atomic<bool> kNotAbandoned{false};

// One side of the copy.
struct Layout {
  uint64_t pitch = 0;
  uint64_t slice_pitch = 0;
};

// Bytes from the first to the last, or the largest number when they are too many to count.
uint64_t span_of(const Layout& layout, const uint64_t (&extent)[3]) {
  uint64_t rows = 0;
  uint64_t slices = 0;
  uint64_t span = 0;
  if (__builtin_mul_overflow(extent[1] - 1, layout.pitch, &rows) ||
      (extent[2] > 1 && __builtin_mul_overflow(extent[2] - 1, layout.slice_pitch, &slices)) ||
      __builtin_add_overflow(rows, slices, &span) || __builtin_add_overflow(span, extent[0], &span))
    return UINT64_MAX;
  return span;
}

// The beginnings of a side's rows, upwards: pitches are such that no row lies below the one before it.
class Rows {
 public:
  Rows(uint64_t base, const Layout& layout, const uint64_t (&extent)[3])
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
  const Layout layout_;
  const uint64_t rows_, slices_;
  uint64_t row_ = 0, slice_ = 0;
  uint64_t slice_begin_, begin_;
};

struct RegionCall {
  void* destination;
  const void* source;
  Layout to, from;
  uint64_t extent[3];

  [[nodiscard]] uint64_t destination_span() const { return span_of(to, extent); }
  [[nodiscard]] uint64_t source_span() const { return span_of(from, extent); }
  [[nodiscard]] uint64_t bytes() const { return extent[0] * extent[1] * extent[2]; }

  // By their bytes: columns of one matrix may be copied to other columns of it.
  [[nodiscard]] bool overlaps() const {
    const auto to_base = reinterpret_cast<uint64_t>(destination);
    const auto from_base = reinterpret_cast<uint64_t>(source);
    if (to_base - from_base >= source_span() && from_base - to_base >= destination_span()) return false;
    Rows mine(to_base, to, extent);
    Rows other(from_base, from, extent);
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

  [[nodiscard]] Region region(std::byte* target, const std::byte* origin, const Layout& origin_layout) const {
    return {target,
            origin,
            to.pitch,
            to.slice_pitch,
            origin_layout.pitch,
            origin_layout.slice_pitch,
            {extent[0], extent[1], extent[2]}};
  }
  [[nodiscard]] Layout packed() const { return {extent[0], extent[0] * extent[1]}; }

  [[nodiscard]] StagedBytes stage(StagingBudget& budget) const {
    StagedBytes staged(budget, bytes());
    if (staged.data() != nullptr) {
      Region pack = region(staged.data(), static_cast<const std::byte*>(source), from);
      pack.destination_pitch = packed().pitch;
      pack.destination_slice_pitch = packed().slice_pitch;
      static_cast<void>(move_region(pack, kNotAbandoned));
    }
    return staged;
  }
  void move(std::byte* target, const std::byte* origin) const {
    static_cast<void>(move_region(region(target, origin, from), kNotAbandoned));
  }
  [[nodiscard]] std::unique_ptr<Attachment> attachment(StagedBytes staged) const {
    auto copy = std::make_unique<RegionCopy>();
    copy->staged = std::move(staged);
    return copy;
  }
  void fill(Op& op, std::byte* target, const std::byte* origin, uint32_t direction) const {
    auto* const copy = static_cast<RegionCopy*>(op.attachment.get());
    const bool is_packed = copy->staged.data() != nullptr;
    copy->region = region(target, is_packed ? copy->staged.data() : origin, is_packed ? packed() : from);
    copy->direction = direction;
    op.make(RegionOp{copy});
  }
};

xhal_result_t check_layout(const char* name, const Layout& layout, const uint64_t (&extent)[3]) {
  if (layout.pitch < extent[0]) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                     "region->%s_pitch is %" PRIu64 ", below the %" PRIu64 " bytes of a row", name,
                     layout.pitch, extent[0]);
  }
  uint64_t rows = 0;
  if (extent[2] > 1 &&
      (__builtin_mul_overflow(extent[1], layout.pitch, &rows) || layout.slice_pitch < rows)) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                     "region->%s_slice_pitch is %" PRIu64 ", below %" PRIu64 " rows of pitch %" PRIu64, name,
                     layout.slice_pitch, extent[1], layout.pitch);
  }
  return XHAL_SUCCESS;
}

xhal_result_t copy_region(xhal_stream_t stream, const xhal_copy_region_t* region) {
  Stream& s = stream_of(stream);
  if (const xhal_result_t result = check_claimed(device_of(s), XHAL_FEATURE_COPY_REGION, "copy_region");
      result < 0)
    return result;
  if (const xhal_result_t result = may_submit(s); result < 0) return result;
  xhal_copy_region_t given = {};
  if (const xhal_result_t result = read("region", region, given); result < 0) return result;
  if (given.flags != 0) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "region->flags is 0x%x, no flag is defined", given.flags);
  }
  if (given.extent[0] == 0 || given.extent[1] == 0 || given.extent[2] == 0) return XHAL_SUCCESS;
  const bool sliced = given.extent[2] > 1;
  const RegionCall call = {given.destination,
                           given.source,
                           {given.destination_pitch, sliced ? given.destination_slice_pitch : 0},
                           {given.source_pitch, sliced ? given.source_slice_pitch : 0},
                           {given.extent[0], given.extent[1], given.extent[2]}};
  if (const xhal_result_t result = check_layout("destination", call.to, call.extent); result < 0)
    return result;
  if (const xhal_result_t result = check_layout("source", call.from, call.extent); result < 0) return result;
  return guarded([&] { return transfer(s, call); });
}

}  // namespace

void add_region_entries(xhal_functions_t& functions) { functions.memory_copy_region = copy_region; }

}  // namespace xhal::sim
