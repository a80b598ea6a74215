// SPDX-License-Identifier: Apache-2.0
// Waits for and writes of a word in memory.
#include <cinttypes>

#include "entries/entry.hpp"
#include "entries/transfer.hpp"

namespace xhal::sim {
namespace {

struct WordCall {
  const void* address;
  uint32_t width;
  uint32_t access;
};

// SUCCESS with the word's place.
xhal_result_t resolve_word(const Device& device, const WordCall& call, std::byte*& out) {
  if (call.width != sizeof(uint32_t) && call.width != sizeof(uint64_t))
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "width is %u, it must be 4 or 8", call.width);
  if (reinterpret_cast<uint64_t>(call.address) % call.width != 0) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "address %p is not aligned to its width %u", call.address,
                     call.width);
  }
  Resolved range;
  xhal_result_t result =
      device.instance.memory.resolve(call.address, call.width, {device.index, call.access}, range);
  const uint32_t kind = range.allocation.kind;
  if (result >= 0 && (kind == XHAL_MEMORY_UNMANAGED || kind == XHAL_MEMORY_MANAGED)) {
    range.problem = "is pageable or managed memory; use device, pinned or registered memory";
    result = XHAL_ERROR_INVALID_POINTER;
  }
  if (result < 0) return refuse_range("address", call.address, call.width, range, result);
  out = range.host;
  return XHAL_SUCCESS;
}

template <class Make>
xhal_result_t submit_word(xhal_stream_t stream, const WordCall& call, Make&& make) {
  Stream& s = stream_of(stream);
  Device& d = device_of(s);
  if (const xhal_result_t result = check_claimed(d, XHAL_FEATURE_VALUE_WAIT, "value_wait"); result < 0)
    return result;
  if (const xhal_result_t result = may_submit(s); result < 0) return result;
  return guarded([&] {
    std::byte* word = nullptr;
    if (const xhal_result_t result = resolve_word(d, call, word); result < 0) return result;
    return told(s, s.submit([&](Op& op) { make(op, word); }));
  });
}

xhal_result_t wait_value(xhal_stream_t stream, const void* address, uint64_t value, uint32_t comparison,
                         uint32_t width) {
  if (comparison > XHAL_COMPARE_NOR_NOT_ZERO && claims(device_of(stream_of(stream)), XHAL_FEATURE_VALUE_WAIT))
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "comparison is %u, which none of XHAL_COMPARE_ is",
                     comparison);
  return submit_word(stream, {address, width, XHAL_ACCESS_READ}, [&](Op& op, const std::byte* word) {
    op.make(ValueWaitOp{word, value, comparison, width});
  });
}

xhal_result_t write_value(xhal_stream_t stream, void* address, uint64_t value, uint32_t width) {
  return submit_word(stream, {address, width, XHAL_ACCESS_WRITE}, [&](Op& op, std::byte* word) {
    op.make(ValueWriteOp{word, value, width});
  });
}

}  // namespace

void add_value_entries(xhal_functions_t& functions) {
  functions.stream_wait_value = wait_value;
  functions.stream_write_value = write_value;
}

}  // namespace xhal::sim
