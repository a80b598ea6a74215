// SPDX-License-Identifier: Apache-2.0
// Copies of two and three dimensions.
#include <atomic>

#include "entries/entry.hpp"
#include "entries/transfer.hpp"
#include "xhal/kit/region.hpp"

namespace xhal::sim {
namespace {

constexpr std::atomic<bool> kNotAbandoned{false};

struct RegionCall {
  void* destination;
  const void* source;
  kit::RegionShape shape;

  [[nodiscard]] uint64_t destination_span() const { return shape.span_of(shape.to); }
  [[nodiscard]] uint64_t source_span() const { return shape.span_of(shape.from); }
  [[nodiscard]] uint64_t bytes() const { return shape.bytes(); }
  [[nodiscard]] bool overlaps() const { return shape.overlaps(destination, source); }

  [[nodiscard]] Region region(std::byte* target, const std::byte* origin,
                              const kit::RegionLayout& origin_layout) const {
    return {target,
            origin,
            shape.to.pitch,
            shape.to.slice_pitch,
            origin_layout.pitch,
            origin_layout.slice_pitch,
            {shape.extent[0], shape.extent[1], shape.extent[2]}};
  }
  [[nodiscard]] kit::RegionLayout packed() const {
    return {shape.extent[0], shape.extent[0] * shape.extent[1]};
  }

  [[nodiscard]] StagedBytes stage(StagingBudget& budget) const {
    StagedBytes staged(budget, bytes());
    if (staged.data() != nullptr) {
      Region pack = region(staged.data(), static_cast<const std::byte*>(source), shape.from);
      pack.destination_pitch = packed().pitch;
      pack.destination_slice_pitch = packed().slice_pitch;
      static_cast<void>(move_region(pack, kNotAbandoned));
    }
    return staged;
  }
  void move(std::byte* target, const std::byte* origin) const {
    static_cast<void>(move_region(region(target, origin, shape.from), kNotAbandoned));
  }
  [[nodiscard]] std::unique_ptr<Attachment> attachment(StagedBytes staged) const {
    auto copy = std::make_unique<RegionCopy>();
    copy->staged = std::move(staged);
    return copy;
  }
  void fill(Op& op, std::byte* target, const std::byte* origin, uint32_t direction) const {
    auto* const copy = static_cast<RegionCopy*>(op.attachment.get());
    const bool is_packed = copy->staged.data() != nullptr;
    copy->region =
        region(target, is_packed ? copy->staged.data() : origin, is_packed ? packed() : shape.from);
    copy->direction = direction;
    op.make(RegionOp{copy});
  }
};

xhal_result_t copy_region(xhal_stream_t stream, const xhal_copy_region_t* region) {
  Stream& s = stream_of(stream);
  if (const xhal_result_t result = check_claimed(device_of(s), XHAL_FEATURE_COPY_REGION, "copy_region");
      result < 0)
    return result;
  if (const xhal_result_t result = may_submit(s); result < 0) return result;
  xhal_copy_region_t given = {};
  if (const xhal_result_t result = read("region", region, given); result < 0) return result;
  RegionCall call = {given.destination, given.source, {}};
  if (const xhal_result_t result = kit::read_region_shape(given, call.shape); result < 0) return result;
  if (call.shape.is_empty()) return XHAL_SUCCESS;
  return guarded([&] { return transfer(s, call); });
}

}  // namespace

void add_region_entries(xhal_functions_t& functions) { functions.memory_copy_region = copy_region; }

}  // namespace xhal::sim
