// SPDX-License-Identifier: Apache-2.0
// Events that nobody records, captures that are disturbed.
#include <sys/syscall.h>
#include <unistd.h>

#include <mutex>

#include "checks.hpp"

namespace xhal::validate {
namespace {

uint32_t this_thread() { return static_cast<uint32_t>(::syscall(SYS_gettid)); }

// The capture that an object is in, while that goes on; 0: none. With the lock held.
uint64_t capture_of(const Attachment& attachment, const Object* object) {
  return object != nullptr && attachment.captures.count(object->capture) != 0 ? object->capture : 0;
}

void check_not_captured(Call& call, const void* handle, const char* what) {
  const std::lock_guard guard(layer_lock());
  const Object* object = world().find(handle);
  if (capture_of(call.attachment(), object) == 0) return;
  call.found(Kind::kCaptureMisuse, XHAL_ERROR_CAPTURE_UNSUPPORTED, what, &object->made);
}

void check_recorded(Call& call, const void* event) {
  const std::lock_guard guard(layer_lock());
  const Object* object = world().find(event);
  if (object == nullptr || object->recorded) return;
  call.found(Kind::kEventNeverRecorded, XHAL_SUCCESS,
             "the event was never recorded, so nothing waits for anything", &object->made);
}

}  // namespace

void before(Call& call, Is<Entry::event_record> /*entry*/, xhal_event_t event, xhal_stream_t stream,
            uint32_t /*flags*/) {
  check_same_device(call, event, "event", stream, "stream");
}

void after(Call& call, Is<Entry::event_record> /*entry*/, xhal_result_t result, xhal_event_t event,
           xhal_stream_t stream, uint32_t flags) {
  if (result < 0) return;
  const std::lock_guard guard(layer_lock());
  Object* object = world().find(event);
  if (object == nullptr) return;
  object->recorded = true;
  // An external record is a node; the event belongs to nobody's capture.
  object->capture =
      (flags & XHAL_EVENT_EXTERNAL) != 0 ? 0 : capture_of(call.attachment(), world().find(stream));
}

void before(Call& call, Is<Entry::stream_wait_event> /*entry*/, xhal_stream_t stream, xhal_event_t event,
            uint32_t flags) {
  {
    const std::lock_guard guard(layer_lock());
    const Object* waited = world().find(event);
    const uint64_t capture = capture_of(call.attachment(), world().find(stream));
    if (waited != nullptr && waited->recorded && capture != 0 && (flags & XHAL_EVENT_EXTERNAL) == 0 &&
        capture_of(call.attachment(), waited) != capture) {
      call.found(Kind::kCaptureMisuse, XHAL_ERROR_CAPTURE_UNSUPPORTED,
                 "a stream in a capture waits for an event that was recorded outside of it, without "
                 "XHAL_EVENT_EXTERNAL",
                 &waited->made);
    }
  }
  check_recorded(call, event);
}

void after(Call& call, Is<Entry::stream_wait_event> /*entry*/, xhal_result_t result, xhal_stream_t stream,
           xhal_event_t event, uint32_t flags) {
  if (result < 0 || (flags & XHAL_EVENT_EXTERNAL) != 0) return;
  const std::lock_guard guard(layer_lock());
  Object* waiter = world().find(stream);
  const uint64_t capture = capture_of(call.attachment(), world().find(event));
  if (waiter != nullptr && capture != 0) waiter->capture = capture;  // a fork
}

void before(Call& call, Is<Entry::event_synchronize> /*entry*/, xhal_event_t event, uint64_t /*timeout_ns*/) {
  check_not_captured(call, event, "an event that was recorded in a capture is waited for while that goes on");
  check_recorded(call, event);
}

// Asking a new event is how allocators poll, and answers as documented: no finding.
void before(Call& call, Is<Entry::event_query> /*entry*/, xhal_event_t event) {
  check_not_captured(call, event, "an event that was recorded in a capture is asked while that goes on");
}

void before(Call& call, Is<Entry::stream_query> /*entry*/, xhal_stream_t stream) {
  check_not_captured(call, stream, "a stream in a capture is asked, which breaks the capture");
}

void before(Call& call, Is<Entry::stream_synchronize> /*entry*/, xhal_stream_t stream,
            uint64_t /*timeout_ns*/) {
  check_not_captured(call, stream, "a stream in a capture is waited for, which breaks the capture");
}

void before(Call& call, Is<Entry::stream_destroy> /*entry*/, xhal_stream_t stream) {
  check_not_captured(call, stream, "a stream is destroyed in a capture, which ends without a graph");
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

void before(Call& call, Is<Entry::stream_begin_capture> /*entry*/, xhal_stream_t stream, uint32_t mode) {
  if (mode > XHAL_CAPTURE_RELAXED) {
    call.found(Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT,
               "capture mode " + std::to_string(mode) + " is not defined");
  }
  const std::lock_guard guard(layer_lock());
  const Object* object = world().find(stream);
  if (capture_of(call.attachment(), object) == 0) return;
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
  attachment.captures[object->capture] = {this_thread(), mode};
}

void before(Call& call, Is<Entry::stream_end_capture> /*entry*/, xhal_stream_t stream,
            xhal_graph_t* /*out_graph*/) {
  const Attachment& attachment = call.attachment();
  const std::lock_guard guard(layer_lock());
  const Object* object = world().find(stream);
  if (object == nullptr) return;
  const uint64_t id = capture_of(attachment, object);
  if (id == 0) {
    call.found(Kind::kCaptureMisuse, XHAL_ERROR_CAPTURE_MISMATCH, "the stream is in no capture",
               &object->made);
    return;
  }
  const Capture& capture = attachment.captures.at(id);
  if (capture.mode != XHAL_CAPTURE_RELAXED && capture.thread != this_thread()) {
    call.found(
        Kind::kCaptureMisuse, XHAL_ERROR_CAPTURE_MISMATCH,
        "the capture was begun by thread " + std::to_string(capture.thread) + ", which alone may end it");
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
