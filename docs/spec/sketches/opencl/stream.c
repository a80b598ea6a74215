/* SPDX-License-Identifier: Apache-2.0 */
/* Streams, events, host functions. */
#include "objects.h"

/* cl_khr_priority_hints promises nothing, so stream_priority is not claimed. */
xhal_result_t sketch_stream_create(Device* device, Stream* out) {
  const cl_queue_properties properties[] = {CL_QUEUE_PROPERTIES, CL_QUEUE_PROFILING_ENABLE, 0};
  cl_int code = CL_SUCCESS;
  out->queue = clCreateCommandQueueWithProperties(device->context, device->device, properties, &code);
  TRY(code);
  out->device = device;
  out->last = NULL;
  return XHAL_SUCCESS;
}

/*
 * A release waits for nothing and the queue lives until its commands are done. But while any command waits for a user event that is not set, releasing
 * anything but events is undefined: with a host function pending in the context it goes to the graveyard instead.
 */
static void release_queue(void* queue) { (void)clReleaseCommandQueue((cl_command_queue)queue); }
xhal_result_t sketch_stream_destroy(Stream* stream, int user_events_pending) {
  TRY(clFlush(stream->queue));
  if (user_events_pending) {
    bury(stream->device, stream->queue, release_queue);
    return XHAL_SUCCESS;
  }
  TRY(clReleaseCommandQueue(stream->queue));
  return XHAL_SUCCESS;
}

/* Each submit flushes, so that a query never has to. */
xhal_result_t sketch_stream_query(Stream* stream) {
  if (stream->last == NULL) return XHAL_SUCCESS;
  cl_int status = CL_QUEUED;
  TRY(clGetEventInfo(stream->last, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL));
  if (status < 0) {
    run_pending_host_calls(stream, result(status));
    return result(status);
  }
  return status == CL_COMPLETE ? XHAL_SUCCESS : XHAL_NOT_READY;
}

/* clWaitForEvents takes no time. */
xhal_result_t sketch_stream_synchronize(Stream* stream, uint64_t timeout_ns) {
  if (stream->last == NULL) return XHAL_SUCCESS;
  if (timeout_ns == XHAL_WAIT_FOREVER) return result(clWaitForEvents(1, &stream->last));
  const uint64_t deadline = deadline_of(timeout_ns);
  for (uint32_t round = 0;; ++round) {
    cl_int status = CL_QUEUED;
    TRY(clGetEventInfo(stream->last, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL));
    if (status == CL_COMPLETE) return XHAL_SUCCESS;
    if (status < 0) return result(status);
    if (!pause_until(deadline, round)) return XHAL_TIMEOUT;
  }
}

/* The generation's own event. From another context (another platform) it becomes a user event that a call-back sets. */
xhal_result_t sketch_stream_wait_event(Stream* stream, const Event* event) {
  if (event->current == NULL) return XHAL_SUCCESS;
  cl_event next = NULL;
  TRY(clEnqueueBarrierWithWaitList(stream->queue, 1, &event->current, &next));
  TRY(then(stream, next));
  TRY(clFlush(stream->queue));
  return XHAL_SUCCESS;
}

/*
 * A call-back of a marker wakes the stream's host thread (no blocking call is allowed inside), and a user event is the gate that the
 * thread opens. It is always opened with CL_COMPLETE: a failed one is documented to end its waiters and hangs them in PoCL 3.1. On devices
 * that run commands in the thread that flushes, a waiting command blocks that thread: there the driver holds back what follows itself.
 */
static void CL_CALLBACK wake(cl_event marker, cl_int status, void* call) {
  (void)marker;
  (void)status;
  hand_to_host_thread((host_call*)call);
}
xhal_result_t sketch_stream_host_function(Stream* stream, host_call* call) {
  cl_int code = CL_SUCCESS;
  cl_event reached = NULL;
  cl_event next = NULL;
  cl_event gate = clCreateUserEvent(stream->device->context, &code);
  TRY(code);
  call->gate = gate; /* the host thread: clSetUserEventStatus(gate, CL_COMPLETE) */
  TRY(clEnqueueMarkerWithWaitList(stream->queue, 0, NULL, &reached));
  TRY(clEnqueueBarrierWithWaitList(stream->queue, 1, &gate, &next));
  TRY(clSetEventCallback(reached, CL_COMPLETE, wake, call));
  TRY(then(stream, next));
  TRY(clFlush(stream->queue));
  return XHAL_SUCCESS;
}

/* Never waits; commands that refer to the cl_event keep it. */
xhal_result_t sketch_event_destroy(Event* event) {
  if (event->current != NULL) TRY(clReleaseEvent(event->current));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_event_record(Event* event, Stream* stream) {
  if (event->device != stream->device) return XHAL_ERROR_INVALID_ARGUMENT;
  cl_event generation = NULL;
  TRY(clEnqueueMarkerWithWaitList(stream->queue, 0, NULL, &generation));
  TRY(clFlush(stream->queue)); /* else a wait of another queue would never end */
  if (event->current != NULL) TRY(clReleaseEvent(event->current));
  event->current = generation;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_event_query(const Event* event) {
  if (event->current == NULL) return XHAL_SUCCESS;
  cl_int status = CL_QUEUED;
  TRY(clGetEventInfo(event->current, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL));
  if (status < 0) return result(status);
  return status == CL_COMPLETE ? XHAL_SUCCESS : XHAL_NOT_READY;
}

xhal_result_t sketch_event_synchronize(const Event* event, uint64_t timeout_ns) {
  if (event->current == NULL) return XHAL_SUCCESS;
  if (timeout_ns == XHAL_WAIT_FOREVER) return result(clWaitForEvents(1, &event->current));
  const uint64_t deadline = deadline_of(timeout_ns);
  for (uint32_t round = 0;; ++round) {
    cl_int status = CL_QUEUED;
    TRY(clGetEventInfo(event->current, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL));
    if (status <= CL_COMPLETE) return result(status);
    if (!pause_until(deadline, round)) return XHAL_TIMEOUT;
  }
}

/* Nanoseconds already. */
xhal_result_t sketch_event_get_elapsed(const Event* start, const Event* end, int64_t* out_nanoseconds) {
  if (start->current == NULL || end->current == NULL) return XHAL_ERROR_NOT_RECORDED;
  cl_ulong first = 0;
  cl_ulong second = 0;
  cl_int code = clGetEventProfilingInfo(start->current, CL_PROFILING_COMMAND_END, sizeof first, &first, NULL);
  if (code == CL_SUCCESS) {
    code = clGetEventProfilingInfo(end->current, CL_PROFILING_COMMAND_END, sizeof second, &second, NULL);
  }
  if (code == CL_PROFILING_INFO_NOT_AVAILABLE) return XHAL_NOT_READY;
  TRY(code);
  *out_nanoseconds = (int64_t)(second - first);
  return XHAL_SUCCESS;
}
