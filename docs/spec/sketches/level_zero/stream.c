/* SPDX-License-Identifier: Apache-2.0 */
/* Streams, events, host functions. */
#include "objects.h"

/* Three priorities: 1 low, 0 normal, -1 high. They are hints, so stream_priority is not claimed before hardware has shown it. */
xhal_result_t sketch_stream_create(Device* device, int32_t priority, Stream* out) {
  ze_command_queue_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC};
  desc.ordinal = device->compute_group;
  desc.mode = ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS;
  desc.priority = priority < 0   ? ZE_COMMAND_QUEUE_PRIORITY_PRIORITY_HIGH
                  : priority > 0 ? ZE_COMMAND_QUEUE_PRIORITY_PRIORITY_LOW
                                 : ZE_COMMAND_QUEUE_PRIORITY_NORMAL;
  TRY(zeCommandListCreateImmediate(device->context, device->device, &desc, &out->list));
  out->device = device;
  out->last = NULL;
  return XHAL_SUCCESS;
}

/* Not allowed while the device refers to the list: graveyard, until `last` is signalled. */
static void destroy_list(void* list) { (void)zeCommandListDestroy((ze_command_list_handle_t)list); }
xhal_result_t sketch_stream_destroy(Stream* stream) {
  bury(stream->device, stream->list,
       destroy_list); /* zeEventQueryStatus of `last`, then zeCommandListDestroy */
  return XHAL_SUCCESS;
}

xhal_result_t sketch_stream_query(const Stream* stream) {
  if (stream->last == NULL) return XHAL_SUCCESS;
  const ze_result_t code = zeEventQueryStatus(stream->last);
  return code == ZE_RESULT_NOT_READY ? XHAL_NOT_READY : result(code);
}

xhal_result_t sketch_stream_synchronize(const Stream* stream, uint64_t timeout_ns) {
  if (stream->last == NULL) return XHAL_SUCCESS;
  const ze_result_t code =
      zeEventHostSynchronize(stream->last, timeout_ns); /* UINT64_MAX: for ever; 0: a query */
  return code == ZE_RESULT_NOT_READY ? XHAL_TIMEOUT : result(code);
}

/* The generation's own event: a later record takes another, so nothing changes for this wait. */
xhal_result_t sketch_stream_wait_event(Stream* stream, const Event* event) {
  if (event->current == NULL) return XHAL_SUCCESS;
  ze_event_handle_t both[2] = {event->current, stream->last};
  ze_event_handle_t next = fresh_event(stream->device, 0);
  TRY(zeCommandListAppendWaitOnEvents(stream->list, 1 + waits(stream), both));
  TRY(zeCommandListAppendSignalEvent(stream->list, next));
  stream->last = next;
  return XHAL_SUCCESS;
}

/* The stream's host thread waits for `reached`, runs the function and signals `gate`, which the stream's next operation waits for. */
xhal_result_t sketch_stream_host_function(Stream* stream, host_call* call, ze_event_handle_t* out_reached) {
  ze_event_handle_t reached = fresh_event(stream->device, 0);
  ze_event_handle_t gate = fresh_event(stream->device, 0);
  TRY(zeCommandListAppendBarrier(stream->list, reached, waits(stream), wait_list(stream)));
  call->gate = gate;
  stream->last = gate;
  *out_reached = reached;
  hand_to_host_thread(
      call); /* there: zeEventHostSynchronize(reached), the function, zeEventHostSignal(gate) */
  return XHAL_SUCCESS;
}

xhal_result_t sketch_event_create(Device* device, const xhal_event_desc_t* desc, Event* out,
                                  ze_event_pool_handle_t* out_pool) {
  /* The pools behind fresh_event: with timestamps or without, visible to the host and to all devices of the context. */
  ze_event_pool_desc_t pool = {.stype = ZE_STRUCTURE_TYPE_EVENT_POOL_DESC};
  pool.flags = ZE_EVENT_POOL_FLAG_HOST_VISIBLE;
  out->has_timing = desc != NULL && (desc->flags & XHAL_EVENT_TIMING);
  if (out->has_timing) pool.flags |= ZE_EVENT_POOL_FLAG_KERNEL_TIMESTAMP;
  pool.count = 1024;
  TRY(zeEventPoolCreate(device->context, &pool, 0, NULL, out_pool));
  ze_event_desc_t event = {.stype = ZE_STRUCTURE_TYPE_EVENT_DESC};
  event.signal =
      ZE_EVENT_SCOPE_FLAG_HOST; /* what was done before is seen by the host behind it [XHAL-EVENT-14] */
  event.wait = ZE_EVENT_SCOPE_FLAG_HOST;
  ze_event_handle_t first = NULL;
  TRY(zeEventCreate(*out_pool, &event, &first));
  out->device = device;
  out->current = NULL;
  return XHAL_SUCCESS;
}

/* Not allowed while the device refers to it: it is counted, and goes back to its pool with the last wait. */
static void destroy_event(void* event) { (void)zeEventDestroy((ze_event_handle_t)event); }
xhal_result_t sketch_event_destroy(Event* event) {
  if (event->current != NULL)
    bury(event->device, event->current, destroy_event); /* zeEventHostReset for reuse, or zeEventDestroy */
  return XHAL_SUCCESS;
}

xhal_result_t sketch_event_record(Event* event, Stream* stream) {
  if (event->device != stream->device) return XHAL_ERROR_INVALID_ARGUMENT;
  ze_event_handle_t generation = fresh_event(stream->device, event->has_timing);
  TRY(zeCommandListAppendBarrier(stream->list, generation, waits(stream), wait_list(stream)));
  stream->last = generation;
  event->current = generation;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_event_query(const Event* event) {
  if (event->current == NULL) return XHAL_SUCCESS;
  const ze_result_t code = zeEventQueryStatus(event->current);
  return code == ZE_RESULT_NOT_READY ? XHAL_NOT_READY : result(code);
}

xhal_result_t sketch_event_synchronize(const Event* event, uint64_t timeout_ns) {
  if (event->current == NULL) return XHAL_SUCCESS;
  const ze_result_t code = zeEventHostSynchronize(event->current, timeout_ns);
  return code == ZE_RESULT_NOT_READY ? XHAL_TIMEOUT : result(code);
}

/* Raw ticks that wrap after kernelTimestampValidBits: the difference is taken modulo that, event_wrap_ns declares it. */
xhal_result_t sketch_event_get_elapsed(const Event* start, const Event* end, uint64_t tick_mask,
                                       double ns_per_tick, int64_t* out_nanoseconds) {
  if (start->current == NULL || end->current == NULL) return XHAL_ERROR_NOT_RECORDED;
  ze_kernel_timestamp_result_t first;
  ze_kernel_timestamp_result_t second;
  for (const Event* event = start;; event = end) {
    const ze_result_t code = zeEventQueryKernelTimestamp(event->current, event == start ? &first : &second);
    if (code == ZE_RESULT_NOT_READY) return XHAL_NOT_READY;
    TRY(code);
    if (event == end) break;
  }
  const uint64_t ticks = (second.global.kernelEnd - first.global.kernelEnd) & tick_mask;
  *out_nanoseconds = (int64_t)((double)ticks * ns_per_tick);
  return XHAL_SUCCESS;
}
