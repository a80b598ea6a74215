// SPDX-License-Identifier: Apache-2.0
#include <cinttypes>
#include <cstring>
#include <string>

#include "entries/entry.hpp"

namespace xhal::sim {
namespace {

// ---- Allocation and registration -----------------------------------------------------------------------------------------------

xhal_result_t allocate(xhal_device_t device, const xhal_memory_desc_t* desc, void** out_pointer) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  xhal_memory_desc_t given = {};
  if (const xhal_result_t result = read("desc", desc, given); result < 0) return result;
  if (out_pointer == nullptr) return refuse_null("out_pointer");
  if (given.kind == XHAL_MEMORY_MANAGED) {
    return kit::fail(XHAL_ERROR_UNSUPPORTED,
                     "the device does not claim managed memory: allocate DEVICE or PINNED");
  }
  if (given.kind != XHAL_MEMORY_DEVICE && given.kind != XHAL_MEMORY_PINNED) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "desc->kind is %u, it must be DEVICE, PINNED or MANAGED",
                     given.kind);
  }
  if (given.flags != 0)
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "desc->flags is 0x%x, no flag is defined", given.flags);
  if (given.reserved != 0) return refuse_reserved("desc");
  if (given.size == 0) return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "desc->size is 0");
  if ((given.alignment & (given.alignment - 1)) != 0) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                     "desc->alignment is %" PRIu64 ", it must be a power of two or 0", given.alignment);
  }
  return guarded([&] {
    Device& d = device_of(device);
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    std::string why;
    const xhal_result_t result = d.instance.memory.allocate(d.index, given.kind, given.size, given.alignment,
                                                            kit::services().next_id(), out_pointer, why);
    return result < 0 ? kit::fail(result, "%s", why.c_str()) : result;
  });
}

xhal_result_t free_memory(xhal_device_t device, void* pointer) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  if (pointer == nullptr) return XHAL_SUCCESS;
  return guarded([&] {
    Device& d = device_of(device);
    std::string why;
    const xhal_result_t result = d.instance.memory.free(
        d.index, pointer, [&] { return d.instance.pending(); }, why);
    return result < 0 ? kit::fail(result, "%s", why.c_str()) : result;
  });
}

xhal_result_t register_memory(xhal_device_t device, void* pointer, uint64_t size, uint32_t flags) {
  if (const xhal_result_t result = check_claimed(device_of(device), XHAL_FEATURE_REGISTER, "register");
      result < 0)
    return result;
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  if (flags != 0) return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "flags is 0x%x, no flag is defined", flags);
  if (pointer == nullptr) return kit::fail(XHAL_ERROR_INVALID_POINTER, "pointer is null");
  if (size == 0) return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "size is 0");
  return guarded([&] {
    Device& d = device_of(device);
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    std::string why;
    const xhal_result_t result =
        d.instance.memory.add_registered(d.index, pointer, size, kit::services().next_id(), why);
    return result < 0 ? kit::fail(result, "%s", why.c_str()) : result;
  });
}

// Work that was submitted before uses the application's memory as such, registered or not: nothing waits for it. [XHAL-REGISTER-3]
xhal_result_t unregister_memory(xhal_device_t device, void* pointer) {
  if (const xhal_result_t result = check_claimed(device_of(device), XHAL_FEATURE_REGISTER, "register");
      result < 0)
    return result;
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  return guarded([&] {
    Device& d = device_of(device);
    std::string why;
    const xhal_result_t result = d.instance.memory.remove_registered(d.index, pointer, why);
    return result < 0 ? kit::fail(result, "%s", why.c_str()) : result;
  });
}

// ---- Copy and fill -------------------------------------------------------------------------------------------------------------

xhal_result_t refuse_range(const char* name, const void* pointer, uint64_t size, const Resolved& range,
                           xhal_result_t result) {
  return kit::fail(result, "%s %p with %" PRIu64 " bytes %s", name, pointer, size, range.problem);
}

struct CopyCall {
  void* destination;
  const void* source;
  uint64_t size;

  // Both ranges, as they are while `view` holds; with a text when refused.
  xhal_result_t resolve(const Memory::View& view, Resolved& out_destination, Resolved& out_source) const {
    if (const xhal_result_t result = view.resolve(destination, size, out_destination); result < 0) {
      return refuse_range("destination", destination, size, out_destination, result);
    }
    if (const xhal_result_t result = view.resolve(source, size, out_source); result < 0) {
      return refuse_range("source", source, size, out_source, result);
    }
    const auto to = reinterpret_cast<uint64_t>(destination);
    const auto from = reinterpret_cast<uint64_t>(source);
    if (to - from >= size && from - to >= size) return XHAL_SUCCESS;
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                     "destination %p and source %p overlap within %" PRIu64 " bytes", destination, source,
                     size);
  }
};

bool is_pageable(const Resolved& range) { return range.allocation.kind == XHAL_MEMORY_UNMANAGED; }

struct StagedCopy final : Attachment {
  explicit StagedCopy(StagedBytes taken) : bytes(std::move(taken)) {}
  const StagedBytes bytes;
};

xhal_result_t submit_copy(Stream& stream, const Resolved& destination, const std::byte* source, uint64_t size,
                          StagedBytes staged, Position& out_position) {
  std::unique_ptr<StagedCopy> attachment;
  if (staged.data() != nullptr) attachment = std::make_unique<StagedCopy>(std::move(staged));
  const auto fill = [&](Op& op) {
    out_position.progress = &stream.progress();
    op.body.emplace<CopyOp>(destination.host, source, size);
    op.attachment = std::move(attachment);
  };
  return told(stream, stream.submit("xhal_memory_copy", 0, fill, &out_position.number));
}

// The source's bytes are the caller's again when this returns, whenever the stream comes to the copy.
xhal_result_t submit_staged(Stream& stream, const CopyCall& call, Position& out_position) {
  StagingBudget& budget = device_of(stream).instance.staging;
  StagedBytes staged(budget, call.source, call.size);
  const std::byte* const bytes = staged.data();
  if (bytes == nullptr) {
    return kit::fail(XHAL_ERROR_OUT_OF_HOST_MEMORY,
                     "no room to stage %" PRIu64 " bytes of a pageable source: %" PRIu64 " of %" PRIu64
                     " bytes wait in streams; synchronise, or copy from pinned memory",
                     call.size, budget.used(), budget.limit());
  }
  const Memory::View view(device_of(stream).instance.memory);
  Resolved destination;
  Resolved source;
  if (const xhal_result_t result = call.resolve(view, destination, source); result < 0) return result;
  return submit_copy(stream, destination, bytes, call.size, std::move(staged), out_position);
}

// Pageable memory is the caller's own, before and after the call: what comes from it is taken at once, what goes to it has arrived
// when the call returns. On an idle stream the caller's thread copies, and nothing is staged or handed over.
xhal_result_t copy(xhal_stream_t stream, void* destination, const void* source, uint64_t size) {
  Stream& s = stream_of(stream);
  if (const xhal_result_t result = may_submit(s); result < 0) return result;
  if (size == 0) return XHAL_SUCCESS;
  return guarded([&]() -> xhal_result_t {
    const CopyCall given = {destination, source, size};
    Resolved to;
    Resolved from;
    Stream::Here here;
    bool at_once = false;
    Position position;
    {
      const Memory::View view(device_of(s).instance.memory);
      if (const xhal_result_t result = given.resolve(view, to, from); result < 0) return result;
      if ((is_pageable(to) || is_pageable(from)) && s.capture() != nullptr) {
        return kit::fail(
            XHAL_ERROR_CAPTURE_UNSUPPORTED,
            "the stream captures: copies of pageable memory cannot be captured; use pinned memory");
      }
      at_once = (is_pageable(to) || is_pageable(from)) && s.begin_here(here);
      if (!at_once && !is_pageable(from)) {
        const xhal_result_t result = submit_copy(s, to, from.host, size, {}, position);
        if (result < 0) return result;
      }
    }
    if (at_once) {
      std::memcpy(to.host, from.host, size);
      s.end_here(here);
      return XHAL_SUCCESS;
    }
    if (is_pageable(from)) {
      if (const xhal_result_t result = submit_staged(s, given, position); result < 0) return result;
    }
    if (!is_pageable(to)) return XHAL_SUCCESS;
    const xhal_result_t arrived = await(*position.progress, position.number, kNever, s.host().scheduler());
    return arrived < 0 ? kit::fail(arrived, "%s", position.progress->fault()->text.c_str()) : arrived;
  });
}

xhal_result_t fill(xhal_stream_t stream, void* destination, uint64_t pattern, uint32_t pattern_size,
                   uint64_t size) {
  Stream& s = stream_of(stream);
  if (const xhal_result_t result = may_submit(s); result < 0) return result;
  if (pattern_size != 1 && pattern_size != 2 && pattern_size != 4 && pattern_size != 8) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "pattern_size is %u, it must be 1, 2, 4 or 8",
                     pattern_size);
  }
  if (size == 0) return XHAL_SUCCESS;
  if (size % pattern_size != 0) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "size %" PRIu64 " is no multiple of pattern_size %u", size,
                     pattern_size);
  }
  if (reinterpret_cast<uint64_t>(destination) % pattern_size != 0) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "destination %p is not aligned to pattern_size %u",
                     destination, pattern_size);
  }
  return guarded([&] {
    const Memory::View view(device_of(s).instance.memory);
    Resolved range;
    if (const xhal_result_t result = view.resolve(destination, size, range); result < 0) {
      return refuse_range("destination", destination, size, range, result);
    }
    if (range.allocation.kind == XHAL_MEMORY_UNMANAGED) {
      return kit::fail(XHAL_ERROR_INVALID_POINTER,
                       "destination %p is pageable memory; fill device, pinned or registered memory",
                       destination);
    }
    const auto make = [&](Op& op) { op.body.emplace<FillOp>(range.host, pattern, size, pattern_size); };
    return told(s, s.submit("xhal_memory_fill", 0, make));
  });
}

}  // namespace

void add_memory_entries(xhal_functions_t& functions) {
  functions.memory_allocate = allocate;
  functions.memory_free = free_memory;
  functions.memory_copy = copy;
  functions.memory_fill = fill;
  functions.memory_register = register_memory;
  functions.memory_unregister = unregister_memory;
}

}  // namespace xhal::sim
