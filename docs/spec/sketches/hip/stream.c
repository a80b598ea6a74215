/* SPDX-License-Identifier: Apache-2.0 */
/* Streams, events, host functions. */
#include "objects.h"

/* HIP clamps a priority out of range silently; the check is the driver's. [XHAL-STREAM-7] */
xhal_result_t sketch_stream_create(Device* device, const xhal_stream_desc_t* desc, Stream* out) {
  const int priority = desc != NULL ? desc->priority : 0;
  if (priority > device->priority_least || priority < device->priority_greatest)
    return XHAL_ERROR_INVALID_ARGUMENT;
  ON_DEVICE(device, hipStreamCreateWithPriority(&out->stream, hipStreamNonBlocking, priority));
  out->device = device;
  return XHAL_SUCCESS;
}

/* "May wait for all commands", says HIP: the graveyard destroys it once its query says that it is done. [XHAL-STREAM-6] */
static void destroy_stream(void* stream) { (void)hipStreamDestroy((hipStream_t)stream); }
xhal_result_t sketch_stream_destroy(Stream* stream) {
  if (!stream->is_foreign)
    bury(stream->device, stream->stream, destroy_stream); /* hipStreamQuery, hipStreamDestroy: later */
  return XHAL_SUCCESS;
}

xhal_result_t sketch_stream_query(Stream* stream) {
  const Thread thread = enter(stream->device);
  const hipError_t code = leave(stream->device, thread, hipStreamQuery(stream->stream));
  if (code == hipErrorNotReady) return XHAL_NOT_READY;
  if (code != hipSuccess) run_pending_host_calls(stream, result(code));
  return result(code);
}

xhal_result_t sketch_stream_synchronize(Stream* stream, uint64_t timeout_ns) {
  if (timeout_ns == XHAL_WAIT_FOREVER) {
    ON_DEVICE(stream->device, hipStreamSynchronize(stream->stream));
    return XHAL_SUCCESS;
  }
  hipEvent_t mark = NULL;
  ON_DEVICE(stream->device, hipEventCreateWithFlags(&mark, hipEventDisableTiming));
  ON_DEVICE(stream->device, hipEventRecord(mark, stream->stream));
  const uint64_t deadline = deadline_of(timeout_ns);
  hipError_t code = hipErrorNotReady;
  for (uint32_t round = 0; code == hipErrorNotReady; ++round) {
    const Thread thread = enter(stream->device);
    code = leave(stream->device, thread, hipEventQuery(mark));
    if (code == hipErrorNotReady && !pause_until(deadline, round)) break;
  }
  ON_DEVICE(stream->device, hipEventDestroy(mark)); /* returns at once, also in flight */
  return code == hipErrorNotReady ? XHAL_TIMEOUT : result(code);
}

/* Binds the latest record. External waits in a capture have no HIP call in 5.2: CAPTURE_UNSUPPORTED there. */
xhal_result_t sketch_stream_wait_event(Stream* stream, const Event* event) {
  ON_DEVICE(stream->device, hipStreamWaitEvent(stream->stream, event->event, 0));
  return XHAL_SUCCESS;
}

/*
 * hipLaunchHostFunc runs the function on a thread of the runtime that other streams need, and not after an error. So it only wakes the stream's
 * own host thread, and a value wait is the gate that the thread opens. The gate's word is signal memory (hipExtMallocWithFlags), the one
 * kind that HIP documents for value waits. Where hipDeviceAttributeCanUseStreamWaitValue is 0 the function runs on the runtime's thread,
 * and host_function_blocks says so.
 */
static void wake(void* call) { hand_to_host_thread((host_call*)call); }
xhal_result_t sketch_stream_host_function(Stream* stream, host_call* call) {
  ON_DEVICE(stream->device, hipExtMallocWithFlags(&call->gate, 8, hipMallocSignalMemory));
  ON_DEVICE(stream->device, hipLaunchHostFunc(stream->stream, wake, call));
  ON_DEVICE(stream->device,
            hipStreamWaitValue64(stream->stream, call->gate, 1, hipStreamWaitValueEq, UINT64_MAX));
  return XHAL_SUCCESS;
}

/* hipEventInterprocess "is under development" and returns an error on AMD: ipc_event is not claimed. */
xhal_result_t sketch_event_create(Device* device, const xhal_event_desc_t* desc, Event* out) {
  const uint32_t flags = desc != NULL ? desc->flags : 0;
  unsigned int native = flags & XHAL_EVENT_TIMING ? hipEventDefault : hipEventDisableTiming;
  if (flags & XHAL_EVENT_BLOCKING) native |= hipEventBlockingSync;
  ON_DEVICE(device, hipEventCreateWithFlags(&out->event, native));
  out->device = device;
  out->generation = 0;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_event_destroy(Event* event) {
  ON_DEVICE(event->device, hipEventDestroy(event->event)); /* "will return immediately" */
  return XHAL_SUCCESS;
}

xhal_result_t sketch_event_record(Event* event, Stream* stream) {
  if (event->device != stream->device) return XHAL_ERROR_INVALID_ARGUMENT;
  ON_DEVICE(stream->device, hipEventRecord(event->event, stream->stream));
  ++event->generation;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_event_query(const Event* event) {
  const Thread thread = enter(event->device);
  const hipError_t code = leave(event->device, thread, hipEventQuery(event->event));
  return code == hipErrorNotReady ? XHAL_NOT_READY : result(code);
}

xhal_result_t sketch_event_synchronize(const Event* event, uint64_t timeout_ns) {
  if (timeout_ns == XHAL_WAIT_FOREVER) {
    ON_DEVICE(event->device, hipEventSynchronize(event->event));
    return XHAL_SUCCESS;
  }
  const uint64_t deadline = deadline_of(timeout_ns);
  for (uint32_t round = 0;; ++round) {
    const Thread thread = enter(event->device);
    const hipError_t code = leave(event->device, thread, hipEventQuery(event->event));
    if (code != hipErrorNotReady) return result(code);
    if (!pause_until(deadline, round)) return XHAL_TIMEOUT;
  }
}

/* Milliseconds in a float, about a microsecond: declared so. */
xhal_result_t sketch_event_get_elapsed(const Event* start, const Event* end, int64_t* out_nanoseconds) {
  if (start->generation == 0 || end->generation == 0) return XHAL_ERROR_NOT_RECORDED;
  float milliseconds = 0;
  const Thread thread = enter(start->device);
  const hipError_t code =
      leave(start->device, thread, hipEventElapsedTime(&milliseconds, start->event, end->event));
  if (code == hipErrorNotReady) return XHAL_NOT_READY;
  TRY(code);
  *out_nanoseconds = (int64_t)((double)milliseconds * 1e6);
  return XHAL_SUCCESS;
}
