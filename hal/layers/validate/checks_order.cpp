// SPDX-License-Identifier: Apache-2.0
// Events that nobody records, captures that are disturbed.
#include <sys/syscall.h>
#include <unistd.h>

#include <mutex>

#include "checks.hpp"

namespace xhal::validate {
namespace {

uint32_t this_thread() { return static_cast<uint32_t>(::syscall(SYS_gettid)); }

// The capture that an object is in, while that goes on; null: none. With the lock held.
Capture* capture_of(Attachment& attachment, const Object* object) {
  if (object == nullptr) return nullptr;
  const auto found = attachment.captures.find(object->capture);
  return found != attachment.captures.end() ? &found->second : nullptr;
}

// The driver sees the call under every setting: what it does to the capture is the contract's, too. [XHAL-GRAPH-5] [XHAL-GRAPH-18]
void tell_if_captured(Call& call, const void* handle, const char* what) {
  const std::lock_guard guard(layer_lock());
  const Object* object = world().find(handle);
  const Capture* capture = capture_of(call.attachment(), object);
  if (capture == nullptr || capture->is_unsure) return;
  call.found(Kind::kCaptureMisuse, XHAL_SUCCESS, what, &object->made);
}

// XHAL_EVENT_EXTERNAL makes a node, which there is in a capture alone.
void check_external(Call& call, const void* stream, uint32_t flags) {
  if ((flags & XHAL_EVENT_EXTERNAL) == 0) return;
  const std::lock_guard guard(layer_lock());
  const Object* object = world().find(stream);
  if (object == nullptr || capture_of(call.attachment(), object) != nullptr) return;
  call.found(Kind::kCaptureMisuse, XHAL_ERROR_INVALID_ARGUMENT,
             "XHAL_EVENT_EXTERNAL is set, and the stream is in no capture", &object->made);
}

void check_mode(Call& call, uint32_t mode) {
  if (mode <= XHAL_CAPTURE_RELAXED) return;
  call.found(Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT,
             "capture mode " + std::to_string(mode) + " is not defined");
}

void check_recorded(Call& call, const void* event, const char* consequence) {
  const std::lock_guard guard(layer_lock());
  const Object* object = world().find(event);
  if (object == nullptr || object->recorded) return;
  call.found(Kind::kEventNeverRecorded, XHAL_SUCCESS,
             std::string("the event was never recorded, so ") + consequence, &object->made);
}

constexpr const char* kNothingWaits = "nothing waits for anything";

}  // namespace

bool is_captured(const Attachment& attachment, const void* stream) {
  const Object* object = world().find(stream);
  return object != nullptr && attachment.captures.count(object->capture) != 0;
}

void end_captures_of(Attachment& attachment, const void* device) {
  for (auto& [id, capture] : attachment.captures) {
    if (capture.devices.count(device) != 0) capture.is_unsure = true;
  }
}

bool note_refusal(Call& call, xhal_result_t result) {
  switch (result) {
    case XHAL_ERROR_CAPTURE_UNSUPPORTED:
    case XHAL_ERROR_CAPTURE_INVALIDATED: {
      const std::lock_guard guard(layer_lock());
      bool is_of_one = false;
      for (const void* handle : call.used()) {
        Capture* capture = capture_of(call.attachment(), world().find(handle));
        if (capture == nullptr) continue;
        capture->is_broken = is_of_one = true;
      }
      // A call that any capture may have forbidden, such as an allocation. [XHAL-GRAPH-7]
      for (auto& [id, capture] : call.attachment().captures)
        capture.is_broken = capture.is_broken || !is_of_one;
      // Of a broken capture enough was said when it broke.
      return result == XHAL_ERROR_CAPTURE_UNSUPPORTED;
    }
    case XHAL_ERROR_CAPTURE_UNJOINED:
    case XHAL_ERROR_CAPTURE_MISMATCH:
      return true;
    default:
      return false;
  }
}

void before(Call& call, Is<Entry::event_record> /*entry*/, xhal_event_t event, xhal_stream_t stream,
            uint32_t flags) {
  check_same_device(call, event, "event", stream, "stream");
  check_external(call, stream, flags);
}

void after(Call& call, Is<Entry::event_record> /*entry*/, xhal_result_t result, xhal_event_t event,
           xhal_stream_t stream, uint32_t flags) {
  if (result < 0) return;
  const std::lock_guard guard(layer_lock());
  Object* object = world().find(event);
  if (object == nullptr) return;
  object->recorded = true;
  const Object* recorded_on = world().find(stream);
  // An external record is a node; the event belongs to nobody's capture.
  const bool joins =
      (flags & XHAL_EVENT_EXTERNAL) == 0 && capture_of(call.attachment(), recorded_on) != nullptr;
  object->capture = joins ? recorded_on->capture : 0;
}

void before(Call& call, Is<Entry::stream_wait_event> /*entry*/, xhal_stream_t stream, xhal_event_t event,
            uint32_t flags) {
  check_external(call, stream, flags);
  {
    const std::lock_guard guard(layer_lock());
    const Object* waited = world().find(event);
    const Capture* capture = capture_of(call.attachment(), world().find(stream));
    // In a broken capture the driver refuses everything, with another code. [XHAL-GRAPH-6]
    const bool goes_on = capture != nullptr && !capture->is_broken && !capture->is_unsure;
    if (waited != nullptr && waited->recorded && goes_on && (flags & XHAL_EVENT_EXTERNAL) == 0 &&
        capture_of(call.attachment(), waited) != capture) {
      call.found(Kind::kCaptureMisuse, XHAL_ERROR_CAPTURE_UNSUPPORTED,
                 "a stream in a capture waits for an event that was recorded outside of it, without "
                 "XHAL_EVENT_EXTERNAL",
                 &waited->made);
    }
  }
  check_recorded(call, event, kNothingWaits);
}

void after(Call& call, Is<Entry::stream_wait_event> /*entry*/, xhal_result_t result, xhal_stream_t stream,
           xhal_event_t event, uint32_t flags) {
  if (result < 0 || (flags & XHAL_EVENT_EXTERNAL) != 0) return;
  const std::lock_guard guard(layer_lock());
  Object* waiter = world().find(stream);
  const Object* waited = world().find(event);
  Capture* capture = capture_of(call.attachment(), waited);
  if (waiter == nullptr || capture == nullptr) return;
  waiter->capture = waited->capture;  // a fork
  capture->devices.insert(waiter->device);
}

void before(Call& call, Is<Entry::event_get_elapsed> /*entry*/, xhal_event_t start, xhal_event_t end,
            int64_t* /*out_nanoseconds*/) {
  for (xhal_event_t event : {start, end}) {
    const std::optional<uint32_t> flags = event_flags(event);
    if (flags.has_value() && (*flags & XHAL_EVENT_TIMING) == 0) {
      call.found(
          Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT,
          std::string(event == start ? "the start" : "the end") + " was made without XHAL_EVENT_TIMING");
      return;
    }
  }
  check_same_device(call, start, "start", end, "end");
  for (xhal_event_t event : {start, end}) check_recorded(call, event, "there is no time to tell");
}

void before(Call& call, Is<Entry::event_synchronize> /*entry*/, xhal_event_t event, uint64_t /*timeout_ns*/) {
  tell_if_captured(call, event, "an event that was recorded in a capture is waited for while that goes on");
  check_recorded(call, event, kNothingWaits);
}

// Asking a new event is how allocators poll, and answers as documented: no finding.
void before(Call& call, Is<Entry::event_query> /*entry*/, xhal_event_t event) {
  tell_if_captured(call, event, "an event that was recorded in a capture is asked while that goes on");
}

void before(Call& call, Is<Entry::stream_query> /*entry*/, xhal_stream_t stream) {
  tell_if_captured(call, stream, "a stream in a capture is asked, which breaks the capture");
}

void before(Call& call, Is<Entry::stream_synchronize> /*entry*/, xhal_stream_t stream,
            uint64_t /*timeout_ns*/) {
  tell_if_captured(call, stream, "a stream in a capture is waited for, which breaks the capture");
}

void before(Call& call, Is<Entry::stream_destroy> /*entry*/, xhal_stream_t stream) {
  tell_if_captured(call, stream, "a stream is destroyed in a capture, which ends without a graph");
  const std::lock_guard guard(layer_lock());
  const Object* object = world().find(stream);
  if (object != nullptr && !object->owned && object->state == State::kLive) {
    call.found(Kind::kWrongRelease, XHAL_ERROR_INVALID_ARGUMENT,
               "the default stream belongs to its device and is not destroyed by the caller");
  }
}

void after(Call& /*call*/, Is<Entry::ipc_import_event> /*entry*/, xhal_result_t result,
           xhal_device_t /*device*/, const void* /*bytes*/, uint64_t /*size*/, xhal_event_t* out_event) {
  if (result < 0 || out_event == nullptr) return;
  const std::lock_guard guard(layer_lock());
  Object* object = world().find(*out_event);
  if (object != nullptr) object->recorded = true;  // by whoever exported it
}

void before(Call& call, Is<Entry::driver_exchange_capture_mode> /*entry*/, xhal_driver_t /*driver*/,
            uint32_t mode, uint32_t* /*out_former*/) {
  check_mode(call, mode);
}

void before(Call& call, Is<Entry::stream_begin_capture> /*entry*/, xhal_stream_t stream, uint32_t mode) {
  check_mode(call, mode);
  const std::lock_guard guard(layer_lock());
  const Object* object = world().find(stream);
  const Capture* capture = capture_of(call.attachment(), object);
  if (capture == nullptr || capture->is_unsure) return;
  call.found(Kind::kCaptureMisuse, XHAL_ERROR_CAPTURE_MISMATCH, "the stream is in a capture already",
             &object->made);
}

void after(Call& call, Is<Entry::stream_begin_capture> /*entry*/, xhal_result_t result, xhal_stream_t stream,
           uint32_t mode) {
  if (result < 0) return;
  Attachment& attachment = call.attachment();
  const std::lock_guard guard(layer_lock());
  Object* object = world().find(stream);
  if (object == nullptr) return;
  object->capture = ++attachment.last_capture;
  attachment.captures[object->capture] = {this_thread(), mode, false, false, {object->device}};
}

void before(Call& call, Is<Entry::stream_end_capture> /*entry*/, xhal_stream_t stream,
            xhal_graph_t* /*out_graph*/) {
  const std::lock_guard guard(layer_lock());
  const Object* object = world().find(stream);
  if (object == nullptr) return;
  const Capture* capture = capture_of(call.attachment(), object);
  if (capture == nullptr) {
    call.found(Kind::kCaptureMisuse, XHAL_ERROR_CAPTURE_MISMATCH, "the stream is in no capture",
               &object->made);
    return;
  }
  if (!capture->is_unsure && capture->mode != XHAL_CAPTURE_RELAXED && capture->thread != this_thread()) {
    call.found(
        Kind::kCaptureMisuse, XHAL_ERROR_CAPTURE_MISMATCH,
        "the capture was begun by thread " + std::to_string(capture->thread) + ", which alone may end it");
  }
}

void after(Call& call, Is<Entry::stream_end_capture> /*entry*/, xhal_result_t result, xhal_stream_t stream,
           xhal_graph_t* /*out_graph*/) {
  // With these codes the capture has ended, too.
  if (result < 0 && result != XHAL_ERROR_CAPTURE_UNJOINED && result != XHAL_ERROR_CAPTURE_INVALIDATED) return;
  const std::lock_guard guard(layer_lock());
  const Object* object = world().find(stream);
  if (object != nullptr) call.attachment().captures.erase(object->capture);
}

}  // namespace xhal::validate
