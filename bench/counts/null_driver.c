/* SPDX-License-Identifier: Apache-2.0 */
/* One device whose calls return at once. Written against driver.h alone, so that nothing of the kit is counted. */
#include <string.h>

#include "xhal/driver.h"

static xhal_handle_header_t driver_header, device_header, stream_header, event_header, module_header,
    kernel_header;
static const xhal_host_services_t* services;

static void* give(xhal_handle_header_t* header, uint32_t type) {
  header->table = services->dead_table;
  header->type = type;
  header->object = header;
  return header;
}

static xhal_result_t get_devices(xhal_driver_t driver, uint32_t capacity, xhal_device_t* out_devices,
                                 uint32_t* out_count) {
  (void)driver;
  if (out_count == NULL) return XHAL_ERROR_INVALID_ARGUMENT;
  if (capacity > 0) out_devices[0] = (xhal_device_t)give(&device_header, XHAL_TYPE_device);
  *out_count = 1;
  return XHAL_SUCCESS;
}

static xhal_result_t stream_create(xhal_device_t device, const xhal_stream_desc_t* desc,
                                   xhal_stream_t* out_stream) {
  (void)device, (void)desc;
  *out_stream = (xhal_stream_t)give(&stream_header, XHAL_TYPE_stream);
  return XHAL_SUCCESS;
}

static xhal_result_t device_get_default_stream(xhal_device_t device, xhal_stream_t* out_stream) {
  (void)device;
  *out_stream = (xhal_stream_t)give(&stream_header, XHAL_TYPE_stream);
  return XHAL_SUCCESS;
}

static xhal_result_t stream_get_device(xhal_stream_t stream, xhal_device_t* out_device) {
  (void)stream;
  *out_device = (xhal_device_t)give(&device_header, XHAL_TYPE_device);
  return XHAL_SUCCESS;
}

static xhal_result_t event_create(xhal_device_t device, const xhal_event_desc_t* desc,
                                  xhal_event_t* out_event) {
  (void)device, (void)desc;
  *out_event = (xhal_event_t)give(&event_header, XHAL_TYPE_event);
  return XHAL_SUCCESS;
}

static xhal_result_t module_load(xhal_device_t device, const xhal_module_desc_t* desc,
                                 xhal_module_t* out_module) {
  (void)device, (void)desc;
  *out_module = (xhal_module_t)give(&module_header, XHAL_TYPE_module);
  return XHAL_SUCCESS;
}

static xhal_result_t module_get_kernel(xhal_module_t module, const char* name, xhal_kernel_t* out_kernel) {
  (void)module, (void)name;
  *out_kernel = (xhal_kernel_t)give(&kernel_header, XHAL_TYPE_kernel);
  return XHAL_SUCCESS;
}

static xhal_result_t stream_query(xhal_stream_t stream) {
  (void)stream;
  return XHAL_SUCCESS;
}

static xhal_result_t event_record(xhal_event_t event, xhal_stream_t stream, uint32_t flags) {
  (void)event, (void)stream, (void)flags;
  return XHAL_SUCCESS;
}

static xhal_result_t memory_copy(xhal_stream_t stream, void* destination, const void* source, uint64_t size) {
  (void)stream, (void)destination, (void)source, (void)size;
  return XHAL_SUCCESS;
}

static xhal_result_t kernel_launch(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch) {
  (void)stream, (void)kernel, (void)launch;
  return XHAL_SUCCESS;
}

static xhal_result_t open_driver(const xhal_driver_open_t* params, xhal_driver_t* out_driver) {
  (void)params;
  *out_driver = (xhal_driver_t)give(&driver_header, XHAL_TYPE_driver);
  return XHAL_SUCCESS;
}

static xhal_result_t close_driver(xhal_driver_t driver) {
  (void)driver;
  return XHAL_SUCCESS;
}

XHAL_EXPORT xhal_result_t xhal_driver_negotiate(const xhal_negotiation_t* host,
                                                xhal_driver_interface_t* out) {
  services = host->services;
  out->abi_major = XHAL_ABI_MAJOR;
  out->abi_minor = XHAL_ABI_MINOR;
  out->abi_revision = XHAL_ABI_REVISION;
  out->name = "counted";
  out->version = "1";
  out->open = open_driver;
  out->close = close_driver;
  out->functions->driver_get_devices = get_devices;
  out->functions->stream_create = stream_create;
  out->functions->device_get_default_stream = device_get_default_stream;
  out->functions->stream_get_device = stream_get_device;
  out->functions->event_create = event_create;
  out->functions->module_load = module_load;
  out->functions->module_get_kernel = module_get_kernel;
  out->functions->stream_query = stream_query;
  out->functions->event_record = event_record;
  out->functions->memory_copy = memory_copy;
  out->functions->kernel_launch = kernel_launch;
  return XHAL_SUCCESS;
}
