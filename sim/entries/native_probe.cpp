// SPDX-License-Identifier: Apache-2.0
// The simulator's own API, as far as the extension of xhal/ext/native_probe.h offers it: called directly, not through libxhal's checks, so
// every handle and value may be anything.
#include "xhal/ext/native_probe.h"

#include <cinttypes>
#include <memory>
#include <string>

#include "device/live_instances.hpp"
#include "entries/native_entries.hpp"

namespace xhal::sim {
namespace {

// body(device) for a live device, whose code is the answer.
template <class Body>
xhal_result_t on_device(xhal_device_t device, Body&& body) {
  return guarded([&] {
    xhal_result_t answer = XHAL_SUCCESS;
    const bool is_live =
        LiveInstances::of_process().with_device(device, [&](Device& d) { answer = body(d); });
    if (!is_live) return kit::fail(XHAL_ERROR_INVALID_HANDLE, "device is no live device of the simulator");
    return answer;
  });
}

xhal_result_t refuse_unknown(const char* what, uint64_t value) {
  return kit::fail(XHAL_ERROR_INVALID_HANDLE, "%" PRIu64 " is no live %s of the device", value, what);
}

// body(stream) for the stream that is meant, whose code is the answer.
template <class Body>
xhal_result_t on_stream(xhal_device_t device, const xhal_native_t* native, Body&& body) {
  xhal_native_t given = {};
  if (const xhal_result_t result = read("stream", native, given); result < 0) return result;
  if (const xhal_result_t result = check_native("stream", given); result < 0) return result;
  const bool is_default = given.kind == XHAL_NATIVE_LEGACY_DEFAULT && given.value == 0;
  if (!is_default && (given.kind != XHAL_NATIVE_HANDLE || given.value == 0))
    return refuse_unknown("stream", given.value);
  return on_device(device, [&](Device& d) {
    xhal_result_t answer = XHAL_SUCCESS;
    const bool is_live = d.with_native_stream(given.value, [&](Stream& stream) { answer = body(stream); });
    return is_live ? answer : refuse_unknown("stream", given.value);
  });
}

xhal_result_t ask(xhal_device_t device, uint32_t object, const xhal_native_t* native) {
  if (object == XHAL_NATIVE_PROBE_STREAM)
    return on_stream(device, native, [](Stream&) { return xhal_result_t{XHAL_SUCCESS}; });
  xhal_native_t given = {};
  if (const xhal_result_t result = read("native", native, given); result < 0) return result;
  if (const xhal_result_t result = check_native_handle("native", given); result < 0) return result;
  if (object == XHAL_NATIVE_PROBE_CONTEXT) {
    uint32_t index = 0;
    const xhal_result_t found = on_device(device, [&](const Device& d) {
      index = d.index;
      return xhal_result_t{XHAL_SUCCESS};
    });
    if (found < 0) return found;
    return guarded([&]() -> xhal_result_t {
      if (LiveInstances::of_process().has_context(given.value, index)) return XHAL_SUCCESS;
      return refuse_unknown("context", given.value);
    });
  }
  return on_device(device, [&](Device& d) -> xhal_result_t {
    switch (object) {
      case XHAL_NATIVE_PROBE_DEVICE:
        return given.value == d.native_id ? XHAL_SUCCESS : refuse_unknown("device", given.value);
      case XHAL_NATIVE_PROBE_EVENT:
        return d.has_native_event(given.value) ? XHAL_SUCCESS : refuse_unknown("event", given.value);
      case XHAL_NATIVE_PROBE_MODULE:
        return d.has_native_module(given.value) ? XHAL_SUCCESS : refuse_unknown("module", given.value);
      default:
        return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "object is %u, which is no XHAL_NATIVE_PROBE_ number",
                         object);
    }
  });
}

// ---- Streams -------------------------------------------------------------------------------------------------------------------

xhal_result_t stream_create(xhal_device_t device, xhal_native_t* out_stream) {
  if (const xhal_result_t result = check_out("out_stream", out_stream); result < 0) return result;
  return on_device(device, [&](Device& d) {
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    kit::write_struct(native_of(d.make_native_stream()), out_stream);
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t stream_destroy(xhal_device_t device, const xhal_native_t* stream) {
  xhal_native_t given = {};
  if (const xhal_result_t result = read("stream", stream, given); result < 0) return result;
  if (const xhal_result_t result = check_native_handle("stream", given); result < 0) return result;
  return on_device(device, [&](Device& d) -> xhal_result_t {
    return d.destroy_native_stream(given.value) ? XHAL_SUCCESS : refuse_unknown("stream", given.value);
  });
}

xhal_result_t stream_fill(xhal_device_t device, const xhal_native_t* stream, void* destination,
                          uint32_t value, uint64_t count) {
  if (count == 0) return XHAL_SUCCESS;
  if (count > UINT64_MAX / sizeof(value))
    return kit::fail(XHAL_ERROR_OUT_OF_RANGE, "%" PRIu64 " words are more than there are addresses", count);
  return on_stream(device, stream, [&](Stream& s) {
    Device& d = device_of(s);
    if (const xhal_result_t result = check_present(d); result < 0) return result;
    const uint64_t size = count * sizeof(value);
    Resolved range;
    if (const xhal_result_t result =
            d.instance.memory.resolve(destination, size, {d.index, XHAL_ACCESS_WRITE}, range);
        result < 0)
      return kit::fail(result, "destination %p with %" PRIu64 " bytes %s", destination, size, range.problem);
    if (range.allocation.kind == XHAL_MEMORY_UNMANAGED ||
        reinterpret_cast<uint64_t>(destination) % sizeof(value) != 0)
      return kit::fail(XHAL_ERROR_INVALID_POINTER, "destination %p is no word that kernels reach",
                       destination);
    const auto fill = [&](Op& op) { op.make(FillOp{range.host, value, size, uint32_t{4}}); };
    const xhal_result_t result = told(s, s.submit(fill));
    start_withheld();  // nobody asks the driver about the vendor's own work
    return result;
  });
}

// A position of a progress of its own, which the release reaches.
struct Hold {
  Progress* progress;
  uint64_t number;
};

xhal_result_t stream_hold(xhal_device_t device, const xhal_native_t* stream, void** out_hold) {
  if (out_hold == nullptr) return refuse_null("out_hold");
  return on_stream(device, stream, [&](Stream& s) {
    if (const xhal_result_t result = check_present(device_of(s)); result < 0) return result;
    ProgressPool& pool = s.host().progresses();
    auto hold = std::make_unique<Hold>(Hold{pool.take(), 0});
    hold->number = hold->progress->submitted() + 1;
    hold->progress->submit(hold->number);
    const xhal_result_t result = told(s, s.wait(Position{hold->progress, hold->number}));
    if (result < 0) {
      hold->progress->retire(hold->number);
      pool.give_back(hold->progress);
      return result;
    }
    *out_hold = hold.release();
    return result;
  });
}

xhal_result_t stream_release(xhal_device_t device, void* hold) {
  if (hold == nullptr) return refuse_null("hold");
  return on_device(device, [&](Device& d) {
    const std::unique_ptr<Hold> gone(static_cast<Hold*>(hold));
    gone->progress->retire(gone->number);
    d.progresses().give_back(gone->progress);
    start_withheld();
    return xhal_result_t{XHAL_SUCCESS};
  });
}

// ---- Contexts and memory -------------------------------------------------------------------------------------------------------

xhal_result_t context_create(xhal_device_t device, xhal_native_t* out_context) {
  if (const xhal_result_t result = check_out("out_context", out_context); result < 0) return result;
  uint32_t index = 0;
  const xhal_result_t found = on_device(device, [&](const Device& d) {
    index = d.index;
    return xhal_result_t{XHAL_SUCCESS};
  });
  if (found < 0) return found;
  return guarded([&] {
    kit::write_struct(native_of(LiveInstances::of_process().create_context(index)), out_context);
    return XHAL_SUCCESS;
  });
}

xhal_result_t context_destroy(xhal_device_t, const xhal_native_t* context) {
  xhal_native_t given = {};
  if (const xhal_result_t result = read("context", context, given); result < 0) return result;
  if (const xhal_result_t result = check_native_handle("context", given); result < 0) return result;
  return guarded([&]() -> xhal_result_t {
    if (LiveInstances::of_process().destroy_context(given.value)) return XHAL_SUCCESS;
    return kit::fail(XHAL_ERROR_INVALID_HANDLE, "%" PRIu64 " is no context that the application made",
                     given.value);
  });
}

// body(device) when that is the context in which the device works, which is where its memory comes from.
template <class Body>
xhal_result_t in_context(xhal_device_t device, const xhal_native_t* context, Body&& body) {
  xhal_native_t given = {};
  if (const xhal_result_t result = read("context", context, given); result < 0) return result;
  if (const xhal_result_t result = check_native_handle("context", given); result < 0) return result;
  return on_device(device, [&](Device& d) {
    if (d.context() != given.value) {
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                       "device %u works in context %" PRIu64 ", not in context %" PRIu64, d.index,
                       d.context(), given.value);
    }
    return body(d);
  });
}

xhal_result_t allocate(xhal_device_t device, const xhal_native_t* context, uint64_t size,
                       void** out_pointer) {
  if (size == 0) return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "size is 0");
  if (out_pointer == nullptr) return refuse_null("out_pointer");
  return in_context(device, context, [&](Device& d) {
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    std::string why;
    const xhal_result_t result =
        d.instance.memory.allocate_native(d.index, size, kit::services().next_id(), out_pointer, why);
    return result < 0 ? kit::fail(result, "%s", why.c_str()) : result;
  });
}

xhal_result_t free_memory(xhal_device_t device, const xhal_native_t* context, void* pointer) {
  return in_context(device, context, [&](Device& d) -> xhal_result_t {
    if (d.instance.memory.free_native(d.index, pointer)) return XHAL_SUCCESS;
    return kit::fail(XHAL_ERROR_INVALID_POINTER, "%p is not what the native allocator gave", pointer);
  });
}

// A CPU has no semaphores that somebody else makes: those calls are null.
constexpr xhal_native_probe_t kProbe = {sizeof(kProbe),
                                        1u << XHAL_NATIVE_LEGACY_DEFAULT,
                                        ask,
                                        stream_create,
                                        stream_destroy,
                                        stream_fill,
                                        stream_hold,
                                        stream_release,
                                        context_create,
                                        context_destroy,
                                        allocate,
                                        free_memory,
                                        nullptr,
                                        nullptr,
                                        nullptr,
                                        nullptr};

}  // namespace

const void* native_probe() { return &kProbe; }

}  // namespace xhal::sim
