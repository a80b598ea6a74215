// SPDX-License-Identifier: Apache-2.0
#include <cinttypes>

#include "entries/entry.hpp"
#include "memory/transfers.hpp"
#include "xhal/kit/region.hpp"

namespace xhal::opencl {
namespace {

xhal_result_t check_claims_managed(const Device& device) {
  if (claims(device, XHAL_FEATURE_MANAGED)) return XHAL_SUCCESS;
  return kit::fail(XHAL_ERROR_UNSUPPORTED, "the device does not claim managed");
}

// A buffer is of its platform's context alone.
xhal_result_t check_reach(const Device& device, const Range& range) {
  const bool has_buffers = range.buffer != nullptr || device.facts.path == MemoryPath::kBuffers;
  if (range.kind != XHAL_MEMORY_DEVICE || !has_buffers) return XHAL_SUCCESS;
  if (device.instance->devices[range.device]->platform == device.platform) return XHAL_SUCCESS;
  return kit::fail(XHAL_ERROR_UNSUPPORTED,
                   "device %u does not reach memory of device %u, which is of another platform with plain "
                   "buffers; copy by way of host memory",
                   device.index, range.device);
}

// ---- Allocation ----------------------------------------------------------------------------------------------------------------

xhal_result_t allocate(xhal_device_t device, const xhal_memory_desc_t* desc, void** out_pointer) {
  if (kit::in_host_function()) return make_ready(device_of(device));
  xhal_memory_desc_t given = {};
  if (const xhal_result_t result = read("desc", desc, given); result < 0) return result;
  if (out_pointer == nullptr) return refuse_null("out_pointer");
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
    if (given.kind == XHAL_MEMORY_MANAGED) {
      if (const xhal_result_t result = check_claims_managed(d); result < 0) return result;
    }
    if (const xhal_result_t result = d.instance->captures.check_unsafe_call("allocating memory"); result < 0)
      return result;
    return d.instance->memory.allocate(d, given.kind, given.size, given.alignment, out_pointer);
  });
}

xhal_result_t free_memory(xhal_device_t device, void* pointer) {
  if (kit::in_host_function()) return make_ready(device_of(device));
  if (pointer == nullptr) return XHAL_SUCCESS;
  return guarded([&] {
    Device& d = device_of(device);
    const xhal_result_t result = d.instance->captures.check_unsafe_call("freeing memory");
    return result < 0 ? result : d.instance->memory.free(d, pointer);
  });
}

// ---- Copy and fill -------------------------------------------------------------------------------------------------------------

// Pageable memory is the caller's own again when the call returns.
template <class Enqueue>
xhal_result_t submit_copy(const char* what, bool is_pageable, const Stream& stream, const Enqueue& enqueue) {
  if (!is_pageable) return stream.queue->submit(what, enqueue);
  // The stream may be destroyed while the caller waits.
  const std::shared_ptr<Queue> queue = stream.queue;
  if (queue->capture() != nullptr) return kit::refuse_captured_pageable();
  const xhal_result_t result = queue->submit(what, enqueue);
  return result < 0 ? result : queue->synchronize(XHAL_WAIT_FOREVER);
}

bool overlap(const void* one, const void* other, uint64_t size) {
  const auto a = reinterpret_cast<uint64_t>(one);
  const auto b = reinterpret_cast<uint64_t>(other);
  return a - b < size || b - a < size;
}

xhal_result_t copy(xhal_stream_t stream, void* destination, const void* source, uint64_t size) {
  return guarded([&] {
    const Stream& s = stream_of(stream);
    Device& d = *s.device;
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    if (size == 0) return xhal_result_t{XHAL_SUCCESS};
    bool is_pageable = false;
    const auto look_at = [&](const char* name, const void* pointer) -> xhal_result_t {
      if (d.instance->memory.is_within(pointer, size, d.index)) return XHAL_SUCCESS;
      Range range;
      if (const xhal_result_t result = d.instance->memory.resolve(name, pointer, size, true, range);
          result < 0)
        return result;
      is_pageable = is_pageable || range.kind == 0;
      return check_reach(d, range);
    };
    if (const xhal_result_t result = look_at("destination", destination); result < 0) return result;
    if (const xhal_result_t result = look_at("source", source); result < 0) return result;
    if (overlap(destination, source, size)) {
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "destination %p and source %p overlap", destination,
                       source);
    }
    const auto enqueue = [&d, destination, source, size](cl_command_queue queue, cl_event* event) {
      return enqueue_copy(d, queue, destination, source, size, event);
    };
    return submit_copy("copy", is_pageable, s, enqueue);
  });
}

// Row by row: OpenCL's calls for regions are for buffers alone.
xhal_result_t copy_region(xhal_stream_t stream, const xhal_copy_region_t* region) {
  return guarded([&] {
    const Stream& s = stream_of(stream);
    Device& d = *s.device;
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    xhal_copy_region_t given = {};
    if (const xhal_result_t result = read("region", region, given); result < 0) return result;
    kit::RegionShape shape;
    if (const xhal_result_t result = kit::read_region_shape(given, shape); result < 0) return result;
    if (shape.is_empty()) return xhal_result_t{XHAL_SUCCESS};
    const Memory& memory = d.instance->memory;
    Range to;
    Range from;
    if (const xhal_result_t result =
            memory.resolve("destination", given.destination, shape.span_of(shape.to), true, to);
        result < 0)
      return result;
    if (const xhal_result_t result =
            memory.resolve("source", given.source, shape.span_of(shape.from), true, from);
        result < 0)
      return result;
    for (const Range* range : {&to, &from})
      if (const xhal_result_t result = check_reach(d, *range); result < 0) return result;
    if (shape.overlaps(given.destination, given.source)) {
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "destination %p and source %p share bytes",
                       given.destination, given.source);
    }
    const auto enqueue = [&d, given, shape](cl_command_queue queue, cl_event* event) {
      kit::RegionRows targets(reinterpret_cast<uint64_t>(given.destination), shape.to, shape.extent);
      kit::RegionRows origins(reinterpret_cast<uint64_t>(given.source), shape.from, shape.extent);
      for (;;) {
        void* const row = reinterpret_cast<void*>(targets.begin());
        const auto* const origin = reinterpret_cast<const void*>(origins.begin());
        targets.next();
        origins.next();
        const bool is_last = targets.at_end();
        const cl_int code = enqueue_copy(d, queue, row, origin, shape.extent[0], is_last ? event : nullptr);
        if (code != CL_SUCCESS || is_last) return code;
      }
    };
    return submit_copy("copy of a region", to.kind == 0 || from.kind == 0, s, enqueue);
  });
}

xhal_result_t fill(xhal_stream_t stream, void* destination, uint64_t pattern, uint32_t pattern_size,
                   uint64_t size) {
  return guarded([&] {
    const Stream& s = stream_of(stream);
    const Device& d = *s.device;
    if (const xhal_result_t result = make_ready(*s.device); result < 0) return result;
    if (pattern_size != 1 && pattern_size != 2 && pattern_size != 4 && pattern_size != 8) {
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "pattern_size is %u, it must be 1, 2, 4 or 8",
                       pattern_size);
    }
    if (size == 0) return xhal_result_t{XHAL_SUCCESS};
    if (size % pattern_size != 0) {
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "size %" PRIu64 " is no multiple of pattern_size %u",
                       size, pattern_size);
    }
    if (reinterpret_cast<uint64_t>(destination) % pattern_size != 0) {
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "destination %p is not aligned to pattern_size %u",
                       destination, pattern_size);
    }
    Range range;
    if (const xhal_result_t result =
            d.instance->memory.resolve("destination", destination, size, false, range);
        result < 0)
      return result;
    if (const xhal_result_t result = check_reach(d, range); result < 0) return result;
    const auto enqueue = [&d, destination, pattern, pattern_size, size](cl_command_queue queue,
                                                                        cl_event* event) {
      return enqueue_fill(d, queue, destination, pattern, pattern_size, size, event);
    };
    return s.queue->submit("fill", enqueue);
  });
}

// ---- Managed memory ------------------------------------------------------------------------------------------------------------

xhal_result_t check_managed(const Device& device, const void* pointer, uint64_t size) {
  Range range;
  if (const xhal_result_t result = device.instance->memory.resolve("pointer", pointer, size, false, range);
      result < 0)
    return result;
  if (range.kind == XHAL_MEMORY_MANAGED) return XHAL_SUCCESS;
  return kit::fail(XHAL_ERROR_INVALID_POINTER, "%p is not managed memory", pointer);
}

// The drivers move managed memory as they see fit, or it does not move at all.
xhal_result_t prefetch(xhal_stream_t stream, const void* pointer, uint64_t size, uint32_t to_host) {
  return guarded([&] {
    const Stream& s = stream_of(stream);
    if (const xhal_result_t result = make_ready(*s.device); result < 0) return result;
    if (const xhal_result_t result = check_claims_managed(*s.device); result < 0) return result;
    if (to_host > 1)
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "to_host is %u, it must be 0 or 1", to_host);
    const xhal_result_t result = size == 0 ? XHAL_SUCCESS : check_managed(*s.device, pointer, size);
    return result < 0 ? result
                      : s.queue->submit("prefetch", [](cl_command_queue, cl_event*) { return CL_SUCCESS; });
  });
}

xhal_result_t advise(xhal_device_t device, const void* pointer, uint64_t size, uint32_t advice) {
  return guarded([&] {
    if (const xhal_result_t result = make_ready(device_of(device)); result < 0) return result;
    if (const xhal_result_t result = check_claims_managed(device_of(device)); result < 0) return result;
    if (advice < XHAL_ADVICE_READ_MOSTLY || advice > XHAL_ADVICE_UNSET_ACCESSED_BY)
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "advice %u is not known", advice);
    return size == 0 ? xhal_result_t{XHAL_SUCCESS} : check_managed(device_of(device), pointer, size);
  });
}

}  // namespace

void add_memory_entries(xhal_functions_t& functions) {
  functions.memory_allocate = allocate;
  functions.memory_free = free_memory;
  functions.memory_copy = copy;
  functions.memory_copy_region = copy_region;
  functions.memory_fill = fill;
  functions.memory_prefetch = prefetch;
  functions.memory_advise = advise;
}

}  // namespace xhal::opencl
