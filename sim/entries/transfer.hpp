// SPDX-License-Identifier: Apache-2.0
// What copies of bytes and of regions share: when pageable memory takes part.
//
// Pageable memory is the caller's own, before and after the call: what comes from it is taken at once, what goes to it has arrived when
// the call returns. On an idle stream the caller's thread moves the bytes, and nothing is staged or handed over.
#pragma once

#include <cinttypes>

#include "entries/entry.hpp"
#include "memory/staging.hpp"

namespace xhal::sim {

inline xhal_result_t refuse_range(const char* name, const void* pointer, uint64_t size, const Resolved& range,
                                  xhal_result_t result) {
  return kit::fail(result, "%s %p with %" PRIu64 " bytes %s", name, pointer, size, range.problem);
}

inline bool is_pageable(const Resolved& range) { return range.allocation.kind == XHAL_MEMORY_UNMANAGED; }

inline bool is_on_device(const Resolved& range) {
  return range.allocation.kind == XHAL_MEMORY_DEVICE || range.allocation.kind == XHAL_MEMORY_MANAGED;
}

// An XHAL_COPY_ bit. Managed memory counts as its device's, registered memory as pinned.
inline uint32_t direction_of(const Resolved& to, const Resolved& from) {
  if (is_on_device(to) && is_on_device(from)) {
    return to.allocation.device == from.allocation.device ? XHAL_COPY_DEVICE_TO_DEVICE
                                                          : XHAL_COPY_DEVICE_TO_PEER;
  }
  if (is_on_device(to)) return is_pageable(from) ? XHAL_COPY_PAGEABLE_TO_DEVICE : XHAL_COPY_PINNED_TO_DEVICE;
  if (is_on_device(from)) return is_pageable(to) ? XHAL_COPY_DEVICE_TO_PAGEABLE : XHAL_COPY_DEVICE_TO_PINNED;
  return XHAL_COPY_HOST_TO_HOST;
}

// Both ranges, with a text when they are refused.
template <class Call>
xhal_result_t resolve_both(const Memory& memory, uint32_t device, const Call& call, Resolved& to,
                           Resolved& from) {
  const uint64_t to_size = call.destination_span();
  const uint64_t from_size = call.source_span();
  if (const xhal_result_t result = memory.resolve(call.destination, to_size, {device, XHAL_ACCESS_WRITE}, to);
      result < 0)
    return refuse_range("destination", call.destination, to_size, to, result);
  if (const xhal_result_t result = memory.resolve(call.source, from_size, {device, XHAL_ACCESS_READ}, from);
      result < 0)
    return refuse_range("source", call.source, from_size, from, result);
  if (!call.overlaps()) return XHAL_SUCCESS;
  return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "destination %p and source %p overlap", call.destination,
                   call.source);
}

// A Call has `destination` and `source`, as the application named them, and
//   destination_span(), source_span()   bytes from the first to the last
//   bytes()                             how many are moved
//   overlaps()                          whether source and destination share a byte
//   stage(budget)                       its source, packed; empty when there is no room
//   move(to, from)                      moves the bytes now
//   attachment(staged)                  what its operation owns; `staged` may be empty; null when it owns nothing
//   fill(op, to, from, direction)       makes the operation, whose attachment is set
template <class Call>
xhal_result_t transfer(Stream& stream, const Call& call) {
  Instance& instance = device_of(stream).instance;
  Resolved to;
  Resolved from;
  if (const xhal_result_t result = resolve_both(instance.memory, device_of(stream).index, call, to, from);
      result < 0)
    return result;
  const bool pageable = is_pageable(to) || is_pageable(from);
  if (pageable && stream.capture() != nullptr) return kit::refuse_captured_pageable();
  // An idle stream needs no worker, unless records are to tell what workers do, or one is still on its way out. This thread then waits for
  // the worker where there is no room to stage: the same calls succeed.
  const bool observed = (stream.host().activity().wanted() & XHAL_ACTIVITY_COPY) != 0;
  bool waits = is_pageable(to);
  Stream::Here here;
  if (pageable && !observed && stream.begin_here(here)) {
    call.move(to.host, from.host);
    stream.end_here(here);
    return XHAL_SUCCESS;
  }
  StagedBytes staged;
  if (is_pageable(from)) {
    staged = call.stage(instance.staging);
    waits = waits || staged.data() == nullptr;
    if (staged.data() == nullptr && !stream.is_idle()) {
      return kit::fail(XHAL_ERROR_OUT_OF_HOST_MEMORY,
                       "no room to stage %" PRIu64 " bytes of a pageable source: %" PRIu64 " of %" PRIu64
                       " bytes wait in streams; synchronise, or copy from pinned memory",
                       call.bytes(), instance.staging.used(), instance.staging.limit());
    }
  }
  Position position;
  std::unique_ptr<Attachment> attachment = call.attachment(std::move(staged));
  const auto fill = [&](Op& op) {
    position.progress = &stream.progress();
    op.attachment = std::move(attachment);
    call.fill(op, to.host, from.host, direction_of(to, from));
  };
  if (const xhal_result_t result = told(stream, stream.submit(fill, &position.number)); result < 0)
    return result;
  if (!waits) return XHAL_SUCCESS;
  const xhal_result_t arrived = await(*position.progress, position.number, kNever, stream.host().scheduler());
  return arrived < 0 ? kit::fail(arrived, "%s", position.progress->fault()->text.c_str()) : arrived;
}

}  // namespace xhal::sim
