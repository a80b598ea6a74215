// SPDX-License-Identifier: Apache-2.0
#include <cinttypes>
#include <cstring>
#include <string>

#include "entries/entry.hpp"
#include "entries/transfer.hpp"

namespace xhal::sim {
namespace {

// ---- Allocation and registration -----------------------------------------------------------------------------------------------

xhal_result_t allocate(xhal_device_t device, const xhal_memory_desc_t* desc, void** out_pointer) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  xhal_memory_desc_t given = {};
  if (const xhal_result_t result = read("desc", desc, given); result < 0) return result;
  if (out_pointer == nullptr) return refuse_null("out_pointer");
  if (given.kind == XHAL_MEMORY_MANAGED && !claims(device_of(device), XHAL_FEATURE_MANAGED)) {
    return kit::fail(XHAL_ERROR_UNSUPPORTED,
                     "the device does not claim managed memory: allocate DEVICE or PINNED");
  }
  if (given.kind != XHAL_MEMORY_DEVICE && given.kind != XHAL_MEMORY_PINNED &&
      given.kind != XHAL_MEMORY_MANAGED) {
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
    if (const xhal_result_t result = check_no_capture_forbids(d, "allocating memory"); result < 0)
      return result;
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
    if (const xhal_result_t result = check_no_capture_forbids(d, "freeing memory"); result < 0) return result;
    std::string why;
    const xhal_result_t result = d.instance.shared_memory.free(d.index, pointer, why);
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

struct StagedCopy final : Attachment {
  explicit StagedCopy(StagedBytes taken) : bytes(std::move(taken)) {}
  const StagedBytes bytes;
};

struct CopyCall {
  void* destination;
  const void* source;
  uint64_t size;

  [[nodiscard]] uint64_t destination_span() const { return size; }
  [[nodiscard]] uint64_t source_span() const { return size; }
  [[nodiscard]] uint64_t bytes() const { return size; }
  [[nodiscard]] bool overlaps() const {
    const auto to = reinterpret_cast<uint64_t>(destination);
    const auto from = reinterpret_cast<uint64_t>(source);
    return to - from < size || from - to < size;
  }
  [[nodiscard]] StagedBytes stage(StagingBudget& budget) const { return {budget, source, size}; }
  void move(std::byte* to, const std::byte* from) const { std::memcpy(to, from, size); }
  [[nodiscard]] std::unique_ptr<Attachment> attachment(StagedBytes staged) const {
    return staged.data() != nullptr ? std::make_unique<StagedCopy>(std::move(staged)) : nullptr;
  }
  void fill(Op& op, std::byte* to, const std::byte* from, uint32_t direction) const {
    const auto* staged = static_cast<const StagedCopy*>(op.attachment.get());
    op.make(CopyOp{to, staged != nullptr ? staged->bytes.data() : from, size, direction});
  }
};

xhal_result_t copy(xhal_stream_t stream, void* destination, const void* source, uint64_t size) {
  Stream& s = stream_of(stream);
  if (const xhal_result_t result = may_submit(s); result < 0) return result;
  if (size == 0) return XHAL_SUCCESS;
  return guarded([&] { return transfer(s, CopyCall{destination, source, size}); });
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
    const Device& d = device_of(s);
    Resolved range;
    if (const xhal_result_t result =
            d.instance.memory.resolve(destination, size, {d.index, XHAL_ACCESS_WRITE}, range);
        result < 0)
      return refuse_range("destination", destination, size, range, result);
    if (is_pageable(range)) {
      return kit::fail(XHAL_ERROR_INVALID_POINTER,
                       "destination %p is pageable memory; fill device, pinned or registered memory",
                       destination);
    }
    const auto make = [&](Op& op) { op.make(FillOp{range.host, pattern, size, pattern_size}); };
    return told(s, s.submit(make));
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
