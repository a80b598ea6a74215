// SPDX-License-Identifier: Apache-2.0
#include "xhal/kit/capture.hpp"

#include "xhal/event.h"
#include "xhal/kit/driver.hpp"

namespace xhal::kit {
namespace {

thread_local uint32_t thread_mode = XHAL_CAPTURE_GLOBAL;

}  // namespace

void Captures::add(const std::shared_ptr<CaptureState>& capture) {
  const std::lock_guard lock(mutex_);
  captures_.push_back(capture);
  count_.store(captures_.size(), std::memory_order_release);
}

bool Captures::allows_unsafe_call() {
  if (thread_mode == XHAL_CAPTURE_RELAXED) return true;
  const std::lock_guard lock(mutex_);
  std::erase_if(captures_, [](const std::weak_ptr<CaptureState>& weak) {
    const auto capture = weak.lock();
    return capture == nullptr || capture->state() == XHAL_CAPTURE_STATE_NONE;
  });
  count_.store(captures_.size(), std::memory_order_release);
  return std::ranges::none_of(captures_, [](const std::weak_ptr<CaptureState>& weak) {
    const auto capture = weak.lock();
    if (capture == nullptr || capture->mode == XHAL_CAPTURE_RELAXED) return false;
    const bool own = capture->thread == std::this_thread::get_id();
    return own || (capture->mode == XHAL_CAPTURE_GLOBAL && thread_mode == XHAL_CAPTURE_GLOBAL);
  });
}

xhal_result_t Captures::check_while_captured(const char* what) {
  if (allows_unsafe_call()) return XHAL_SUCCESS;
  return fail(XHAL_ERROR_CAPTURE_UNSUPPORTED,
              "a capture is under way that forbids %s; end it, begin it relaxed, or relax this thread by "
              "xhal_driver_exchange_capture_mode",
              what);
}

uint32_t Captures::exchange_thread_mode(uint32_t mode) { return std::exchange(thread_mode, mode); }

xhal_result_t refuse_capture_mode(uint32_t mode) {
  return fail(XHAL_ERROR_INVALID_ARGUMENT, "mode is %u, it must be GLOBAL, THREAD or RELAXED", mode);
}

xhal_result_t refuse_second_capture() {
  return fail(XHAL_ERROR_CAPTURE_MISMATCH, "the stream captures already; end that capture first");
}

xhal_result_t refuse_capture_end(xhal_result_t result) {
  return fail(result, result == XHAL_ERROR_CAPTURE_MISMATCH
                          ? "no capture of this thread's began on the stream; the stream and, unless it is "
                            "relaxed, the thread that began it end it"
                          : "a stream that joined the capture did work that the stream which began it has "
                            "not waited for; record an event there and wait for it here");
}

xhal_result_t refuse_in_capture(xhal_result_t result) {
  return fail(result, result == XHAL_ERROR_CAPTURE_INVALIDATED
                          ? "the stream's capture became invalid by an earlier call; end it and begin anew"
                          : "the stream captures, and the event was recorded outside of that capture; wait "
                            "with XHAL_EVENT_EXTERNAL, or record it in the capture; an event of several "
                            "processes is recorded by no node of a graph");
}

xhal_result_t refuse_captured(CaptureState& capture, const char* what) {
  capture.invalidate();
  return fail(XHAL_ERROR_CAPTURE_UNSUPPORTED,
              "%s in a capture: asking or waiting for it cannot be captured, and the capture is invalid now",
              what);
}

xhal_result_t check_event_flags(uint32_t flags, bool captures) {
  if (flags == 0) return XHAL_SUCCESS;
  if (flags != XHAL_EVENT_EXTERNAL) {
    return fail(XHAL_ERROR_INVALID_ARGUMENT, "flags is 0x%x, the defined bit is 0x%x", flags,
                uint32_t{XHAL_EVENT_EXTERNAL});
  }
  if (captures) return XHAL_SUCCESS;
  return fail(XHAL_ERROR_INVALID_ARGUMENT, "XHAL_EVENT_EXTERNAL outside of a capture means nothing");
}

xhal_result_t refuse_captured_pageable() {
  return fail(XHAL_ERROR_CAPTURE_UNSUPPORTED,
              "the stream captures: copies of pageable memory cannot be captured; use pinned memory");
}

}  // namespace xhal::kit
