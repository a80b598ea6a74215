// SPDX-License-Identifier: Apache-2.0
// Lies about value waits and priorities. Each function does what the base driver does, but for one lie.
#include "fault.hpp"

namespace xhal::faults {
namespace {

// ---- Values and priorities ----

xhal_result_t wait_for_the_low_half(xhal_stream_t stream, const void* address, uint64_t value,
                                    uint32_t comparison, uint32_t width) {
  return next::stream_wait_value(stream, address, width == 8 ? value & 0xFFFFFFFFu : value, comparison,
                                 width == 8 ? 4 : width);
}

xhal_result_t write_eight_bytes(xhal_stream_t stream, void* address, uint64_t value, uint32_t width) {
  return next::stream_write_value(stream, address, value,
                                  width == 4 && reinterpret_cast<uintptr_t>(address) % 8 == 0 ? 8 : width);
}

xhal_result_t write_on_another_stream(xhal_stream_t stream, void* address, uint64_t value, uint32_t width) {
  return ahead_of(stream, [&](xhal_stream_t other) {
    return below(stream).stream_write_value(other, address, value, width);
  });
}

xhal_result_t write_anywhere(xhal_stream_t stream, void* address, uint64_t value, uint32_t width) {
  const xhal_result_t result = next::stream_write_value(stream, address, value, width);
  return result == XHAL_ERROR_INVALID_ARGUMENT ? XHAL_SUCCESS : result;
}

xhal_result_t create_without_priority(xhal_device_t device, const xhal_stream_desc_t* desc,
                                      xhal_stream_t* out) {
  if (desc == nullptr || desc->struct_size != sizeof(*desc)) return next::stream_create(device, desc, out);
  xhal_stream_desc_t plain = *desc;
  plain.priority = 0;
  return next::stream_create(device, &plain, out);
}

}  // namespace

const std::span<const Lie> kValuesLies = [] {
  static const Lie kLies[] = {
#include "table/values.def"
  };
  return std::span<const Lie>(kLies);
}();

}  // namespace xhal::faults
