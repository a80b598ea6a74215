/* SPDX-License-Identifier: Apache-2.0 */
/* Driver, device, errors. */
#include "objects.h"

/* In a helper process: platforms start their threads when they are asked for devices. */
xhal_result_t sketch_driver_get_devices(cl_platform_id* platform, uint32_t capacity,
                                        cl_device_id* out_devices, uint32_t* out_count) {
  cl_uint platforms = 1;
  const cl_int code = clGetPlatformIDs(platforms, platform, &platforms);
  if (code == CL_PLATFORM_NOT_FOUND_KHR) {
    *out_count = 0;
    return XHAL_SUCCESS;
  }
  TRY(code);
  TRY(clGetDeviceIDs(*platform, CL_DEVICE_TYPE_ALL, capacity, out_devices, out_count));
  for (uint32_t i = 0; i < *out_count && i < capacity; ++i) {
    cl_device_svm_capabilities svm = 0; /* without CL_DEVICE_SVM_FINE_GRAIN_BUFFER it is not listed */
    TRY(clGetDeviceInfo(out_devices[i], CL_DEVICE_SVM_CAPABILITIES, sizeof svm, &svm, NULL));
  }
  return XHAL_SUCCESS;
}

xhal_result_t sketch_driver_get_properties(cl_platform_id platform, xhal_driver_properties_t* out) {
  TRY(clGetPlatformInfo(platform, CL_PLATFORM_VERSION, sizeof out->native_runtime_version,
                        out->native_runtime_version, NULL));
  TRY(clGetPlatformInfo(platform, CL_PLATFORM_VENDOR, sizeof out->vendor, out->vendor, NULL));
  return XHAL_SUCCESS;
}

/* Without cl_khr_device_uuid the uuid is a hash of platform, device name and index; without cl_khr_pci_bus_info the address is unknown. */
xhal_result_t sketch_device_get_properties(const Device* device, xhal_device_properties_t* out) {
  cl_ulong bytes = 0;
  cl_ulong local = 0;
  cl_uint units = 0;
  size_t items = 0;
  size_t resolution = 0;
  cl_device_pci_bus_info_khr pci;
  TRY(clGetDeviceInfo(device->device, CL_DEVICE_NAME, sizeof out->name, out->name, NULL));
  TRY(clGetDeviceInfo(device->device, CL_DEVICE_UUID_KHR, sizeof out->uuid, out->uuid, NULL));
  TRY(clGetDeviceInfo(device->device, CL_DEVICE_PCI_BUS_INFO_KHR, sizeof pci, &pci, NULL));
  TRY(clGetDeviceInfo(device->device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof bytes, &bytes, NULL));
  TRY(clGetDeviceInfo(device->device, CL_DEVICE_LOCAL_MEM_SIZE, sizeof local, &local, NULL));
  TRY(clGetDeviceInfo(device->device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units, NULL));
  TRY(clGetDeviceInfo(device->device, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof items, &items, NULL));
  TRY(clGetDeviceInfo(device->device, CL_DEVICE_PROFILING_TIMER_RESOLUTION, sizeof resolution, &resolution,
                      NULL));
  out->memory_bytes = bytes;
  out->max_local_bytes = (uint32_t)local;
  out->unit_count = units;
  out->max_group_items = (uint32_t)items;
  out->event_resolution_ns = (uint32_t)resolution;
  /* A wild store of a kernel on a CPU device ends the process. */
  out->fault_scope = XHAL_FAULT_SCOPE_PROCESS;
  out->fault_recovery = XHAL_RECOVERY_NONE;
  out->free_waits = XHAL_FREE_WAITS_MAYBE;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_device_get_image_formats(const Device* device, char* out_il, size_t il_bytes,
                                              cl_bool* out_has_compiler) {
  TRY(clGetDeviceInfo(device->device, CL_DEVICE_IL_VERSION, il_bytes, out_il,
                      NULL)); /* "SPIR-V_1.2", or empty */
  TRY(clGetDeviceInfo(device->device, CL_DEVICE_COMPILER_AVAILABLE, sizeof *out_has_compiler,
                      out_has_compiler, NULL));
  return XHAL_SUCCESS;
}

/* What this process allocated is all that is known of the use. */
xhal_result_t sketch_device_get_memory_info(const Device* device, xhal_memory_info_t* out) {
  cl_ulong bytes = 0;
  TRY(clGetDeviceInfo(device->device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof bytes, &bytes, NULL));
  out->total_bytes = bytes;
  out->free_bytes = bytes - device->allocated;
  return XHAL_SUCCESS;
}

/* clFinish takes no time, and would run the queue's commands in this thread where the device is no asynchronous one. */
xhal_result_t sketch_device_synchronize(Stream* const* streams, uint32_t count, uint64_t timeout_ns) {
  const uint64_t deadline = deadline_of(timeout_ns);
  for (uint32_t i = 0; i < count; ++i) {
    if (streams[i]->last == NULL) continue;
    TRY(clFlush(streams[i]->queue));
    for (uint32_t round = 0;; ++round) {
      cl_int status = CL_QUEUED;
      TRY(clGetEventInfo(streams[i]->last, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL));
      if (status == CL_COMPLETE) break;
      if (status < 0) return result(status);
      if (!pause_until(deadline, round)) return XHAL_TIMEOUT;
    }
  }
  return XHAL_SUCCESS;
}

/* The context is opened by the first call that needs it, for all devices of the platform. */
xhal_result_t sketch_device_get_default_stream(Device* device, const cl_device_id* all, cl_uint count,
                                               Stream* out) {
  const cl_context_properties context[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)device->platform, 0};
  const cl_queue_properties queue[] = {CL_QUEUE_PROPERTIES, CL_QUEUE_PROFILING_ENABLE, 0};
  cl_int code = CL_SUCCESS;
  device->context = clCreateContext(context, count, all, NULL, NULL, &code);
  TRY(code);
  out->queue = clCreateCommandQueueWithProperties(device->context, device->device, queue, &code);
  TRY(code);
  out->device = device;
  return XHAL_SUCCESS;
}
