// SPDX-License-Identifier: Apache-2.0
// Managed memory: prefetch and advice. The bytes have one place, which host and devices reach alike, so neither moves anything.
#include <cinttypes>
#include <string>

#include "entries/entry.hpp"

namespace xhal::sim {
namespace {

// SUCCESS for bytes of one managed allocation.
xhal_result_t check_managed(const Device& device, const void* pointer, uint64_t size) {
  Resolved range;
  xhal_result_t result =
      device.instance.memory.resolve(pointer, size, {device.index, XHAL_ACCESS_READ}, range);
  if (result >= 0 && range.allocation.kind != XHAL_MEMORY_MANAGED) {
    range.problem = "is not managed memory";
    result = XHAL_ERROR_INVALID_POINTER;
  }
  if (result >= 0) return XHAL_SUCCESS;
  return kit::fail(result, "pointer %p with %" PRIu64 " bytes %s", pointer, size, range.problem);
}

xhal_result_t prefetch(xhal_stream_t stream, const void* pointer, uint64_t size, uint32_t to_host) {
  Stream& s = stream_of(stream);
  if (const xhal_result_t result = check_claimed(device_of(s), XHAL_FEATURE_MANAGED, "managed"); result < 0)
    return result;
  if (const xhal_result_t result = may_submit(s); result < 0) return result;
  if (to_host > 1) return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "to_host is %u, it must be 0 or 1", to_host);
  if (size == 0) return XHAL_SUCCESS;
  return guarded([&] {
    if (const xhal_result_t result = check_managed(device_of(s), pointer, size); result < 0) return result;
    // Nothing is left to be done in the stream's order but to be refused where the stream takes nothing.
    Position position;
    return told(s, s.mark(position));
  });
}

xhal_result_t advise(xhal_device_t device, const void* pointer, uint64_t size, uint32_t advice) {
  Device& d = device_of(device);
  if (const xhal_result_t result = check_claimed(d, XHAL_FEATURE_MANAGED, "managed"); result < 0)
    return result;
  if (const xhal_result_t result = make_ready(d); result < 0) return result;
  if (advice < XHAL_ADVICE_READ_MOSTLY || advice > XHAL_ADVICE_UNSET_ACCESSED_BY) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "advice is %u, which none of XHAL_ADVICE_ is", advice);
  }
  if (size == 0) return XHAL_SUCCESS;
  return guarded([&] { return check_managed(d, pointer, size); });
}

}  // namespace

void add_managed_entries(xhal_functions_t& functions) {
  functions.memory_prefetch = prefetch;
  functions.memory_advise = advise;
}

}  // namespace xhal::sim
