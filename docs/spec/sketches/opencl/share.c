/* SPDX-License-Identifier: Apache-2.0 */
/* Native handles in, activity. */
#include "objects.h"

/* The application's context must hold the device; what the driver makes from now on is made in it. */
xhal_result_t sketch_device_set_native_context(Device* device, const xhal_native_t* context) {
  cl_context foreign = (cl_context)(uintptr_t)context->value;
  cl_device_id devices[64];
  size_t bytes = 0;
  TRY(clGetContextInfo(foreign, CL_CONTEXT_DEVICES, sizeof devices, devices, &bytes));
  for (size_t i = 0; i < bytes / sizeof devices[0]; ++i) {
    if (devices[i] != device->device) continue;
    TRY(clRetainContext(foreign));
    device->context = foreign;
    return XHAL_SUCCESS;
  }
  return XHAL_ERROR_INVALID_ARGUMENT;
}

/* No default streams exist. An out-of-order queue, one of another context and one without profiling are refused. */
xhal_result_t sketch_stream_import_native(Device* device, const xhal_native_t* native, Stream* out) {
  if (native->kind != XHAL_NATIVE_HANDLE || native->value == 0) return XHAL_ERROR_INVALID_ARGUMENT;
  cl_command_queue queue = (cl_command_queue)(uintptr_t)native->value;
  cl_context context = NULL;
  cl_command_queue_properties properties = 0;
  TRY(clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, sizeof context, &context, NULL));
  TRY(clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES, sizeof properties, &properties, NULL));
  if (context != device->context || (properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE))
    return XHAL_ERROR_INVALID_ARGUMENT;
  TRY(clRetainCommandQueue(queue));
  out->device = device;
  out->queue = queue;
  /* Natively submitted work counts: a marker now, and again before each query. */
  TRY(clEnqueueMarkerWithWaitList(queue, 0, NULL, &out->last));
  return XHAL_SUCCESS;
}

/* Every command has times: its event is kept while someone is subscribed and read here. */
xhal_result_t sketch_activity_flush(cl_event finished, xhal_activity_record_t* out) {
  cl_ulong begin = 0;
  cl_ulong end = 0;
  TRY(clGetEventProfilingInfo(finished, CL_PROFILING_COMMAND_START, sizeof begin, &begin, NULL));
  TRY(clGetEventProfilingInfo(finished, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL));
  out->begin_ns = begin;
  out->end_ns = end;
  return XHAL_SUCCESS;
}

/* OpenCL 2.1; PoCL 3.1 refuses it, and a device without it does not claim activity. */
xhal_result_t sketch_device_get_clocks(const Device* device, uint64_t host_before, uint64_t host_after,
                                       xhal_clocks_t* out) {
  cl_ulong on_device = 0;
  cl_ulong on_host = 0;
  TRY(clGetDeviceAndHostTimer(device->device, &on_device, &on_host));
  out->device_ns = on_device;
  out->host_ns =
      host_before + (host_after - host_before) / 2; /* which host clock `on_host` is, is not documented */
  out->uncertainty_ns = host_after - host_before;
  return XHAL_SUCCESS;
}
