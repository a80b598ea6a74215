/* SPDX-License-Identifier: Apache-2.0 */
/* Streams, events, host functions, value wait and write. */
#include "objects.h"

/* Outside of its range CUDA clamps a priority silently; the check is the driver's. [XHAL-STREAM-7] */
xhal_result_t sketch_stream_create(Device* device, const xhal_stream_desc_t* desc, Stream* out) {
  const int priority = desc != NULL ? desc->priority : 0;
  if (priority > device->priority_least || priority < device->priority_greatest)
    return XHAL_ERROR_INVALID_ARGUMENT;
  IN_CONTEXT(device, cuStreamCreateWithPriority(&out->stream, CU_STREAM_NON_BLOCKING, priority));
  out->device = device;
  return XHAL_SUCCESS;
}

/* Returns at once; the work goes on. A capture of this stream is ended first, and its graph thrown away. [XHAL-GRAPH-18] */
xhal_result_t sketch_stream_destroy(Stream* stream) {
  if (stream->is_foreign) return XHAL_SUCCESS;
  CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
  TRY(cuStreamIsCapturing(stream->stream, &status));
  if (status != CU_STREAM_CAPTURE_STATUS_NONE) {
    CUgraph graph = NULL;
    (void)cuStreamEndCapture(stream->stream, &graph);
    if (graph != NULL) TRY(cuGraphDestroy(graph));
  }
  TRY(cuStreamDestroy(stream->stream));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_stream_query(Stream* stream) {
  const CUresult code = cuStreamQuery(stream->stream);
  if (code == CUDA_ERROR_NOT_READY) return XHAL_NOT_READY;
  if (code != CUDA_SUCCESS) run_pending_host_calls(stream, result(code));
  return result(code);
}

xhal_result_t sketch_stream_synchronize(Stream* stream, uint64_t timeout_ns) {
  if (timeout_ns == XHAL_WAIT_FOREVER) {
    const CUresult code = cuStreamSynchronize(stream->stream);
    if (code != CUDA_SUCCESS) run_pending_host_calls(stream, result(code));
    return result(code);
  }
  /* "Before the call": an event, so that work which other threads submit meanwhile is not waited for. */
  CUevent mark = NULL;
  IN_CONTEXT(stream->device, cuEventCreate(&mark, CU_EVENT_DISABLE_TIMING));
  CUresult code = cuEventRecord(mark, stream->stream);
  const uint64_t deadline = deadline_of(timeout_ns);
  for (uint32_t round = 0; code == CUDA_SUCCESS || code == CUDA_ERROR_NOT_READY; ++round) {
    code = cuEventQuery(mark);
    if (code != CUDA_ERROR_NOT_READY || !pause_until(deadline, round)) break;
  }
  (void)cuEventDestroy(mark);
  if (code == CUDA_ERROR_NOT_READY) return XHAL_TIMEOUT;
  return result(code);
}

/* Binds the record that is the latest now; works across devices. Never recorded: holds nothing, by CUDA's rule as by ours. */
xhal_result_t sketch_stream_wait_event(Stream* stream, const Event* event, uint32_t flags) {
  const unsigned int native = flags & XHAL_EVENT_EXTERNAL ? CU_EVENT_WAIT_EXTERNAL : CU_EVENT_WAIT_DEFAULT;
  TRY(cuStreamWaitEvent(stream->stream, event->event, native));
  return XHAL_SUCCESS;
}

/*
 * CUDA runs host functions on one thread of its own, so a blocked one would hold up those of all streams, and runs none after an
 * error. So the native function only wakes the stream's own host thread, and a value wait on pinned memory is the gate that the
 * thread opens; what an error leaves behind is run by the call that reports it. [XHAL-HOSTFN-3] [XHAL-HOSTFN-4]
 */
static void CUDA_CB wake(void* call) { hand_to_host_thread((host_call*)call); }
xhal_result_t sketch_stream_host_function(Stream* stream, host_call* call) {
  TRY(cuLaunchHostFunc(stream->stream, wake, call));
  TRY(cuStreamWaitValue32(stream->stream, address(call->gate), 1, CU_STREAM_WAIT_VALUE_EQ));
  return XHAL_SUCCESS;
}

/* An event for other processes must be one without timing: both flags together are refused. */
xhal_result_t sketch_event_create(Device* device, const xhal_event_desc_t* desc, Event* out) {
  const uint32_t flags = desc != NULL ? desc->flags : 0;
  if ((flags & XHAL_EVENT_TIMING) && (flags & XHAL_EVENT_IPC)) return XHAL_ERROR_UNSUPPORTED;
  unsigned int native = flags & XHAL_EVENT_TIMING ? CU_EVENT_DEFAULT : CU_EVENT_DISABLE_TIMING;
  if (flags & XHAL_EVENT_BLOCKING) native |= CU_EVENT_BLOCKING_SYNC;
  if (flags & XHAL_EVENT_IPC) native |= CU_EVENT_INTERPROCESS;
  IN_CONTEXT(device, cuEventCreate(&out->event, native));
  out->device = device;
  out->generation = 0;
  return XHAL_SUCCESS;
}

/* Never waits, by CUDA's documentation; waits in flight keep what they bound. */
xhal_result_t sketch_event_destroy(Event* event) {
  TRY(cuEventDestroy(event->event));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_event_record(Event* event, Stream* stream, uint32_t flags) {
  if (event->device != stream->device) return XHAL_ERROR_INVALID_ARGUMENT;
  const unsigned int native =
      flags & XHAL_EVENT_EXTERNAL ? CU_EVENT_RECORD_EXTERNAL : CU_EVENT_RECORD_DEFAULT;
  TRY(cuEventRecordWithFlags(event->event, stream->stream, native));
  ++event->generation;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_event_query(const Event* event) {
  const CUresult code = cuEventQuery(event->event);
  return code == CUDA_ERROR_NOT_READY ? XHAL_NOT_READY : result(code);
}

/*
 * With a deadline: the generation that is the latest at the call. A re-record by another thread would prolong a poll of the event itself, so
 * the driver keeps one CUevent a generation that is waited for, from a pool.
 */
xhal_result_t sketch_event_synchronize(const Event* event, uint64_t timeout_ns) {
  if (timeout_ns == XHAL_WAIT_FOREVER) return result(cuEventSynchronize(event->event));
  const uint64_t deadline = deadline_of(timeout_ns);
  for (uint32_t round = 0;; ++round) {
    const CUresult code = cuEventQuery(event->event);
    if (code != CUDA_ERROR_NOT_READY) return result(code);
    if (!pause_until(deadline, round)) return XHAL_TIMEOUT;
  }
}

/* Milliseconds in a float: half a microsecond, and the 24 bits of a float above some seconds. Declared so. [XHAL-EVENT-10] */
xhal_result_t sketch_event_get_elapsed(const Event* start, const Event* end, int64_t* out_nanoseconds) {
  if (start->generation == 0 || end->generation == 0) return XHAL_ERROR_NOT_RECORDED;
  float milliseconds = 0;
  const CUresult code = cuEventElapsedTime(&milliseconds, start->event, end->event);
  if (code == CUDA_ERROR_NOT_READY) return XHAL_NOT_READY;
  TRY(code);
  *out_nanoseconds = (int64_t)((double)milliseconds * 1e6);
  return XHAL_SUCCESS;
}

/* Where CU_DEVICE_ATTRIBUTE_CAN_USE_64_BIT_STREAM_MEM_OPS and ..._CAN_USE_STREAM_WAIT_VALUE_NOR are 1. Not on managed memory. */
xhal_result_t sketch_stream_wait_value(Stream* stream, const void* word, uint64_t value, uint32_t comparison,
                                       uint32_t width) {
  static const unsigned int kFlags[] = {CU_STREAM_WAIT_VALUE_EQ, CU_STREAM_WAIT_VALUE_GEQ,
                                        CU_STREAM_WAIT_VALUE_AND, CU_STREAM_WAIT_VALUE_NOR};
  if (width == 4) {
    TRY(cuStreamWaitValue32(stream->stream, address(word), (cuuint32_t)value, kFlags[comparison]));
  } else {
    TRY(cuStreamWaitValue64(stream->stream, address(word), value, kFlags[comparison]));
  }
  return XHAL_SUCCESS;
}

/* The default flag has the memory barrier that makes earlier work visible first. */
xhal_result_t sketch_stream_write_value(Stream* stream, void* word, uint64_t value, uint32_t width) {
  if (width == 4) {
    TRY(cuStreamWriteValue32(stream->stream, address(word), (cuuint32_t)value,
                             CU_STREAM_WRITE_VALUE_DEFAULT));
  } else {
    TRY(cuStreamWriteValue64(stream->stream, address(word), value, CU_STREAM_WRITE_VALUE_DEFAULT));
  }
  return XHAL_SUCCESS;
}
